# SPDX-License-Identifier: Apache-2.0
"""A container's root as one file, for guests that read nothing else: an archive, or an image of a disk.

What an overlay shows without having been written to is the image's, so its file is kept for the next
container: its name says what the layers are.
"""

from __future__ import annotations

import posix
from _blake2 import blake2b

from urunc.errors import HostError
from urunc.host import copies, files, overlay, process, storage
from urunc.machine import DISK, EXTRA_DISK
from urunc_common import cpio
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

CACHE = "/var/cache/urunc"
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
    """The file; one that is not `kept` for other containers has to be removed after use."""

    path: str
    kept: bool


def pack(rootfs: str, fmt: str) -> Packed:
    """Find the file, or make it.  Raises HostError."""
    copy = f"{rootfs}/{overlay.name(DISK, 'raw')}"
    if fmt != "cpio" and files.exists(copy):
        return Packed(copy, kept=True)  # packed at an earlier start, and written to
    layers = _layers(rootfs)
    name = _name(layers, fmt) if layers else posix.urandom(16).hex()
    path = f"{CACHE}/{name}.{fmt}"
    try:
        files.make_directories(CACHE, 0o700)
        if not files.exists(path):
            _make(rootfs, fmt, path)
    except OSError as error:
        raise HostError(f"pack the container's root into {path}", error) from error
    return Packed(path, kept=bool(layers))


def _make(rootfs: str, fmt: str, path: str) -> None:
    temporary = f"{path}.{posix.getpid()}"
    try:
        if fmt == "cpio":
            files.replace(temporary, cpio.archive(copies.tree(rootfs)), 0o644)
        else:
            _make_disk(rootfs, fmt, temporary)
        posix.rename(temporary, path)
    except BaseException:
        files.unlink(temporary)
        raise


def _make_disk(rootfs: str, fmt: str, path: str) -> None:
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


def _layers(rootfs: str) -> tuple[str, ...]:
    """The layers of an overlay whose own layer is still empty; none otherwise."""
    mount = storage.mount_of(rootfs)
    if mount is None or mount.fstype != "overlay":
        return ()
    options = dict(option.partition("=")[::2] for option in mount.super_options)
    upper = options.get("upperdir", "")
    if upper and set(posix.listdir(upper)) - _OVERLAYS:
        return ()
    return tuple(options.get("lowerdir", "").split(":"))


def _name(layers: tuple[str, ...], fmt: str) -> str:
    """A directory is the same as long as these numbers are; layers never change, but may be made anew."""
    identities = [fmt]
    for layer in layers:
        found = posix.stat(layer)
        identities.append(f"{found.st_dev}.{found.st_ino}.{found.st_ctime_ns}")
    return blake2b(" ".join(identities).encode(), digest_size=16).hexdigest()
