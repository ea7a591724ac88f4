# SPDX-License-Identifier: Apache-2.0
"""A container's root as one file, for guests that read nothing else: an archive, or an image of a disk.

What an overlay shows without having been written to is the image's, so its file is kept for the next
container: its name says what the layers are.
"""

from __future__ import annotations

import posix
from _blake2 import blake2b

from urunc.errors import HostError
from urunc.host import cache, copies, files, overlay, process, storage
from urunc.machine import DISK, EXTRA_DISK
from urunc_common import cpio
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_MIB = 1 << 20
# Room for what the guest writes: the file has holes there.
_SPARE = 256 * _MIB
_OVERLAYS = {overlay.name(disk, "qcow2") for disk in (DISK, EXTRA_DISK)}
_FEATURES = {
    "ext4": (),
    # As the drivers of other systems know it.
    "ext2": ("-O", "none,filetype,sparse_super,large_file", "-I", "128"),
}


class Packed(Record):
    """The file; one that is not `kept` for other containers is to be given to `cache.drop` after use."""

    path: str
    kept: bool


class _Layers(Record):
    """Of an overlay that shows nothing but what is below it: `lower` has none of any other."""

    lower: tuple[str, ...] = ()
    upper: str = ""


def pack(rootfs: str, fmt: str, limit: int) -> Packed:
    """Find the file, or make it; what is kept may have `limit` bytes in all.  Raises HostError."""
    copy = f"{rootfs}/{overlay.name(DISK, 'raw')}"
    if fmt != "cpio" and files.exists(copy):
        return Packed(copy, kept=True)  # packed at an earlier start, and written to
    try:
        layers = _layers(rootfs)
        if layers.lower:
            return Packed(_find(rootfs, fmt, layers, limit), kept=True)
        return Packed(cache.make_private(lambda path: _fill(rootfs, fmt, path)), kept=False)
    except OSError as error:
        raise HostError(f"pack the container's root into {cache.DIRECTORY}", error) from error


def _find(rootfs: str, fmt: str, layers: _Layers, limit: int) -> str:
    name = _name(layers.lower, fmt)
    user = f"{layers.upper}/{overlay.name(DISK, 'qcow2')}" if fmt != "cpio" and layers.upper else ""
    while not (found := cache.use(name, user)):
        if user and files.exists(user):
            # It has only what differs from the file that it was made for, and another one would differ.
            raise HostError(
                "find the packed root that the container's disk is based on",
                OSError(2, f"it is no longer in {cache.DIRECTORY}"),
            )
        cache.make(name, layers.lower, lambda path: _fill(rootfs, fmt, path), limit)
    return found


def _fill(rootfs: str, fmt: str, path: str) -> None:
    if fmt == "cpio":
        files.replace(path, cpio.archive(copies.tree(rootfs)), 0o644)
    else:
        _fill_disk(rootfs, fmt, path)


def _fill_disk(rootfs: str, fmt: str, path: str) -> None:
    size = sum(_sizes(rootfs)) * 5 // 4 + _SPARE
    descriptor = posix.open(path, posix.O_CREAT | posix.O_RDWR | posix.O_CLOEXEC, 0o644)
    posix.ftruncate(descriptor, size)
    posix.close(descriptor)
    options = ("-q", "-F", "-t", fmt, *_FEATURES[fmt], "-E", "lazy_itable_init=1,nodiscard", "-d", rootfs)
    process.run(("mke2fs", *options, path), "/usr/sbin:/sbin:/usr/bin:/bin")


def _sizes(directory: str) -> Iterator[int]:
    for entry in list(posix.scandir(directory)):
        found = entry.stat(follow_symlinks=False)
        yield found.st_blocks * 512 + 4096
        if entry.is_dir(follow_symlinks=False):
            yield from _sizes(entry.path)


def _layers(rootfs: str) -> _Layers:
    mount = storage.mount_of(rootfs)
    if mount is None or mount.fstype != "overlay":
        return _Layers()
    options = dict(option.partition("=")[::2] for option in mount.super_options)
    upper, lower = options.get("upperdir", ""), tuple(options.get("lowerdir", "").split(":"))
    # Relative ones are of a directory that nobody knows any more.
    if not all(layer.startswith("/") for layer in lower):
        return _Layers()
    written = set(posix.listdir(upper)) - _OVERLAYS if upper else ()
    return _Layers() if written else _Layers(lower, upper)


def _name(layers: tuple[str, ...], fmt: str) -> str:
    """Layers never change, but may be made anew."""
    identities = "\n".join(map(cache.identity, layers))
    return f"{blake2b(identities.encode(errors='surrogateescape'), digest_size=16).hexdigest()}.{fmt}"
