# SPDX-License-Identifier: Apache-2.0
"""The one base of every error we raise on purpose."""

from __future__ import annotations


class Error(Exception):
    """Something the user can act on: a sentence without a full stop; `hint` is the remedy."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    @property
    def sentence(self) -> str:
        """The message with its remedy, on one line."""
        return f"{self}; {self.hint}" if self.hint else str(self)


class ConfigError(Error):
    """The annotations or urunc.json lack something, or contradict themselves."""
