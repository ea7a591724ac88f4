# SPDX-License-Identifier: Apache-2.0
"""An image of a disk with ext2 or ext4, made by mke2fs and filled by debugfs.

mke2fs itself can copy a directory, in whatever order the host has it, with the times and owners of the host's
files.  debugfs does what it is told, in the order it is told.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import uuid
from hashlib import sha256
from posixpath import split
from typing import TYPE_CHECKING

from bima import contents
from bima.errors import RootError
from bima.tree import Data, Directory, File, Link, Node, Packed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from bima.rootfs import Settings
    from bima.tree import Entry

_SBIN = ":/usr/sbin:/sbin"
_BLOCK = 4096
_MIB = 1 << 20
_FEATURES = {
    "ext4": ("none,extents,filetype,sparse_super,large_file,huge_file,flex_bg,dir_nlink,extra_isize", 256),
    # As the drivers of other systems know it.
    "ext2": ("none,filetype,sparse_super,large_file", 128),
}
_KINDS = {"c": stat.S_IFCHR, "b": stat.S_IFBLK, "p": stat.S_IFIFO}
# What a block of pointers, or of extents, makes reachable; and what is left for the guest to write.
_SPARE, _SPARE_SHARE = 8 * _MIB, 10


def make(entries: Mapping[str, Entry], path: Path, work: Path, settings: Settings) -> None:
    """Write the image."""
    _require_names(entries)
    size = settings.size or _size(entries, settings.kind)
    _run(_mke2fs(entries, path, size, settings), settings.epoch)
    commands = work / "commands"
    with commands.open("w", errors="surrogateescape") as file:
        for each in sorted(entries):
            file.writelines(f"{line}\n" for line in _commands(each, entries[each], work, settings.epoch))
    said = _run(["debugfs", "-w", "-f", str(commands), str(path)], settings.epoch)
    if said:
        hint = "allow more with --rootfs-size" if "allocate" in said[0] or "space" in said[0] else ""
        raise RootError(f"debugfs cannot fill {path.name}: {said[0]}", hint=hint)


def _mke2fs(entries: Mapping[str, Entry], path: Path, size: int, settings: Settings) -> list[str]:
    features, inode = _FEATURES[settings.kind]
    name = uuid.UUID(bytes=sha256("\n".join(sorted(entries)).encode(errors="surrogateescape")).digest()[:16])
    extended = f"hash_seed={name},root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0,nodiscard"
    return [
        "mke2fs", "-q", "-F", "-t", settings.kind, "-O", features, "-I", str(inode), "-b", str(_BLOCK),
        "-m", "0", "-N", str(len(entries) + 64), "-U", str(name), "-E", extended,
        str(path), f"{(size + 1023) // 1024}k",
    ]  # fmt: skip


def _size(entries: Mapping[str, Entry], kind: str) -> int:
    """Enough for all contents, what the file system itself needs, and a little more."""
    contents_size = sum(_blocks(entry) * _BLOCK for entry in entries.values())
    inodes = len(entries) * _FEATURES[kind][1]
    return contents_size + contents_size // _SPARE_SHARE + inodes + _SPARE


def _blocks(entry: Entry) -> int:
    if isinstance(entry, File | Data | Packed):
        with contents.opened(entry) as file:
            return -(-file.size // _BLOCK) + 1
    return 1


def _commands(path: str, entry: Entry, work: Path, epoch: int) -> Iterator[str]:
    """One entry, in the words of debugfs, which looks for a new name in its own directory only."""
    parent, name = split(path)
    place = _quoted(f"/{path}")
    mode, mtime = 0, 0
    if path:
        yield f"cd {_quoted(f'/{parent}')}"
    match entry:
        case Directory():
            mode, mtime = stat.S_IFDIR | entry.mode, entry.mtime
            if path not in ("", "lost+found"):
                yield f"mkdir {_quoted(name)}"
        case Link(target):
            mode = stat.S_IFLNK | 0o777
            yield f"symlink {_quoted(name)} {_quoted(target)}"
        case Node():
            mode, mtime = _KINDS[entry.kind] | entry.mode, entry.mtime
            numbers = "" if entry.kind == "p" else f" {entry.major} {entry.minor}"
            yield f"mknod {_quoted(name)} {entry.kind}{numbers}"
        case _:
            source = work / f"content-{len(os.listdir(work))}"
            with contents.opened(entry) as opened, source.open("xb") as file:
                for piece in opened.pieces():
                    file.write(piece)
            mode, mtime = stat.S_IFREG | opened.mode, max(0, opened.mtime)
            yield f"write {_quoted(str(source))} {_quoted(name)}"
    yield f"sif {place} mode 0{mode:o}"
    yield f"sif {place} uid {entry.uid}"
    yield f"sif {place} gid {entry.gid}"
    yield f"sif {place} mtime @{min(epoch, mtime)}"


def _quoted(text: str) -> str:
    return '"{}"'.format(text.replace('"', '""'))


def _require_names(entries: Mapping[str, Entry]) -> None:
    for path, entry in entries.items():
        text = f"{path}{entry.target}" if isinstance(entry, Link) else path
        if "\n" in text:
            raise RootError(f"/{path!r} cannot be put into a disk image: there is a line break in it")


def _run(argv: list[str], epoch: int) -> list[str]:
    """Run a tool; what it complains about, but for its own name."""
    search = os.environ.get("PATH", "") + _SBIN
    if shutil.which(argv[0], path=search) is None:
        raise RootError(f"a disk image takes {argv[0]}", hint="install e2fsprogs, or make the root an initrd")
    # 0 would be no time at all.
    environment = {**os.environ, "PATH": search, "E2FSPROGS_FAKE_TIME": str(max(1, epoch)), "TZ": "UTC"}
    done = subprocess.run(argv, env=environment, capture_output=True, check=False)
    said = [line for line in done.stderr.decode(errors="replace").splitlines() if line.strip()]
    said = [
        line for line in said if not line.startswith(("debugfs 1.", "mke2fs 1.", "Creating regular file"))
    ]
    if done.returncode != 0:
        raise RootError(f"{argv[0]} failed: {said[0] if said else done.returncode}")
    return said
