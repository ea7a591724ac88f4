# SPDX-License-Identifier: Apache-2.0
"""JSON text to values and back, by the C half of `json` alone: importing `json` costs more than using it.

The scanner is private to CPython; where it is missing or different, `json` itself takes over.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is no value of JSON")


class _Context:
    """What the scanner asks about how to build values."""

    strict = True
    object_hook = object_pairs_hook = array_hook = None
    parse_constant = _refuse
    parse_float = float
    parse_int = int
    memo: dict[str, str] = {}  # noqa: RUF012  the scanner empties it after each use


def _load() -> tuple[Callable[[str], object], Callable[[str], str]]:
    try:
        from _json import encode_basestring_ascii, make_scanner

        scan = make_scanner(_Context)  # type: ignore[arg-type]  # any object with these attributes will do
    except (ImportError, AttributeError, TypeError):
        import json

        return json.loads, json.dumps

    def parse_all(text: str) -> object:
        value, end = scan(text, 0)
        if end != len(text):
            raise StopIteration(end)
        return value

    return parse_all, encode_basestring_ascii


_parse, _quote = _load()


def parse(text: str) -> object:
    """The value of a JSON text; ValueError says where it is wrong."""
    try:
        return _parse(text.strip(" \t\r\n"))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except (StopIteration, SystemError, ValueError):
        # Without `json` the scanner cannot say what is wrong, or says it by a SystemError; nobody waits now.
        import json

        return json.loads(text, parse_constant=_refuse)


def render(value: object) -> str:
    """Compact JSON of dicts, lists, tuples, strings, integers, booleans and None."""
    if isinstance(value, str):
        return _quote(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{_quote(key)}:{render(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(render, value)) + "]"
    if value is None:
        return "null"
    return repr(value).lower() if isinstance(value, bool) else repr(value)
