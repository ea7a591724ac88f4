# SPDX-License-Identifier: Apache-2.0
"""A compact image that can only be read, made by mkfs.erofs out of a directory."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from hashlib import sha256
from typing import TYPE_CHECKING

from bima.errors import RootError
from bima.extract import extract

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bima.rootfs import Settings
    from bima.tree import Entry

_SBIN = ":/usr/sbin:/sbin"


def make(entries: Mapping[str, Entry], path: Path, work: Path, settings: Settings) -> None:
    """Write the image; its files all have the time of the epoch."""
    program = shutil.which("mkfs.erofs", path=os.environ.get("PATH", "") + _SBIN)
    if program is None:
        raise RootError("an erofs image takes mkfs.erofs", hint="install erofs-utils, or make it ext4")
    _require_root(entries)
    directory = work / "root"
    directory.mkdir()
    extract(entries, directory)
    listing = "\n".join(sorted(entries)).encode(errors="surrogateescape")
    name = uuid.UUID(bytes=sha256(listing).digest()[:16])
    owners = [] if os.geteuid() == 0 else ["--all-root"]
    argv = [program, f"-T{settings.epoch}", f"-U{name}", "-x-1", *owners, str(path), str(directory)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RootError(f"mkfs.erofs failed: {(done.stderr or done.stdout).strip().splitlines()[-1:]}")


def _require_root(entries: Mapping[str, Entry]) -> None:
    """Its owners are those of the directory that it is made from."""
    if os.geteuid() != 0:
        for path, entry in entries.items():
            if (entry.uid, entry.gid) != (0, 0):
                raise RootError(
                    f"/{path} belongs to {entry.uid}:{entry.gid}, so it takes root to put it into erofs",
                    hint="make it ext4, or an initrd",
                )
