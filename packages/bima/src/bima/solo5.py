# SPDX-License-Identifier: Apache-2.0
"""The notes that Solo5 puts into a kernel: for which tender it is, and which devices it wants.  Pure."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_OWNER = b"Solo5\0"
_ABI, _MANIFEST = int.from_bytes(b"ABI1", "little"), int.from_bytes(b"MFT1", "little")
_TARGETS = {1: "hvt", 2: "spt", 3: "virtio", 4: "muen", 5: "genode", 6: "xen"}
_PT_NOTE = 4
_KINDS = {1: "block", 2: "net"}
# A manifest is aligned to eight bytes behind a header of twenty; an entry begins with its name.
_PADDING, _ENTRY, _NAME = 4, 104, 68
_MOST_ENTRIES = 64


def find_target(data: bytes) -> str:
    """The tender, by its name; nothing for other files."""
    for kind, content in _notes(data):
        if kind == _ABI and len(content) >= 4:
            return _TARGETS.get(int.from_bytes(content[:4], "little"), "")
    return ""


def find_devices(data: bytes) -> list[tuple[str, str]]:
    """The devices of the manifest: name and kind, which is net or block."""
    for kind, content in _notes(data):
        if kind == _MANIFEST:
            return list(_entries(content[_PADDING:]))
    return []


def _entries(manifest: bytes) -> Iterator[tuple[str, str]]:
    count = int.from_bytes(manifest[4:8], "little")
    for number in range(min(count, _MOST_ENTRIES)):
        entry = manifest[8 + number * _ENTRY :][:_ENTRY]
        kind = _KINDS.get(int.from_bytes(entry[_NAME : _NAME + 4], "little"))
        if kind:
            yield entry[:_NAME].partition(b"\0")[0].decode(errors="replace"), kind


def _notes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The notes that Solo5 owns: type and content."""
    for at, size in _segments(data):
        end = min(at + size, len(data))
        while at + 12 <= end:
            name_size, size, kind = struct.unpack_from("<3I", data, at)
            begin = at + 12 + _aligned(name_size)
            if data[at + 12 : at + 12 + name_size] == _OWNER:
                yield kind, data[begin : begin + size]
            at = begin + _aligned(size)


def _segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Where notes are, in a 64-bit, little-endian ELF file."""
    if data[:6] != b"\x7fELF\x02\x01" or len(data) < 64:
        return
    table, entry_size, count = (*struct.unpack_from("<Q", data, 32), *struct.unpack_from("<2H", data, 54))
    for number in range(count):
        at = table + number * entry_size
        if (
            entry_size >= 56
            and at + 56 <= len(data)
            and int.from_bytes(data[at : at + 4], "little") == _PT_NOTE
        ):
            offset, _, _, size = struct.unpack_from("<4Q", data, at + 8)
            yield offset, size


def _aligned(size: int) -> int:
    return size + -size % 4
