# SPDX-License-Identifier: Apache-2.0
"""What all tests share: `require`, and one check of REQUIRE before the first test runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from capabilities import require, required

if TYPE_CHECKING:
    import pytest

__all__ = ["require"]


def pytest_configure(config: pytest.Config) -> None:
    """A misspelled REQUIRE is an error, not a capability that nobody checks."""
    del config
    required()
