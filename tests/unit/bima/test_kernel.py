# SPDX-License-Identifier: Apache-2.0
"""Kernel files."""

from __future__ import annotations

import gzip
import lzma

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bima.errors import KernelError, UsageError
from bima.kernel import find_architecture, require_architecture
from bima.platform import Platform


def elf(machine: int, *, bits: int = 64, big: bool = False) -> bytes:
    order = "big" if big else "little"
    ident = b"\x7fELF" + bytes([bits // 32, 2 if big else 1, 1]) + bytes(9)
    return ident + (2).to_bytes(2, order) + machine.to_bytes(2, order) + bytes(44)


def bzimage(xloadflags: int) -> bytes:
    head = bytearray(0x300)
    head[0x1FE:0x200], head[0x202:0x206] = b"\x55\xaa", b"HdrS"
    head[0x236] = xloadflags
    head[:2] = b"MZ"
    return bytes(head)


def pe(machine: int) -> bytes:
    head = bytearray(0x100)
    head[:2], head[0x3C], head[0x80:0x84] = b"MZ", 0x80, b"PE\0\0"
    head[0x84:0x86] = machine.to_bytes(2, "little")
    return bytes(head)


def linux_image(at: int, magic: bytes) -> bytes:
    head = bytearray(pe(0x8664))
    head[at : at + len(magic)] = magic
    return bytes(head)


@pytest.mark.parametrize(
    ("data", "architecture"),
    [
        (elf(62), "amd64"),
        (elf(3, bits=32), "386"),
        (elf(183), "arm64"),
        (elf(40, bits=32), "arm"),
        (elf(243), "riscv64"),
        (elf(22, big=True), "s390x"),
        (elf(21), "ppc64le"),
        (elf(21, big=True), "ppc64"),
        (bzimage(1), "amd64"),
        (bzimage(0), "386"),
        (linux_image(56, b"ARM\x64"), "arm64"),
        (linux_image(48, b"RISCV"), "riscv64"),
        (linux_image(56, b"RSC\x05"), "riscv64"),
        (pe(0x8664), "amd64"),
        (pe(0xAA64), "arm64"),
        (pe(0x14C), "386"),
        (gzip.compress(linux_image(56, b"ARM\x64")), "arm64"),
        (lzma.compress(elf(62)), "amd64"),
    ],
)
def test_the_architecture_is_found_in_the_file(data: bytes, architecture: str) -> None:
    assert find_architecture(data) == architecture


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"#!/bin/sh", "not known"),
        (elf(8), "ELF file for a machine"),
        (b"\x28\xb5\x2f\xfd" + bytes(60), "compressed with zstd"),
        (b"\x7fELF", "ELF"),
        (b"\x1f\x8b" + bytes(60), "not known"),
    ],
)
def test_an_unknown_kernel_is_refused_with_the_option_that_helps(data: bytes, reason: str) -> None:
    with pytest.raises(KernelError, match=reason) as refused:
        require_architecture(data, "/boot/kernel")
    assert "/boot/kernel" in str(refused.value)
    assert "--platform linux/" in refused.value.hint


@given(st.binary(max_size=700))
def test_no_bytes_confuse_the_reader(data: bytes) -> None:
    for head in (b"", b"\x7fELF", b"MZ", b"\x1f\x8b\x08", b"\xfd7zXZ\0"):
        assert isinstance(find_architecture(head + data), str)


def test_a_platform_is_read_in_every_common_spelling() -> None:
    assert Platform.parse("linux/amd64") == Platform.parse("x86_64") == Platform("amd64")
    assert Platform.parse("linux/arm/v7") == Platform("arm", "v7")
    with pytest.raises(UsageError, match="amd46") as refused:
        Platform.parse("linux/amd46")
    assert "linux/amd64" in refused.value.hint


def test_a_kernel_for_another_platform_is_refused() -> None:
    with pytest.raises(KernelError, match="built for arm64, not for amd64"):
        Platform("amd64").require_kernel("arm64", "/kernel")
    Platform("amd64").require_kernel("386", "/kernel")
