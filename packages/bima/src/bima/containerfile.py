# SPDX-License-Identifier: Apache-2.0
"""Containerfile text -> statements.  Pure; errors carry the file, the line and the remedy."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bima import statement, words
from bima.errors import ContainerfileError
from bima.instruction import Document, Line, Statement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bima.variables import Template

_DIRECTIVE = re.compile(r"#\s*([A-Za-z][\w-]*)\s*=\s*(.*?)\s*")
_HEREDOC = re.compile(r"""(?:^|(?<=\s))\d*<<(-?)(["']?)([A-Za-z_]\w*)\2(?=\s|$)""")
_TAKE_HEREDOCS = ("ADD", "COPY", "RUN")


def parse(text: str, file: str = "Containerfile") -> tuple[Statement, ...]:
    """All statements in order; a file without FROM begins with nothing, as FROM scratch does."""
    lines = text.removeprefix("\ufeff").split("\n")
    return tuple(_statements(lines, file, _escape(lines, file)))


def _statements(lines: list[str], file: str, escape: str) -> Iterator[Statement]:
    at = 0
    while at < len(lines):
        line, at = _logical_line(lines, at, file, escape)
        if line.text:
            documents, at = _documents(line, lines, at, escape)
            yield statement.parse(line, escape, documents)


def _escape(lines: list[str], file: str) -> str:
    """The parser directive `# escape=`; the other ones change nothing here."""
    for number, line in enumerate(lines, 1):
        directive = _DIRECTIVE.fullmatch(line.strip())
        if not directive:
            break
        if directive[1].lower() == "escape":
            if directive[2] not in ("\\", "`"):
                raise ContainerfileError(file, number, f"escape={directive[2]}", "use a backslash or `")
            return directive[2]
    return "\\"


def _logical_line(lines: list[str], at: int, file: str, escape: str) -> tuple[Line, int]:
    """Join continued lines; comments and empty lines are dropped, also between continued ones."""
    start, parts = 0, []
    while at < len(lines):
        line, at = lines[at].rstrip(), at + 1
        if not line or line.lstrip().startswith("#"):
            continue
        start = start or at
        continued = line.endswith(escape) and not line.endswith(escape * 2)
        parts.append(line.removesuffix(escape) if continued else line)
        if not continued:
            break
    return Line(file, start, "".join(parts).strip()), at


def _documents(line: Line, lines: list[str], at: int, escape: str) -> tuple[list[Document], int]:
    """The here-documents that the line names, which follow it one after the other."""
    found: list[Document] = []
    word, _, rest = line.text.partition(" ")
    if word.upper() not in _TAKE_HEREDOCS or rest.lstrip().startswith("["):
        return found, at
    for tabs, quote, name in _HEREDOC.findall(rest):
        begin = at
        while at < len(lines) and _line(lines[at], tabs) != name:
            at += 1
        if at == len(lines):
            raise line.error(f"the here-document {name} has no end", f"end it with a line that is {name}")
        text = "".join(f"{_line(each, tabs)}\n" for each in lines[begin:at])
        at += 1
        found.append(Document(name, _template(line, text, "" if quote else escape)))
    return found, at


def _template(line: Line, text: str, escape: str) -> Template:
    """With its name in quotation marks, a document is taken as it is."""
    if not escape or line.text.split(None, 1)[0].upper() == "RUN":
        return (text,)
    try:
        return words.literal(text, escape)
    except ValueError as error:
        raise line.error(str(error)) from error


def _line(text: str, tabs: str) -> str:
    """`<<-` takes the tabs off the beginnings of lines."""
    return text.removesuffix("\r").lstrip("\t") if tabs else text.removesuffix("\r")
