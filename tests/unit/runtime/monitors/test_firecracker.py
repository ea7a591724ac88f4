# SPDX-License-Identifier: Apache-2.0
"""Firecracker's configuration file: the smallest machine in full, then what each need adds."""

from __future__ import annotations

import json

import pytest

from urunc.errors import Unsupported
from urunc.machine import Disk, File, Guest, Machine, Network, Nic, Share, UserNetwork
from urunc.monitors import firecracker

NETWORK = Network("tap0", "02:00:00:00:00:01", "10.0.0.2", 24, "10.0.0.1", 1500)
INTERFACE = {"iface_id": "net0", "host_dev_name": "tap0", "guest_mac": "02:00:00:00:00:01"}
FULL = Guest(
    "x",
    initrd="/initrd",
    disks=(Disk("d", "/disk0"),),
    nics=(Nic("net0", NETWORK.replace(mtu=1400)),),
)

# Every field that is taken, as src/vmm/src/resources.rs and src/vmm/src/vmm_config of Firecracker 1.7 and
# 1.16 declare them; both refuse others.  The last of the interface's is only in 1.16.
FIELDS = {
    "boot-source": {"kernel_image_path", "initrd_path", "boot_args"},
    "machine-config": {
        "vcpu_count", "mem_size_mib", "smt", "cpu_template", "track_dirty_pages", "huge_pages",
    },
    "drives": {
        "drive_id", "partuuid", "is_root_device", "cache_type", "is_read_only", "path_on_host",
        "rate_limiter", "io_engine", "socket",
    },
    "network-interfaces": {
        "iface_id", "host_dev_name", "guest_mac", "rx_rate_limiter", "tx_rate_limiter", "mtu",
    },
}  # fmt: skip
NEEDED = {
    "boot-source": {"kernel_image_path"},
    "machine-config": {"vcpu_count", "mem_size_mib"},
    "drives": {"drive_id", "is_root_device"},
    "network-interfaces": {"iface_id", "host_dev_name"},
}


def launch(guest=Guest("x"), **fields):  # noqa: B008  immutable
    return firecracker.launch(Machine("/kernel", guest, **fields))


def config(guest, **fields):
    (file,) = (file for file in launch(guest, **fields).files if file.path == "/vm.json")
    return json.loads(file.content)


def test_the_smallest_machine():
    found = launch(Guest("app -- x"))
    assert found.argv == ("firecracker", "--no-api", "--config-file", "/vm.json", "--level", "Error")
    assert config(Guest("app -- x")) == {
        "boot-source": {"kernel_image_path": "/kernel", "boot_args": "app -- x"},
        "machine-config": {"vcpu_count": 1, "mem_size_mib": 256},
        "drives": [],
    }


def test_without_a_filter_in_the_bundle_it_loads_none():
    assert launch(seccomp=False).argv[-1] == "--no-seccomp"


def test_the_machine_has_its_size():
    found = config(Guest("x"), memory_mib=99, vcpus=2)
    assert found["machine-config"] == {"vcpu_count": 2, "mem_size_mib": 99}


def test_an_initrd_is_named():
    assert config(FULL)["boot-source"]["initrd_path"] == "/initrd"


@pytest.mark.parametrize("readonly", [False, True])
def test_a_disk_leaves_the_root_to_the_command_line(readonly):
    guest = Guest("x", disks=(Disk("rootfs", "/disk0", readonly),))
    assert config(guest)["drives"] == [
        {"drive_id": "rootfs", "path_on_host": "/disk0", "is_root_device": False, "is_read_only": readonly}
    ]


@pytest.mark.parametrize(("mtu", "more"), [(1500, {}), (1400, {"mtu": 1400})])
def test_only_an_unusual_mtu_needs_a_new_version(mtu, more):
    guest = Guest("x", nics=(Nic("net0", NETWORK.replace(mtu=mtu)),))
    assert config(guest)["network-interfaces"] == [{**INTERFACE, **more}]


def test_a_field_is_one_that_firecracker_knows_and_none_is_missing():
    for section, content in config(FULL).items():
        for table in content if isinstance(content, list) else [content]:
            assert NEEDED[section] <= table.keys() <= FIELDS[section]


def test_text_that_json_would_misread_arrives():
    line = 'a "b" \\ {} \''
    content = launch(Guest(line)).files[-1].content
    assert json.loads(content)["boot-source"]["boot_args"] == line


@pytest.mark.parametrize(
    ("guest", "fields", "message"),
    [
        (Guest("x", nics=(Nic("n", UserNetwork()),)), {}, "has no user-mode network"),
        (Guest("x", disks=(Disk("d", "/disk0", format="qcow2"),)), {}, "reads raw images, not qcow2"),
        (Guest("x", shares=(Share("fs0"),)), {}, "cannot share a directory with its guest"),
        (Guest("x" * 1901), {}, "takes a command line of at most 1900 bytes"),
        (Guest("é"), {}, "cannot pass on a command line with other than printable ASCII characters: 'é'"),
        (Guest("x"), {"vcpus": 33}, "has at most 32 processors, not 33"),
    ],
)
def test_what_it_does_not_have_is_refused(guest, fields, message):
    with pytest.raises(Unsupported, match=f"firecracker {message}"):
        launch(guest, **fields)


@pytest.mark.parametrize(
    ("guest", "devices"), [(Guest("x"), ("/dev/kvm",)), (FULL, ("/dev/kvm", "/dev/net/tun"))]
)
def test_what_it_opens_and_what_ends_it(guest, devices):
    found = launch(guest)
    assert (found.devices, found.fds, found.stop_signal) == (devices, (), 9)


def test_which_files_there_are_does_not_depend_on_the_network():
    made = Guest("x", files=(File("/initrd", b""),))
    for guest in (made, made.replace(nics=FULL.nics)):
        assert [file.path for file in launch(guest).files] == ["/initrd", "/vm.json"]
