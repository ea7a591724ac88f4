# SPDX-License-Identifier: Apache-2.0
"""The qcow2 overlay, as text of its format; integration tests show it to QEMU."""

from __future__ import annotations

import pytest

from urunc.qcow2 import render

CLUSTER = 1 << 16


def number(content, offset, size):
    return int.from_bytes(content[offset : offset + size], "big")


@pytest.mark.parametrize("name", ["/disk0", "/ba se,0"])
def test_the_header_names_its_backing_file_and_that_file_s_format(name):
    content = render(1 << 20, name)
    assert content[:8] == b"QFI\xfb\0\0\0\3"
    offset, length = number(content, 8, 8), number(content, 16, 4)
    assert content[offset : offset + length] == name.encode()
    assert content[104:120] == b"\xe2\x79\x2a\xca\0\0\0\3raw\0\0\0\0\0"


@pytest.mark.parametrize(
    ("size", "entries"), [(512, 1), (512 << 20, 1), ((512 << 20) + 1, 2), (5 << 40, 10240)]
)
def test_the_table_has_an_entry_per_half_gigabyte(size, entries):
    content = render(size, "/disk0")
    assert number(content, 36, 4) == entries
    assert len(content) == (3 + -(-entries * 8 // CLUSTER)) * CLUSTER


def test_the_size_is_rounded_up_to_a_sector():
    assert number(render(1000, "/disk0"), 24, 8) == 1024


@pytest.mark.parametrize("name", ["", "x" * 1024])
def test_a_name_that_does_not_fit_is_refused(name):
    with pytest.raises(ValueError, match="1 to 1023 bytes"):
        render(512, name)
