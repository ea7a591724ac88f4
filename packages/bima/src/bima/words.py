# SPDX-License-Identifier: Apache-2.0
"""Splits the arguments of an instruction into words, with docker's quoting rules.  Pure."""

from __future__ import annotations

import json
import re
import shlex
from itertools import groupby
from typing import TYPE_CHECKING, cast

from bima.variables import Template, Variable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_IMPOSSIBLE = re.compile("[\0\ud800-\udfff]")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATOR = re.compile(r":?[-+?]")


def split(text: str, escape: str = "\\") -> list[Template]:
    """Words of COPY, LABEL and ENV; raises ValueError with a sentence."""
    reader, found = _Reader(text.strip(), escape), []
    while not reader.done:
        found.append(reader.word(stop=_is_blank))
        reader.skip_blanks()
    return found


def whole(text: str, escape: str = "\\") -> Template:
    """The text as one word, blanks included."""
    return _Reader(text, escape).word(stop=lambda _character: False)


def literal(text: str, escape: str = "\\") -> Template:
    """Text in which variables mean something, and quotation marks do not: JSON, here-documents."""
    return _Reader(text, escape, quotes=False).word(stop=lambda _character: False)


def command(text: str) -> tuple[str, ...]:
    """Words of CMD and ENTRYPOINT where there is no shell: a JSON array, or text split like a shell does.

    Rumprun takes its whole configuration as one JSON object, so text that begins with a brace stays in one
    piece.
    """
    words = tuple(array(text)) if text.startswith("[") else shell(text)
    require_possible(words)
    return words


def require_possible(words: Iterable[str]) -> None:
    """Raise ValueError for what JSON can spell and neither a kernel nor an encoding takes."""
    if any(map(_IMPOSSIBLE.search, words)):
        raise ValueError("neither a NUL character nor half of a surrogate pair can be in an image")


def shell(text: str) -> tuple[str, ...]:
    """Text split like a shell does, or one JSON object in one piece."""
    if text.startswith("{"):
        return (text,)
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise ValueError("a quotation mark or a final backslash has no counterpart") from error


def array(text: str) -> list[str]:
    """A JSON array of strings."""
    try:
        words = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError("this is not a JSON array of strings") from error
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ValueError("this is not a JSON array of strings")
    return words


def _is_blank(character: str) -> bool:
    return character.isspace()


class _Reader:
    """Walks through the text once; each method reads one kind of thing, and stands behind it afterwards."""

    def __init__(self, text: str, escape: str, *, quotes: bool = True, at: int = 0) -> None:
        self._text, self._escape, self._quotes, self._at = text, escape, quotes, at
        self._parts: list[str | Variable] = []

    @property
    def done(self) -> bool:
        """Whether nothing is left."""
        return self._at >= len(self._text)

    def skip_blanks(self) -> None:
        while not self.done and _is_blank(self._next):
            self._at += 1

    def word(self, stop: Callable[[str], bool]) -> Template:
        """Up to the first character outside quotation marks that `stop` is true for."""
        outer, self._parts = self._parts, []
        while not self.done and not stop(self._next):
            self._piece()
        found, self._parts = _merged(self._parts), outer
        return found

    @property
    def _next(self) -> str:
        return self._text[self._at]

    def _add(self, text: str) -> None:
        if text:
            self._parts.append(text)

    def _take(self, length: int = 1) -> str:
        self._at += length
        return self._text[self._at - length : self._at]

    def _piece(self) -> None:
        """What the character here means, or the quotation that it opens."""
        character = self._next
        if character == "$":
            self._dollar()
        elif character == self._escape and self._at + 1 < len(self._text):
            self._escaped()
        elif self._quotes and character == "'":
            self._single_quoted()
        elif self._quotes and character == '"':
            self._double_quoted()
        elif self._quotes and character == "{" and self._follows_equals():
            self._json_object()
        else:
            self._add(self._take())

    def _escaped(self) -> None:
        """It makes any character an ordinary one; in JSON, a dollar only."""
        following = self._text[self._at + 1]
        if self._quotes or following == "$":
            self._at += 1
        self._add(self._take())

    def _single_quoted(self) -> None:
        end = self._text.find("'", self._at + 1)
        if end < 0:
            raise ValueError("a single quotation mark is never closed")
        self._add(self._text[self._at + 1 : end])
        self._at = end + 1

    def _double_quoted(self) -> None:
        self._at += 1
        while not self.done and self._next != '"':
            if self._next == "$":
                self._dollar()
                continue
            if self._next == self._escape and self._text[self._at + 1 : self._at + 2] in (
                '"', "$", self._escape,
            ):  # fmt: skip
                self._at += 1
            self._add(self._take())
        if self.done:
            raise ValueError("a double quotation mark is never closed")
        self._at += 1

    def _follows_equals(self) -> bool:
        last = self._parts[-1] if self._parts else ""
        return isinstance(last, str) and last.endswith("=")

    def _json_object(self) -> None:
        """A value may be bare JSON, as rumprun's command line is; its quotes and blanks are its own."""
        try:
            _value, end = json.JSONDecoder().raw_decode(self._text, self._at)
        except (ValueError, RecursionError):
            end = self._at + 1
        self._add(self._take(end - self._at))

    def _dollar(self) -> None:
        """A variable, or a dollar that is just that."""
        if self._text.startswith("${", self._at):
            self._at += 2
            self._braced()
        elif name := _NAME.match(self._text, self._at + 1):
            self._at = name.end()
            self._parts.append(Variable(name[0]))
        else:
            self._add(self._take())

    def _braced(self) -> None:
        """`${NAME}` or `${NAME:-WORD}`, behind its opening brace."""
        begin = self._at
        if not (name := _NAME.match(self._text, self._at)):
            raise ValueError("${ begins a variable, and no name follows")
        self._at = name.end()
        operator = _OPERATOR.match(self._text, self._at)
        word: Template = ()
        if operator:
            self._at = operator.end()
            word = self.word(stop=lambda character: character == "}")
        if self.done:
            raise ValueError(f"${{{self._text[begin:]} is never closed")
        if self._take() != "}":
            raise ValueError(f"${{{name[0]}… has an operator that is not known; use one of :- - :+ + :? ?")
        self._parts.append(Variable(name[0], operator[0] if operator else "", word))


def _merged(parts: list[str | Variable]) -> Template:
    """Neighbouring pieces of text become one."""
    found: list[str | Variable] = []
    for is_text, group in groupby(parts, key=lambda part: isinstance(part, str)):
        pieces = list(group)
        found += ["".join(cast("list[str]", pieces))] if is_text else pieces
    return tuple(found)
