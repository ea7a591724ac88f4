# SPDX-License-Identifier: Apache-2.0
"""A JSON object whose fields are taken by type, with errors that name the whole key.  Pure."""

from __future__ import annotations

from urunc.errors import BundleError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from typing import Any

MOST_IDENTITIES = (1 << 32) - 1


class Table:
    """A JSON object whose fields are taken by type; errors name the whole key.

    It remembers what was taken, so that `unread` can name the rest.
    """

    def __init__(self, values: dict[str, Any], key: str, file: str, read: set[str] | None = None) -> None:
        self._values, self._key, self._file = values, key, file
        self._read: set[str] = set() if read is None else read
        self._read.add(key)

    def unread(self) -> Iterator[str]:
        """The whole keys of what is there, and nobody has taken."""
        for name, value in self._values.items():
            key = f"{self._key}{name}"
            if key not in self._read:
                yield key
            elif isinstance(value, dict) and f"{key}." in self._read:
                yield from self._of(value, f"{key}.").unread()
            elif isinstance(value, list) and f"{key}[0]." in self._read:
                for index, item in enumerate(value):
                    yield from self._of(item, f"{key}[{index}].").unread()

    def _of(self, values: dict[str, Any], key: str) -> Table:
        return Table(values, key, self._file, self._read)

    def take(self, name: str, kind: type, default: Any) -> Any:
        """A field of this type, or the default.  Raises BundleError."""
        self._read.add(self._key + name)
        value = self._values.get(name)
        if value is None:
            return default
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.error(name, f"must be of type {kind.__name__}, not {type(value).__name__}")
        return value

    def error(self, name: str, problem: str) -> BundleError:
        """What is wrong with a field."""
        return BundleError(f"{self._file}: {self._key}{name} {problem}")

    def text(self, name: str, default: str = "") -> str:
        """Text that the kernel can be given."""
        value: str = self.take(name, str, default)
        if not _is_text(value):
            raise self.error(name, "contains a NUL character or half of a surrogate pair")
        return value

    def number(self, name: str) -> int | None:
        """A whole number; None if it is not there."""
        value: int | None = self.take(name, int, None)
        return value

    def between(self, name: str, least: int, most: int) -> int | None:
        """A whole number of this range; None if it is not there."""
        value = self.number(name)
        if value is not None and not least <= value <= most:
            raise self.error(name, f"is {value}, which is not between {least} and {most}")
        return value

    def one_of(self, name: str, known: Collection[str]) -> str:
        """One of these words, which must be there."""
        value = self.text(name)
        if value not in known:
            said = f"is {value!r}" if self.has(name) else "is missing"
            raise self.error(name, f"{said}; known are {', '.join(known)}")
        return value

    def identity(self, name: str) -> int:
        """The number of a user or group, 0 if it is not there."""
        value = self.number(name) or 0
        if not is_identity(value):
            raise self.error(name, f"is {value}, which is no user or group id")
        return value

    def size(self, name: str) -> int:
        """A number of rows or columns, 0 if it is not there."""
        value = self.number(name) or 0
        if not 0 <= value < 1 << 16:
            raise self.error(name, f"is {value}, which is no number of rows or columns")
        return value

    def flag(self, name: str) -> bool:
        """A boolean, false if it is not there."""
        return bool(self.take(name, bool, default=False))

    def has(self, name: str) -> bool:
        """Whether the field is there, and not null."""
        return self._values.get(name) is not None

    def table(self, name: str) -> Table:
        """An object, empty if it is not there."""
        return self._of(self.take(name, dict, {}), f"{self._key}{name}.")

    def tables(self, name: str) -> list[Table]:
        """A list of objects."""
        items: list[Any] = self.take(name, list, [])
        for index, item in enumerate(items):
            if not isinstance(item, dict):
                raise self.error(f"{name}[{index}]", "is not an object")
        return [self._of(item, f"{self._key}{name}[{index}].") for index, item in enumerate(items)]

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts."""
        items: list[Any] = self.take(name, list, [])
        if not all(isinstance(item, str) and _is_text(item) for item in items):
            raise self.error(name, "must be a list of strings without NUL characters or half surrogate pairs")
        return tuple(items)

    def mapping(self, name: str) -> dict[str, str]:
        """An object with texts as values."""
        found: dict[str, Any] = self.take(name, dict, {})
        if not all(isinstance(value, str) for value in found.values()):
            raise self.error(name, "must have strings as values")
        if not all(map(_is_text, (*found, *found.values()))):
            raise self.error(name, "contains a NUL character or half of a surrogate pair")
        return found


def is_identity(value: object) -> bool:
    """Whether it can be the number of a user or group."""
    # The kernel takes the largest number for "as before", which is root.
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MOST_IDENTITIES


def _is_text(value: str) -> bool:
    """Whether the kernel can be given it; JSON can spell half of a surrogate pair, which no encoding has."""
    try:
        return b"\0" not in value.encode()
    except UnicodeEncodeError:
        return False
