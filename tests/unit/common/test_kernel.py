# SPDX-License-Identifier: Apache-2.0
"""Kernel files and the machines that boot them, as uname names those."""

from __future__ import annotations

import pytest

from urunc_common.kernel import find_architecture, find_machine


def elf(machine, bits):
    return b"\x7fELF" + bytes([bits, 1, 1]) + bytes(11) + machine.to_bytes(2, "little")


BZIMAGE = bytes(0x1FE) + b"\x55\xaa\xeb\x66HdrS" + bytes(0x30) + b"\x01" + bytes(64)
IMAGE = bytes(56) + b"ARM\x64" + bytes(8)


@pytest.mark.parametrize(
    ("head", "machine"),
    [
        (elf(62, 2), "x86_64"),
        (elf(3, 1), "x86_64"),
        (elf(183, 2), "aarch64"),
        (elf(243, 2), "riscv64"),
        (BZIMAGE, "x86_64"),
        (IMAGE, "aarch64"),
        (b"", ""),
        (b"\x1f\x8b", ""),
    ],
)
def test_a_kernel_says_where_it_boots(head, machine):
    assert find_machine(head) == machine


def test_the_builder_s_word_is_that_of_images():
    assert [find_architecture(head) for head in (elf(62, 2), elf(3, 1), IMAGE)] == ["amd64", "386", "arm64"]
