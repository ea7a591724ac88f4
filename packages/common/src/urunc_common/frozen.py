# SPDX-License-Identifier: Apache-2.0
"""Modules out of one file that `scripts/freeze` has written, since finding each of its own takes time.

The file is a length of four bytes, little-endian; that many bytes of an index in the format of `marshal`,
{name: (is a package, file, offset, length)}; and the code of the modules, in the same format.
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

_LENGTH = 4


class _Frozen:
    """A finder and a loader, as `sys.meta_path` takes them."""

    def __init__(self, path: str) -> None:
        self._folder = path.rpartition("/")[0]
        # It stays open: modules are also loaded when the root is another one.
        self._file = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
        size = int.from_bytes(posix.pread(self._file, _LENGTH, 0), "little")
        self._index = marshal.loads(posix.pread(self._file, size, _LENGTH))
        self._start = _LENGTH + size

    def find_spec(
        self, name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        found = self._index.get(name)
        return ModuleSpec(name, self, is_package=found[0]) if found else None  # type: ignore[arg-type]

    def create_module(self, _spec: ModuleSpec) -> None:
        """The usual kind of module."""

    def exec_module(self, module: ModuleType) -> None:
        _, file, offset, length = self._index[module.__name__]
        module.__file__ = f"{self._folder}/{file}"
        code = marshal.loads(posix.pread(self._file, length, self._start + offset))
        exec(code, module.__dict__)


def use(path: str) -> None:
    """Import what the file has from there, before all else."""
    sys.meta_path.insert(0, _Frozen(path))
