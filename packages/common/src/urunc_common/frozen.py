# SPDX-License-Identifier: Apache-2.0
"""Modules out of one file that `scripts/freeze` has written, since finding each of its own takes time.

A module runs when something of it is first used: of those that a command imports, it needs but some.

The file has a length of four bytes, little-endian, and that many bytes of code in the format of `marshal`:
this module itself, which the launcher runs.  Then, in the same way, an index: {name: (is a package, file,
offset, length)}.  Then the code of the modules.
"""

from __future__ import annotations

import marshal
import posix
import sys
from _frozen_importlib import ModuleSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType
else:
    ModuleType = type(sys)

_LENGTH = 4


class Finder:
    """A finder and a loader, as `sys.meta_path` takes them."""

    def __init__(self, file: int, path: str) -> None:
        """`file` is a descriptor of the one at `path`; it stays open, for the root may become another."""
        self._file, self._folder = file, path.rpartition("/")[0]
        start = _LENGTH + self._length(0)
        end = start + _LENGTH + self._length(start)
        self._index = marshal.loads(posix.pread(file, end - start, start + _LENGTH))
        self._start = end

    def find_spec(
        self, name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        found = self._index.get(name)
        return ModuleSpec(name, self, is_package=found[0]) if found else None  # type: ignore[arg-type]

    def create_module(self, _spec: ModuleSpec) -> None:
        """The usual kind of module."""

    def exec_module(self, module: ModuleType) -> None:
        module.__class__ = Unused

    def run(self, module: ModuleType) -> None:
        """Have a module do what others do when they are imported."""
        _, file, offset, length = self._index[module.__name__]
        module.__file__ = f"{self._folder}/{file}"
        code = marshal.loads(posix.pread(self._file, length, self._start + offset))
        exec(code, module.__dict__)

    def _length(self, offset: int) -> int:
        return int.from_bytes(posix.pread(self._file, _LENGTH, offset), "little")


class Unused(ModuleType):
    """A module that has not run yet."""

    def __getattr__(self, name: str) -> object:
        if name == "__path__":  # only packages have one, and it is looked for in every module
            raise AttributeError(name)
        self.__class__ = ModuleType  # type: ignore[assignment]  # first, for it may import modules that import it
        loader: Finder = self.__dict__["__loader__"]
        loader.run(self)
        return getattr(self, name)
