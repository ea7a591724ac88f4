# SPDX-License-Identifier: Apache-2.0
"""What a kernel file is built for, from its first bytes.  Pure: bytes in, an architecture out."""

from __future__ import annotations

import lzma
import zlib
from contextlib import suppress

from bima.errors import KernelError
from urunc_common import kernel

HEAD = 64 << 10
_HINT = "name it with --platform linux/ARCH, for example --platform linux/amd64"
# What we cannot look into: the magic number and its name.
_OPAQUE = {b"\x28\xb5\x2f\xfd": "zstd", b"\x04\x22\x4d\x18": "lz4", b"\x02\x21\x4c\x18": "lz4"}


def find_architecture(data: bytes) -> str:
    """OCI's word for the architecture, or nothing; `data` are the first bytes of the file, up to `HEAD`."""
    return kernel.find_architecture(_unpacked(data[:HEAD]))


def require_architecture(data: bytes, name: str) -> str:
    """As `find_architecture`, but raises KernelError."""
    found = find_architecture(data)
    if not found:
        raise KernelError(f"the kernel {name} {_reason(data)}", hint=_HINT)
    return found


def _reason(head: bytes) -> str:
    if not head:
        return "is empty"
    packed = [name for magic, name in _OPAQUE.items() if head.startswith(magic)]
    if packed:
        return f"is compressed with {packed[0]}, so its architecture is unknown"
    if head.startswith(b"\x7fELF"):
        return "is an ELF file for a machine that is not known here"
    return "has a format that is not known here"


def _unpacked(head: bytes) -> bytes:
    """Look through one compression, as `Image.gz` has it."""
    with suppress(zlib.error, lzma.LZMAError):
        if head.startswith(b"\x1f\x8b"):
            return zlib.decompressobj(31).decompress(head, HEAD)
        if head.startswith(b"\xfd7zXZ\0"):
            return lzma.LZMADecompressor().decompress(head, HEAD)
    return head
