# SPDX-License-Identifier: Apache-2.0
"""Waits for what engines and guests do in their own time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
PATIENCE_S = 60.0


class Timeout(AssertionError):
    """Something that should have happened did not."""


def eventually(found: Callable[[], T], what: str, timeout_s: float = PATIENCE_S) -> T:
    """Wait until `found` returns something true, and return that."""
    deadline = time.monotonic() + timeout_s
    while not (answer := found()):
        if time.monotonic() > deadline:
            raise Timeout(f"{what}: not within {timeout_s:.0f} s")
        time.sleep(0.02)
    return answer
