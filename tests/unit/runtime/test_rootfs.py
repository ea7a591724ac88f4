# SPDX-License-Identifier: Apache-2.0
"""The monitor's root, as a list of things to do."""

from __future__ import annotations

import pytest

from urunc.bundle import Bind
from urunc.machine import INITRD, KERNEL, Block, File, Initrd, LaunchPlan, Share, Volume
from urunc.operation import ContainerTree, Device, ImageFile, Listener, NewFile, Proc, VolumeTree
from urunc.rootfs import Surroundings, operations
from urunc.roots import Choice

DATA = Bind("/srv/data", "/data")


def made(choice, *, files=(), shares=(), volumes=(), devices=(), kinds):
    plan = LaunchPlan(("x",), files=tuple(File(path, b"") for path in files), shares=shares)
    wanted = Surroundings(
        monitor="/usr/bin/qemu-system-x86_64",
        kernel="/boot/k",
        choice=choice,
        links={},
        volumes=volumes,
        devices=devices,
    )
    return [operation for operation in operations(plan, wanted) if isinstance(operation, kinds)]


@pytest.mark.parametrize(
    ("choice", "files", "expected"),
    [
        (Choice(None), (), []),
        (Choice(None), (INITRD,), [NewFile(INITRD)]),
        (Choice(Initrd("/i")), (), [ImageFile("/i", INITRD, "initrd")]),
        (Choice(Initrd("/i")), (INITRD,), [NewFile(INITRD, "/i")]),
        (Choice(Share("fs0"), "/boot/i"), (INITRD,), [NewFile(INITRD, "/boot/i")]),
        (Choice(Initrd("/i")), ("/vm.json",), [ImageFile("/i", INITRD, "initrd"), NewFile("/vm.json")]),
        (
            Choice(Block("/d")),
            (INITRD,),
            [NewFile(INITRD), ImageFile("/d", "/disk0", "block image", writable=True)],
        ),
    ],
)
def test_a_file_that_is_made_has_what_the_image_gives_it_as_its_beginning(choice, files, expected):
    kernel, *rest = made(choice, files=files, kinds=(ImageFile, NewFile))
    assert kernel == ImageFile("/boot/k", KERNEL, "kernel")
    assert rest == expected


def test_a_shared_root_has_its_volumes_in_it_and_virtiofsd_its_surroundings():
    root = Share("fs0", readonly=True)
    found = made(
        Choice(root),
        shares=(root,),
        volumes=((DATA, Volume("within", "", "/data")),),
        kinds=(ContainerTree, VolumeTree, Proc, Listener),
    )
    assert found == [
        ContainerTree("/share", readonly=True),
        VolumeTree("/srv/data", "/share", "/data", readonly=False),
        Proc(),
        Listener("/share.sock"),
    ]


def test_volumes_beside_another_root_are_one_tree_that_9p_needs_nothing_else_for():
    found = made(
        Choice(None),
        shares=(Share("volumes", "/volumes", "9p"),),
        volumes=((DATA, Volume("9p", "volumes/0", "/data", readonly=True)),),
        kinds=(ContainerTree, VolumeTree, Proc, Listener),
    )
    assert found == [VolumeTree("/srv/data", "/volumes", "0", readonly=True)]


def test_a_device_that_may_be_needed_later_is_there():
    assert Device("/dev/net/tun") in made(Choice(None), devices=("/dev/net/tun",), kinds=Device)
