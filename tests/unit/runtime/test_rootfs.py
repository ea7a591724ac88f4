# SPDX-License-Identifier: Apache-2.0
"""The monitor's root, as a list of things to do."""

from __future__ import annotations

import pytest

from urunc.bundle import Bind
from urunc.machine import DISK, EXTRA_DISK, INITRD, KERNEL, Block, File, Initrd, LaunchPlan, Share, Volume
from urunc.operation import (
    ContainerTree,
    Device,
    HostFile,
    HostTree,
    ImageFile,
    Listener,
    NewFile,
    Overlay,
    PrivateCopy,
    Proc,
    VolumeTree,
)
from urunc.rootfs import Surroundings, backing, operations

IMAGE, HOST = ImageFile("/i", INITRD, "initrd"), HostFile("/usr/i", INITRD, "initrd")
DATA = Bind("/srv/data", "/data")


def made(
    root,
    disk=None,
    *,
    initrd=None,
    files=(),
    shares=(),
    volumes=(),
    devices=(),
    kinds,
    extra=None,
    extra_disk=None,
    monitor="/usr/bin/qemu-system-x86_64",
    virtiofsd="/usr/libexec/virtiofsd",
):
    plan = LaunchPlan(("x",), files=tuple(File(path, b"") for path in files), shares=shares)
    wanted = Surroundings(
        monitor=monitor,
        virtiofsd=virtiofsd,
        kernel=ImageFile("/boot/k", KERNEL, "kernel"),
        initrd=initrd,
        disk=disk,
        root=root,
        extra_disk=extra_disk,
        extra=extra,
        links={},
        volumes=volumes,
        devices=devices,
    )
    return [operation for operation in operations(plan, wanted) if isinstance(operation, kinds)]


@pytest.mark.parametrize(
    ("root", "initrd", "files", "expected"),
    [
        (None, None, (), []),
        (None, None, (INITRD,), [NewFile(INITRD)]),
        (Initrd("/i"), IMAGE, (), [IMAGE]),
        (Initrd("/i"), IMAGE, (INITRD,), [NewFile(INITRD, IMAGE)]),
        (Share("fs0"), IMAGE, (INITRD,), [NewFile(INITRD, IMAGE)]),
        (Share("fs0"), HOST, (INITRD,), [NewFile(INITRD, HOST)]),
        (Initrd("/i"), IMAGE, ("/vm.json",), [IMAGE, NewFile("/vm.json")]),
    ],
)
def test_a_file_that_is_made_begins_with_what_there_is_of_it(root, initrd, files, expected):
    kernel, *rest = made(root, initrd=initrd, files=files, kinds=(ImageFile, HostFile, NewFile))
    assert kernel == ImageFile("/boot/k", KERNEL, "kernel")
    assert rest == expected


BACKING = backing(DISK)
FROM_IMAGE, PACKED = ImageFile("/d", DISK, "block image"), HostFile("/cache/d", DISK, "packed root")
BELOW, PACKED_BELOW = FROM_IMAGE.replace(target=BACKING), PACKED.replace(target=BACKING)


@pytest.mark.parametrize(
    ("root", "disk", "expected"),
    [
        (Block("/d", readonly=True), FROM_IMAGE, [FROM_IMAGE]),
        (Block("/d"), FROM_IMAGE, [FROM_IMAGE.replace(writable=True)]),
        (
            Block("/d", format="qcow2"),
            FROM_IMAGE,
            [FROM_IMAGE.replace(target=BACKING), Overlay(DISK, BACKING)],
        ),
        (Block("", format="qcow2"), PACKED, [PACKED.replace(target=BACKING), Overlay(DISK, BACKING)]),
        (Block(""), PACKED, [PACKED.replace(target=BACKING), PrivateCopy(DISK, BACKING)]),
        (Block("", readonly=True), PACKED, [PACKED]),
        (Block("/dev/dm-3"), Device(DISK, "/dev/dm-3"), [Device(DISK, "/dev/dm-3")]),
    ],
)
def test_a_guests_writes_go_where_they_belong(root, disk, expected):
    found = made(root, disk, kinds=(ImageFile, HostFile, Device, Overlay, PrivateCopy))
    assert [operation for operation in found if operation.target in (DISK, BACKING)] == expected


def test_a_shared_root_has_its_volumes_in_it_and_virtiofsd_its_surroundings():
    root = Share("fs0", readonly=True)
    found = made(
        root,
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


def test_volumes_beside_another_root_are_one_tree_that_9p_needs_no_socket_for():
    found = made(
        None,
        shares=(Share("volumes", "/volumes", "9p"),),
        volumes=((DATA, Volume("9p", "volumes/0", "/data", readonly=True)),),
        kinds=(ContainerTree, VolumeTree, Proc, Listener),
    )
    assert found == [VolumeTree("/srv/data", "/volumes", "0", readonly=True), Proc()]


def test_a_device_that_may_be_needed_later_is_there():
    assert Device("/dev/net/tun") in made(None, devices=("/dev/net/tun",), kinds=Device)


def test_a_file_that_goes_on_with_an_archive_says_what_it_covers():
    root, plan = Initrd("/i"), LaunchPlan(("x",), files=(File(INITRD, b"", ("/data",)),))
    wanted = Surroundings("/usr/bin/x", "", IMAGE.replace(target=KERNEL), IMAGE, None, root, None, None, {})
    assert NewFile(INITRD, IMAGE, ("/data",)) in operations(plan, wanted)


def test_a_further_disk_has_files_of_its_own():
    extra = ImageFile("/e", EXTRA_DISK, "block image")
    below = extra.replace(target="/disk1.image")
    found = made(
        Block("/d", format="qcow2"),
        FROM_IMAGE,
        extra=Block("/e", "/data", format="qcow2"),
        extra_disk=extra,
        kinds=(ImageFile, Overlay),
    )
    assert found[1:] == [BELOW, Overlay(DISK, BACKING), below, Overlay(EXTRA_DISK, "/disk1.image")]


@pytest.mark.parametrize(
    ("monitor", "virtiofsd", "trees"),
    [
        ("/usr/bin/m", "/usr/libexec/virtiofsd", []),
        ("/opt/m/bin/m", "/usr/libexec/virtiofsd", ["/opt/m"]),
        ("/opt/m/bin/m", "/opt/m/libexec/virtiofsd", ["/opt/m"]),
        ("/opt/m", "/srv/v/bin/virtiofsd", ["/opt/m", "/srv/v"]),
        ("/opt/all/bin/m", "/opt/all/more/bin/virtiofsd", ["/opt/all"]),
        ("/bin/m", "/bin/virtiofsd", ["/bin/m", "/bin/virtiofsd"]),
    ],
)
def test_a_program_outside_usr_comes_with_its_tree(monitor, virtiofsd, trees):
    found = made(None, monitor=monitor, virtiofsd=virtiofsd, shares=(Share("fs0"),), kinds=HostTree)
    assert [tree.source for tree in found] == ["/usr", *trees]


def test_a_server_of_files_that_is_not_needed_stays_away():
    found = made(None, virtiofsd="/opt/v/bin/virtiofsd", shares=(Share("fs0", kind="9p"),), kinds=HostTree)
    assert [tree.source for tree in found] == ["/usr"]
