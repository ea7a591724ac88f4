# SPDX-License-Identifier: Apache-2.0
"""What a Containerfile says: statements as written, and instructions once variables are known.  Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bima.errors import ContainerfileError, place

if TYPE_CHECKING:
    from bima.variables import Template


@dataclass(frozen=True)
class Line:
    """One instruction as it was written: where, and with continuations joined."""

    file: str
    number: int
    text: str

    @property
    def place(self) -> str:
        """Where the line is."""
        return place(self.file, self.number)

    def error(self, message: str, hint: str = "") -> ContainerfileError:
        """Something is wrong with this line."""
        return ContainerfileError(self.file, self.number, message, hint)


@dataclass(frozen=True)
class Document:
    """A here-document: the word that names it, and its lines."""

    name: str
    text: Template


@dataclass(frozen=True)
class Statement:
    """One instruction, whose words may have variables in them."""

    line: Line
    word: str
    rest: str = ""
    options: tuple[tuple[str, Template], ...] = ()
    words: tuple[Template, ...] = ()
    pairs: tuple[tuple[Template, Template | None], ...] = ()
    documents: tuple[Document, ...] = ()


@dataclass(frozen=True)
class From:
    """FROM BASE [AS NAME]"""

    line: Line
    base: str = "scratch"
    name: str = ""
    platform: str = ""


@dataclass(frozen=True)
class Copy:
    """COPY SOURCE… DESTINATION; ADD does the same, but for the archives that it unpacks and the addresses."""

    line: Line
    sources: tuple[str, ...]
    destination: str
    origin: str = ""
    owner: str = ""
    mode: int | None = None
    documents: tuple[tuple[str, bytes], ...] = ()
    unpack: bool = False
    checksum: str = ""


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
class Arg:
    """ARG NAME[=DEFAULT]…"""

    line: Line
    pairs: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True)
class Cmd:
    """CMD WORD…; `text` is what a shell is to run, if there is one in the image."""

    line: Line
    words: tuple[str, ...]
    text: str = ""


@dataclass(frozen=True)
class Entrypoint:
    """ENTRYPOINT WORD…"""

    line: Line
    words: tuple[str, ...]
    text: str = ""


@dataclass(frozen=True)
class Shell:
    """SHELL ["PROGRAM", "OPTION"]"""

    line: Line
    words: tuple[str, ...]


@dataclass(frozen=True)
class Workdir:
    """WORKDIR PATH"""

    line: Line
    path: str


@dataclass(frozen=True)
class User:
    """USER NAME[:GROUP]"""

    line: Line
    name: str


@dataclass(frozen=True)
class Expose:
    """EXPOSE PORT[/PROTOCOL]…"""

    line: Line
    ports: tuple[str, ...]


@dataclass(frozen=True)
class Volume:
    """VOLUME PATH…"""

    line: Line
    paths: tuple[str, ...]


@dataclass(frozen=True)
class StopSignal:
    """STOPSIGNAL SIGNAL"""

    line: Line
    signal: str


@dataclass(frozen=True)
class Maintainer:
    """MAINTAINER NAME"""

    line: Line
    name: str


@dataclass(frozen=True)
class Run:
    """RUN …, which takes a program that can build containers."""

    line: Line


Instruction = (
    From | Copy | Label | Env | Arg | Cmd | Entrypoint | Shell | Workdir | User | Expose | Volume | StopSignal
    | Maintainer | Run
)  # fmt: skip
