# SPDX-License-Identifier: Apache-2.0
"""Ignore files: which paths of a build directory are not there for COPY.  Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from posixpath import normpath


@dataclass(frozen=True)
class Pattern:
    """One line; a negative one takes back what those before it ignore."""

    matches: re.Pattern[str]
    negative: bool = False


@dataclass(frozen=True)
class Ignore:
    """All lines of an ignore file."""

    patterns: tuple[Pattern, ...] = ()

    def excludes(self, path: str) -> bool:
        """Whether the path is ignored; the last pattern for it, or for a directory above it, decides."""
        decided = [each for each in self.patterns if each.matches.fullmatch(path)]
        return bool(decided) and not decided[-1].negative


def parse(text: str) -> Ignore:
    """The lines of `.dockerignore` and its kin; raises ValueError for what is no pattern."""
    lines = (line.strip() for line in text.removeprefix("\ufeff").splitlines() if not line.startswith("#"))
    return Ignore(tuple(_pattern(line) for line in lines if line.removeprefix("!").strip("/. ")))


def _pattern(line: str) -> Pattern:
    negative = line.startswith("!")
    path = normpath(line.removeprefix("!").strip()).strip("/")
    try:
        return Pattern(re.compile(rf"{translate(path)}(?:/.*)?", re.DOTALL), negative)
    except re.error as error:
        raise ValueError(f"{line!r} is no pattern: {error}") from error


def translate(pattern: str) -> str:
    """A pattern as a regular expression: `*` and `?` stay inside a name, `**` does not."""
    found, at = "", 0
    while at < len(pattern):
        piece, length = _piece(pattern, at)
        found, at = found + piece, at + length
    return found


def _piece(pattern: str, at: int) -> tuple[str, int]:
    character = pattern[at]
    if pattern.startswith("**/", at):
        return "(?:.*/)?", 3
    if pattern.startswith("**", at):
        return ".*", 2
    if character == "*":
        return "[^/]*", 1
    if character == "?":
        return "[^/]", 1
    if character == "\\" and at + 1 < len(pattern):
        return re.escape(pattern[at + 1]), 2
    if character == "[" and (end := pattern.find("]", at + 2)) > 0:
        return _choice(pattern[at + 1 : end]), end + 1 - at
    return re.escape(character), 1


def _choice(inside: str) -> str:
    """`[a-z]` and `[^a-z]`; what is special in a regular expression is not so here."""
    negative = inside[0] in "^!"
    ranges = re.sub(r"([\[\]\\&~|^])", r"\\\1", inside[negative:])
    return f"[{'^/' if negative else ''}{ranges}]"
