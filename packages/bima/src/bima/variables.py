# SPDX-License-Identifier: Apache-2.0
"""Words with variables in them, and what becomes of them once the variables are known.  Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Variable:
    """`$NAME`, or `${NAME OPERATOR WORD}`; the operator is one of - + ? with or without a colon before it."""

    name: str
    operator: str = ""
    word: Template = ()


# What a word is made of, in order.
Template = tuple[str | Variable, ...]


def expand(template: Template, values: Mapping[str, str]) -> str:
    """The word; a variable that has no value is empty.  Raises ValueError where `?` demands one."""
    return "".join(part if isinstance(part, str) else _value(part, values) for part in template)


def _value(variable: Variable, values: Mapping[str, str]) -> str:
    value = values.get(variable.name)
    # With the colon, an empty value is none.
    given = bool(value) if variable.operator.startswith(":") else value is not None
    match variable.operator.removeprefix(":"):
        case "-":
            return value or "" if given else expand(variable.word, values)
        case "+":
            return expand(variable.word, values) if given else ""
        case "?":
            if not given:
                raise ValueError(
                    f"${variable.name} has no value: {expand(variable.word, values) or 'it must have one'}"
                )
    return value or ""
