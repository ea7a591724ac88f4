# SPDX-License-Identifier: Apache-2.0
"""Splits the arguments of an instruction into words, with docker's quoting rules.  Pure."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_IMPOSSIBLE = re.compile("[\0\ud800-\udfff]")
_VARIABLE = re.compile(r"\$(?:\{|[A-Za-z_])")


def split(text: str, escape: str = "\\") -> list[str]:
    """Words of COPY, LABEL and ENV; raises ValueError with a sentence."""
    found, rest = [], text.strip()
    while rest:
        word, rest = _next(rest, escape)
        found.append(word)
        rest = rest.lstrip()
    return found


def command(text: str) -> tuple[str, ...]:
    """Words of CMD and ENTRYPOINT: a JSON array, or text split like a shell does.

    There is no shell in a unikernel that could run the text.  Rumprun takes its whole configuration as
    one JSON object, so text that begins with a brace stays in one piece.
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


def unquote(text: str, escape: str = "\\") -> str:
    """The text as one word, blanks included."""
    return _next(text, escape, blanks=True)[0]


def _next(text: str, escape: str, *, blanks: bool = False) -> tuple[str, str]:
    """The first word without its quotes, and what follows it."""
    word, at = "", 0
    while at < len(text) and (blanks or not text[at].isspace()):
        piece, at = _piece(text, at, escape, after=word)
        word += piece
    return word, text[at:]


def _piece(text: str, at: int, escape: str, *, after: str) -> tuple[str, int]:
    """What the character at this place, or the quotation it opens, means; and where it ends."""
    character = text[at]
    if character == "'":
        end = _closing(text, at)
        return text[at + 1 : end], end + 1
    if character == '"':
        return _double_quoted(text, at + 1, escape)
    if character == "{" and after.endswith("="):
        return _json_object(text, at)
    if character == escape and at + 1 < len(text):
        return text[at + 1], at + 2
    _refuse_variable(text, at)
    return character, at + 1


def _double_quoted(text: str, at: int, escape: str) -> tuple[str, int]:
    word = ""
    while at < len(text) and text[at] != '"':
        if text[at] == escape and text[at + 1 : at + 2] in ('"', "$", escape):
            at += 1
        else:
            _refuse_variable(text, at)
        word += text[at]
        at += 1
    if at == len(text):
        raise ValueError("a double quotation mark is never closed")
    return word, at + 1


def _closing(text: str, at: int) -> int:
    end = text.find("'", at + 1)
    if end < 0:
        raise ValueError("a single quotation mark is never closed")
    return end


def _json_object(text: str, at: int) -> tuple[str, int]:
    """A value may be bare JSON, as rumprun's command line is; its quotes and blanks are its own."""
    try:
        _value, end = json.JSONDecoder().raw_decode(text, at)
    except (ValueError, RecursionError):
        return text[at], at + 1
    return text[at:end], end


def _refuse_variable(text: str, at: int) -> None:
    if _VARIABLE.match(text, at):
        raise ValueError("variables are not served yet: write the value itself, or put it in single quotes")
