# SPDX-License-Identifier: Apache-2.0
"""The monitor's root, as a list of things to do."""

from __future__ import annotations

import pytest

from urunc.bundle import Bind
from urunc.machine import INITRD, KERNEL, Block, File, Initrd, LaunchPlan, Share, Volume
from urunc.operation import ContainerTree, Device, HostFile, ImageFile, Listener, NewFile, Proc, VolumeTree
from urunc.rootfs import Surroundings, operations
from urunc.roots import Choice

IMAGE, HOST = ImageFile("/i", INITRD, "initrd"), HostFile("/usr/i", INITRD, "initrd")
DATA = Bind("/srv/data", "/data")


def made(choice, *, initrd=None, files=(), shares=(), volumes=(), devices=(), kinds):
    plan = LaunchPlan(("x",), files=tuple(File(path, b"") for path in files), shares=shares)
    wanted = Surroundings(
        monitor="/usr/bin/qemu-system-x86_64",
        kernel=ImageFile("/boot/k", KERNEL, "kernel"),
        initrd=initrd,
        choice=choice,
        links={},
        volumes=volumes,
        devices=devices,
    )
    return [operation for operation in operations(plan, wanted) if isinstance(operation, kinds)]


@pytest.mark.parametrize(
    ("choice", "initrd", "files", "expected"),
    [
        (Choice(None), None, (), []),
        (Choice(None), None, (INITRD,), [NewFile(INITRD)]),
        (Choice(Initrd("/i")), IMAGE, (), [IMAGE]),
        (Choice(Initrd("/i")), IMAGE, (INITRD,), [NewFile(INITRD, IMAGE)]),
        (Choice(Share("fs0"), "/i"), IMAGE, (INITRD,), [NewFile(INITRD, IMAGE)]),
        (Choice(Share("fs0")), HOST, (INITRD,), [NewFile(INITRD, HOST)]),
        (Choice(Initrd("/i")), IMAGE, ("/vm.json",), [IMAGE, NewFile("/vm.json")]),
        (
            Choice(Block("/d")),
            None,
            (INITRD,),
            [NewFile(INITRD), ImageFile("/d", "/disk0", "block image", writable=True)],
        ),
    ],
)
def test_a_file_that_is_made_begins_with_what_there_is_of_it(choice, initrd, files, expected):
    kernel, *rest = made(choice, initrd=initrd, files=files, kinds=(ImageFile, HostFile, NewFile))
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
