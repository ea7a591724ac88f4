# SPDX-License-Identifier: Apache-2.0
"""Files that guests mount as their root: one module with `make` per kind, one line here.

All are made without root and without a daemon, and the same entries give the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bima.tree import Entry

KINDS: Mapping[str, str] = {"initrd": "initrd", "ext4": "ext", "ext2": "ext", "erofs": "erofs"}
COMPRESSIONS = ("none", "gzip", "zstd")


@dataclass(frozen=True)
class Settings:
    """How a file is made: no time in it is later than `epoch`; a size of 0 is as large as needed."""

    kind: str
    epoch: int = 0
    size: int = 0
    compression: str = "none"


def make(entries: Mapping[str, Entry], path: Path, work: Path, settings: Settings) -> None:
    """Write the file; `work` is an empty directory for what is needed on the way."""
    import_module(f"bima.rootfs.{KINDS[settings.kind]}").make(entries, path, work, settings)
