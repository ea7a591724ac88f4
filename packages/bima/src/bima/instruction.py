# SPDX-License-Identifier: Apache-2.0
"""The instructions an image is built from, whatever language they were written in.  Pure."""

from __future__ import annotations

from dataclasses import dataclass

from bima.errors import ContainerfileError


@dataclass(frozen=True)
class Line:
    """One instruction as it was written: where, and with continuations joined."""

    file: str
    number: int
    text: str

    @property
    def place(self) -> str:
        """Where the line is."""
        return f"{self.file}:{self.number}"

    def error(self, message: str, hint: str = "") -> ContainerfileError:
        """Something is wrong with this line."""
        return ContainerfileError(self.file, self.number, message, hint)


@dataclass(frozen=True)
class From:
    """FROM scratch"""

    line: Line


@dataclass(frozen=True)
class Copy:
    """COPY SOURCE… DESTINATION"""

    line: Line
    sources: tuple[str, ...]
    destination: str


@dataclass(frozen=True)
class Label:
    """LABEL KEY=VALUE…"""

    line: Line
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Env:
    """ENV NAME=VALUE…"""

    line: Line
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Cmd:
    """CMD WORD…"""

    line: Line
    words: tuple[str, ...]


@dataclass(frozen=True)
class Entrypoint:
    """ENTRYPOINT WORD…"""

    line: Line
    words: tuple[str, ...]


Instruction = From | Copy | Label | Env | Cmd | Entrypoint
