# SPDX-License-Identifier: Apache-2.0
"""YAML text -> values that know their lines; only what such files need, and nothing that grows.  Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from bima.errors import ContainerfileError
from bima.instruction import Line
from urunc_common.rules import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_TAGS = ("str", "int", "float", "bool", "null", "timestamp", "seq", "map")
_NULL = ("", "~", "null", "Null", "NULL")


@dataclass(frozen=True)
class Value:
    """A text, a list or a section; None if nothing is said."""

    line: Line
    content: str | tuple[Value, ...] | Mapping[str, Value] | None

    def error(self, message: str, hint: str = "") -> ContainerfileError:
        """Something is wrong with this value."""
        return self.line.error(message, hint)

    @property
    def text(self) -> str:
        """One word or sentence."""
        if not isinstance(self.content, str):
            raise self.error("this must be text", "write it in quotation marks")
        return self.content

    @property
    def values(self) -> tuple[Value, ...]:
        """A list."""
        if not isinstance(self.content, tuple):
            raise self.error("this must be a list", 'write it like ["one", "two"]')
        return self.content

    @property
    def words(self) -> tuple[str, ...]:
        """A list of texts."""
        return tuple(each.text for each in self.values)

    @property
    def section(self) -> Mapping[str, Value]:
        """Names with values."""
        if not isinstance(self.content, dict):
            raise self.error("this must be a section", "write it like name: value")
        return self.content

    def require_keys(self, known: Iterable[str]) -> None:
        """Raise for the first key that is not known here."""
        names = tuple(known)
        for key, value in self.section.items():
            if key not in names:
                raise value.error(f"unknown key {key!r}", f"did you mean {nearest(key, names)}?")

    def find(self, key: str) -> Value | None:
        """What is said under a key, if anything is."""
        found = self.section.get(key)
        return None if found is None or found.content is None else found

    def find_text(self, key: str) -> str:
        """A text, empty if nothing is said."""
        found = self.find(key)
        return found.text if found else ""

    def require(self, key: str) -> Value:
        """What must be said."""
        found = self.find(key)
        if found is None:
            raise self.error(f"{key} is missing", f"add {key}: …")
        return found


def load(text: str, file: str) -> Value:
    """The one document of a file."""
    try:
        _refuse_aliases(text, file)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = mark.line + 1 if mark else 1
        raise ContainerfileError(file, line, f"this is no YAML: {error.problem}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ContainerfileError(
            file, 1, f"this is no YAML that can be read: {type(error).__name__}"
        ) from error
    if not isinstance(node, yaml.MappingNode):
        raise ContainerfileError(file, 1, "this is no section of keys and values")
    return _value(node, file, text.split("\n"))


def _refuse_aliases(text: str, file: str) -> None:
    """A few lines of them can stand for more than any memory holds."""
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise ContainerfileError(file, line, f"the alias *{event.anchor} is not served", "write it out")


def _value(node: yaml.Node, file: str, lines: list[str]) -> Value:
    number = node.start_mark.line + 1
    line = Line(file, number, lines[number - 1].strip() if number <= len(lines) else "")
    if node.tag.removeprefix("tag:yaml.org,2002:") not in _TAGS:
        raise line.error(f"the tag {node.tag} is not known", "leave it out")
    match node:
        case yaml.ScalarNode():
            nothing = node.style is None and node.value in _NULL
            return Value(line, None if nothing else str(node.value))
        case yaml.SequenceNode():
            return Value(line, tuple(_value(each, file, lines) for each in node.value))
        case yaml.MappingNode():
            return Value(line, _section(node, file, lines, line))
    raise AssertionError(node)


def _section(node: yaml.MappingNode, file: str, lines: list[str], line: Line) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise line.error("a key is not a word")
        if key.value in found:
            raise Line(file, key.start_mark.line + 1, "").error(
                f"{key.value} is said twice", "keep one of them"
            )
        found[key.value] = _value(value, file, lines)
    return found
