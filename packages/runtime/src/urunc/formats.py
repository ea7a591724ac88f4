# SPDX-License-Identifier: Apache-2.0
"""What the files of an image are, by their first bytes.  Pure."""

from __future__ import annotations

from urunc.machine import COMPRESSED, EXT, NEWC

# As much of a file as is looked at.
HEAD = 2048
_NEWC = (b"070701", b"070702")
# What Linux unpacks: gzip, bzip2, xz, zstd, lz4, lzo, lzma.
_COMPRESSED = (
    b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"\x02\x21\x4c\x18", b"\x89LZO", b"\x5d\0\0",
)  # fmt: skip
# Of the superblock of ext2, ext3 and ext4.
_EXT_AT, _EXT = 1080, b"\x53\xef"


def of_archive(head: bytes) -> str:
    """NEWC, COMPRESSED, or nothing for what is no archive."""
    if head.startswith(_NEWC):
        return NEWC
    return COMPRESSED if head.startswith(_COMPRESSED) else ""


def of_disk(head: bytes) -> str:
    """EXT, or nothing for what holds another file system or none."""
    return EXT if head[_EXT_AT : _EXT_AT + 2] == _EXT else ""
