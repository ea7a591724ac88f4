# SPDX-License-Identifier: Apache-2.0
"""Record: an immutable value with typed fields that costs nothing to import.

`typing.NamedTuple` and `dataclasses` take longer to import than a whole command
of the runtime takes to run.  Type checkers see a frozen dataclass.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self, dataclass_transform
else:

    def dataclass_transform(**_options):
        return lambda cls: cls


@dataclass_transform(frozen_default=True)
class Record:
    """Fields are the annotations of the subclass, in order; a default is the class attribute."""

    _fields: tuple[str, ...] = ()
    _defaults: dict[str, object] = {}  # noqa: RUF012  replaced by each subclass, never changed

    def __init_subclass__(cls) -> None:
        own = tuple(cls.__dict__.get("__annotations__", ()))  # noqa: RUF063  inspect is slow
        cls._fields = (*cls._fields, *own)
        cls._defaults = {
            **cls._defaults,
            **{name: cls.__dict__[name] for name in own if name in cls.__dict__},
        }

    if not TYPE_CHECKING:

        def __init__(self, *values, **named):
            given = {**self._defaults, **dict(zip(self._fields, values, strict=False)), **named}
            if len(values) > len(self._fields) or given.keys() != set(self._fields):
                odd = sorted(given.keys() ^ set(self._fields))
                raise TypeError(f"{type(self).__name__} does not take or lacks {odd or values}")
            self.__dict__.update((name, given[name]) for name in self._fields)

    def replace(self, **changes: object) -> Self:
        """A copy with some fields changed."""
        return type(self)(**{**self.__dict__, **changes})

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__}.{name} is read-only")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((type(self), *self.__dict__.values()))

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.__dict__.items())
        return f"{type(self).__name__}({fields})"
