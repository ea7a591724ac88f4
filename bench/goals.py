# SPDX-License-Identifier: Apache-2.0
"""What is aimed at: the most that urunc and bima may take, in units of what others take in the same run."""

from __future__ import annotations

from typing import NamedTuple


class Goal(NamedTuple):
    """One row: of a measurement, at most so many times what another contestant takes."""

    measurement: str
    row: str
    other: str
    most: float


GOALS = (
    Goal("v2 minimal", "create", "runc", 0.45),
    Goal("v2 minimal", "create", "crun", 2.0),
    Goal("v2 minimal", "state", "runc", 1.6),
    Goal("v2 minimal", "kill", "runc", 1.6),
    Goal("v2 minimal", "delete", "runc", 1.6),
    Goal("v2 network", "start", "runc", 1.9),
    Goal("v2 minimal", "cycle", "runc", 0.9),
    Goal("v2 minimal", "cycle", "crun", 2.1),
    Goal("v2 crowd", "sixteen at once", "runc", 0.65),
    Goal("v1 containerd", "create", "runc", 0.7),
    Goal("v1 containerd", "cycle", "runc", 1.1),
    Goal("v1 engines", "ctr run --rm", "runc", 1.15),
    Goal("first answer", "first answer", "best", 1.05),
    Goal("packages", "build", "best", 1.0),
    Goal("packages", "push", "best", 1.0),
    Goal("packages", "pull", "best", 1.0),
)
# Not ratios, since nobody else is measured by them.
PSS_KIB = 4096
PEAK_KIB = 100 << 10
