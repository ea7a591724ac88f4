# SPDX-License-Identifier: Apache-2.0
"""Measured times, and the ratios between them; nothing here measures."""

from __future__ import annotations

import statistics
from typing import NamedTuple


class Ratio(NamedTuple):
    """How one contestant's times compare with the median of another's."""

    low: float
    """The 10th percentile."""
    median: float
    high: float
    """The 90th percentile."""

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f}-{self.high:.2f})"


def ratio(times: list[float], base: list[float]) -> Ratio:
    """The `times` in units of the median of `base`."""
    unit = statistics.median(base)
    return Ratio(*(percentile(times, share) / unit for share in (0.1, 0.5, 0.9)))


def percentile(values: list[float], share: float) -> float:
    """The value below which that share of them lies, between neighbours in proportion."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def sums(rows: list[list[float]]) -> list[float]:
    """One sum for each round, of lists that have a value for each."""
    return [sum(values) for values in zip(*rows, strict=True)]
