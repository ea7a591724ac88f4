# SPDX-License-Identifier: Apache-2.0
"""An empty qcow2 overlay (version 3): a guest's writes go into it, its backing file stays as it is.

Layout in clusters of 64 KiB: header, refcount table, refcount block, level 1 table.
Reference: docs/interop/qcow2.txt of QEMU.
"""

from __future__ import annotations

from _struct import pack, unpack_from

_CLUSTER_BITS = 16
_CLUSTER = 1 << _CLUSTER_BITS
_SECTOR = 512
_REFCOUNT_ORDER = 4  # 16 bits each
_HEADER_LENGTH = 104
_BACKING_FORMAT_EXTENSION = 0xE2792ACA
_LONGEST_NAME = 1023
_FEATURES_AT = 72
# "Not closed properly" and "corrupt"; the others change what the file means, or name further files.
_HARMLESS_FEATURES = 0b11

# One level 1 entry stands for a table of as many clusters as fit into one cluster, at 8 bytes each.
_PER_ENTRY = _CLUSTER // 8 * _CLUSTER


def render(size_bytes: int, backing_file: str, backing_format: str = "raw") -> bytes:
    """The whole file, for a disk of this size; `backing_file` is the name under which the monitor sees it."""
    size_bytes = _up(size_bytes, _SECTOR) * _SECTOR
    entries = _up(size_bytes, _PER_ENTRY)
    tables = _up(entries * 8, _CLUSTER)
    return b"".join(
        (
            _header(size_bytes, entries, backing_file.encode(), backing_format.encode()),
            _cluster(pack(">Q", 2 * _CLUSTER)),
            _cluster(pack(">H", 1) * (3 + tables)),
            bytes(tables * _CLUSTER),
        )
    )


def is_overlay(head: bytes, backing_file: str, backing_format: str = "raw") -> bool:
    """Whether a file that starts with `head`, 4 KiB of it, is one of ours, however much was written since.

    An image may carry a file of that name: one that makes the monitor open anything else is not ours.
    """
    if len(head) < _HEADER_LENGTH:
        return False
    magic, version, name_at, name_length, cluster_bits, _, encryption = unpack_from(">4sIQIIQI", head)
    (features,) = unpack_from(">Q", head, _FEATURES_AT)
    (header_length,) = unpack_from(">I", head, _HEADER_LENGTH - 4)
    return (
        (magic, version, cluster_bits, encryption) == (b"QFI\xfb", 3, _CLUSTER_BITS, 0)
        and features & ~_HARMLESS_FEATURES == 0
        and head[name_at : name_at + name_length] == backing_file.encode()
        and _backing_format(head, header_length) == backing_format.encode()
    )


def _backing_format(head: bytes, at: int) -> bytes | None:
    """What the extensions, which begin at this offset, say about the backing file."""
    while at + 8 <= len(head):
        kind, length = unpack_from(">II", head, at)
        if kind == _BACKING_FORMAT_EXTENSION:
            return head[at + 8 : at + 8 + length]
        if not kind:
            return None
        at += 8 + _up(length, 8) * 8
    return None


def _header(size_bytes: int, entries: int, backing_file: bytes, backing_format: bytes) -> bytes:
    if not 0 < len(backing_file) <= _LONGEST_NAME:
        raise ValueError(f"the name of a backing file has 1 to {_LONGEST_NAME} bytes: {backing_file!r}")
    padding = bytes(-len(backing_format) % 8)
    extensions = pack(">II", _BACKING_FORMAT_EXTENSION, len(backing_format)) + backing_format + padding
    extensions += pack(">II", 0, 0)
    header = pack(
        ">4sIQIIQIIQQIIQQQQII",
        b"QFI\xfb",
        3,
        _HEADER_LENGTH + len(extensions),
        len(backing_file),
        _CLUSTER_BITS,
        size_bytes,
        0,  # not encrypted
        entries,
        3 * _CLUSTER,  # level 1 table
        _CLUSTER,  # refcount table
        1,  # its length in clusters
        0,  # snapshots
        0,
        0,  # features: incompatible, compatible, self-clearing
        0,
        0,
        _REFCOUNT_ORDER,
        _HEADER_LENGTH,
    )
    return _cluster(header + extensions + backing_file)


def _cluster(content: bytes) -> bytes:
    return content + bytes(_CLUSTER - len(content))


def _up(number: int, unit: int) -> int:
    """How many units it takes."""
    return -(-number // unit)
