# SPDX-License-Identifier: Apache-2.0
"""What a kernel file is built for, from its first bytes.  Pure: bytes in, an architecture out."""

from __future__ import annotations

# As much of a file as has all that is looked at.
HEAD = 4096
# The machine and class of an ELF file.
_ELF = {
    (3, 1): "386",
    (62, 2): "amd64",
    (183, 2): "arm64",
    (40, 1): "arm",
    (243, 2): "riscv64",
    (22, 2): "s390x",
    (21, 2): "ppc64le",
    (258, 2): "loong64",
}
_PE = {0x14C: "386", 0x8664: "amd64", 0xAA64: "arm64", 0x1C4: "arm", 0x5064: "riscv64", 0x6264: "loong64"}
# What uname calls the machines that boot them; one of 64 bits starts as its forebear.
_MACHINES = {"amd64": "x86_64", "386": "x86_64", "arm64": "aarch64"}


def find_architecture(head: bytes) -> str:
    """OCI's word for it; nothing for a file that is compressed or of another kind."""
    found = (read(head) for read in (_elf, _bzimage, _image, _pe))
    return next(filter(None, found), "")


def find_machine(head: bytes) -> str:
    """As uname has it: x86_64 or aarch64, else OCI's word; nothing where it is unknown."""
    found = find_architecture(head)
    return _MACHINES.get(found, found)


def _elf(head: bytes) -> str:
    if head[:4] != b"\x7fELF" or len(head) < 20:
        return ""
    big = head[5] == 2
    machine = int.from_bytes(head[18:20], "big" if big else "little")
    found = _ELF.get((machine, head[4]), "")
    return "ppc64" if found == "ppc64le" and big else found


def _bzimage(head: bytes) -> str:
    """Linux for x86: a boot sector with a header; xloadflags says whether it has a 64-bit entry."""
    if head[0x1FE:0x200] != b"\x55\xaa" or head[0x202:0x206] != b"HdrS" or len(head) < 0x238:
        return ""
    return "amd64" if head[0x236] & 1 else "386"


def _image(head: bytes) -> str:
    """Linux for arm64 and riscv64: a header of 64 bytes, often with a PE header's first bytes."""
    if head[56:60] == b"ARM\x64":
        return "arm64"
    if head[48:53] == b"RISCV" or head[56:60] == b"RSC\x05":
        return "riscv64"
    return ""


def _pe(head: bytes) -> str:
    if head[:2] != b"MZ":
        return ""
    at = int.from_bytes(head[0x3C:0x40], "little")
    if head[at : at + 4] != b"PE\0\0":
        return ""
    return _PE.get(int.from_bytes(head[at + 4 : at + 6], "little"), "")
