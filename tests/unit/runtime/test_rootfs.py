# SPDX-License-Identifier: Apache-2.0
"""The monitor's root, as a list of things to do."""

from __future__ import annotations

import pytest

from urunc.machine import INITRD, KERNEL, Block, Initrd
from urunc.rootfs import ImageFile, NewFile, operations


def made(root, files):
    found = operations(
        (), kernel="/boot/k", root=root, files=files, monitor="/usr/bin/qemu-system-x86_64", links={}
    )
    return [operation for operation in found if isinstance(operation, ImageFile | NewFile)][1:]


@pytest.mark.parametrize(
    ("root", "files", "expected"),
    [
        (None, (), []),
        (None, (INITRD,), [NewFile(INITRD)]),
        (Initrd("/i"), (), [ImageFile("/i", INITRD, "initrd")]),
        (Initrd("/i"), (INITRD,), [NewFile(INITRD, "/i")]),
        (Initrd("/i"), ("/vm.json",), [ImageFile("/i", INITRD, "initrd"), NewFile("/vm.json")]),
        (Block("/d"), (INITRD,), [ImageFile("/d", "/disk0", "block image", writable=True), NewFile(INITRD)]),
    ],
)
def test_a_file_that_is_made_has_what_the_image_gives_it_as_its_beginning(root, files, expected):
    assert made(root, files) == expected


def test_the_kernel_is_the_images_own_file():
    found = operations((), kernel="/boot/k", root=None, monitor="/usr/bin/q", links={})
    assert ImageFile("/boot/k", KERNEL, "kernel") in found
