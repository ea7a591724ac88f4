# SPDX-License-Identifier: Apache-2.0
"""What linux.resources says is in the files of the container's cgroups before its monitor runs."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

import pytest
from integration.runtime import cgroups

from urunc.host import cgroups as host

MIB = 1 << 20
DENY = {"allow": False, "access": "rwm"}

pytestmark = pytest.mark.inside


def available(controller):
    return any({controller, {"blkio": "io"}.get(controller)} & set(one.controllers) for one in host.find())


def limited(bundle, **resources):
    bundle.config["linux"]["resources"] = resources


def test_a_container_without_limits_has_none(urunc, bundle):
    urunc.create(bundle)
    assert cgroups.read(urunc, "pids", "pids.max", "pids.max") == "max"


def test_limits_hold_when_the_container_is_created(urunc, bundle):
    limited(
        bundle,
        memory={"limit": 512 * MIB, "reservation": 256 * MIB},
        cpu={"shares": 512, "quota": 50000, "period": 200000, "cpus": "0", "mems": "0"},
        pids={"limit": 77},
    )
    urunc.create(bundle)
    assert cgroups.read(urunc, "memory", "memory.limit_in_bytes", "memory.max") == str(512 * MIB)
    assert cgroups.read(urunc, "memory", "memory.soft_limit_in_bytes", "memory.low") == str(256 * MIB)
    assert cgroups.read(urunc, "cpu", "cpu.shares", "cpu.weight") in ("512", "20")
    assert cgroups.read(urunc, "cpu", "cpu.cfs_quota_us", "cpu.max") in ("50000", "50000 200000")
    assert cgroups.read(urunc, "cpuset", "cpuset.cpus", "cpuset.cpus") == "0"
    assert cgroups.read(urunc, "pids", "pids.max", "pids.max") == "77"


@pytest.mark.parametrize("swap", [600 * MIB, -1])
def test_swap_is_limited_together_with_memory(urunc, bundle, swap):
    limited(bundle, memory={"limit": 512 * MIB, "swap": swap})
    urunc.create(bundle)
    found = cgroups.read(urunc, "memory", "memory.memsw.limit_in_bytes", "memory.swap.max")
    if swap == -1:
        assert found == "max" or int(found) > 1 << 60
    else:
        assert found in (str(600 * MIB), str(88 * MIB))


def test_the_monitor_and_its_first_process_are_in_every_cgroup(urunc, bundle):
    limited(bundle, pids={"limit": 77})
    urunc.create(bundle)
    for directory in cgroups.directories(urunc):
        assert host.members(directory) == (urunc.state()["pid"],)


@pytest.mark.parametrize("path", ["/urunc/c1", "/urunc"])
def test_a_cgroup_with_processes_of_another_container_is_refused_and_they_live(urunc, bundle, path):
    bundle.config["linux"]["cgroupsPath"] = "/urunc/c1"
    urunc.create(bundle)
    bundle.config["linux"]["cgroupsPath"] = path
    said = urunc.said(urunc.create(bundle, "c2", check=False))
    assert f"{path} has processes in it already; give each container a cgroupsPath of its own" in said
    assert urunc.state()["status"] == "created"


def test_huge_pages_are_limited(urunc, bundle):
    sizes = [path.name for path in Path("/sys/kernel/mm/hugepages").glob("*2048kB")]
    if not sizes or not available("hugetlb"):
        pytest.skip("this kernel has no huge pages in cgroups")
    limited(bundle, hugepageLimits=[{"pageSize": "2MB", "limit": 4 * MIB}])
    urunc.create(bundle)
    assert cgroups.read(urunc, "hugetlb", "hugetlb.2MB.limit_in_bytes", "hugetlb.2MB.max") == str(4 * MIB)


def test_files_of_version_2_are_written_as_they_are_named(urunc, bundle):
    if not any(one.unified for one in host.find()):
        pytest.skip("there is no version 2")
    limited(bundle, unified={"cgroup.max.descendants": "7"})
    urunc.create(bundle)
    assert (cgroups.unified(urunc) / "cgroup.max.descendants").read_text() == "7\n"


@pytest.mark.parametrize(
    ("resources", "said"),
    [
        ({"rdma": {"mlx5_0": {"hcaHandles": 2}}}, "linux.resources.rdma"),
        ({"cpu": {"period": 5}}, "set linux.resources.cpu.period: write "),
        ({"unified": {"nonsense.max": "1"}}, "linux.resources.unified['nonsense.max'] cannot hold"),
        ({"hugepageLimits": [{"pageSize": "3MB", "limit": 0}]}, "linux.resources.hugepageLimits cannot hold"),
        ({"cpu": {"cpus": "4000"}}, "set linux.resources.cpu.cpus"),
    ],
)
def test_a_limit_that_cannot_hold_is_refused_by_its_name_and_nothing_stays(urunc, bundle, resources, said):
    limited(bundle, **resources)
    assert said in urunc.said(urunc.create(bundle, check=False))
    assert urunc.leftovers() == []


def opens(urunc, path, flags=os.O_RDWR):
    """Whether a process of the container could open it: one that joins its cgroups tries."""
    program = f"import os,sys; sys.stdin.read(1); os.open({str(path)!r}, {flags})"
    process = subprocess.Popen(
        ["/usr/bin/python3", "-c", program], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    )
    for directory in cgroups.directories(urunc):
        host.enter(directory, process.pid)
    _, said = process.communicate(b"x")
    assert process.returncode == 0 or os.strerror(errno.EPERM).encode() in said, said
    return process.returncode == 0


@pytest.fixture(name="node")
def node_fixture(tmp_path):
    """A device that nobody asks for: /dev/mem's neighbour, the log of the kernel."""
    node = tmp_path / "kmsg"
    os.mknod(node, 0o020600, os.makedev(1, 11))
    return node


def test_a_monitor_may_open_no_device_but_those_that_it_needs(urunc, bundle, node):
    limited(bundle, devices=[DENY])
    urunc.create(bundle)
    assert opens(urunc, "/dev/null")
    assert not opens(urunc, node)
    urunc("start", "c1")  # so its own root could be made, with nodes, and its tap opened
    urunc.report()


def test_what_the_engine_grants_may_be_opened(urunc, bundle, node):
    limited(bundle, devices=[DENY, {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "r"}])
    urunc.create(bundle)
    assert opens(urunc, node, os.O_RDONLY)
    assert not opens(urunc, node, os.O_RDWR)


def test_a_device_that_the_container_has_may_be_opened(urunc, bundle, node):
    limited(bundle, devices=[DENY])
    bundle.config["linux"]["devices"] = [{"path": "/dev/kmsg", "type": "c", "major": 1, "minor": 11}]
    urunc.create(bundle)
    assert opens(urunc, node)


def test_a_privileged_container_may_open_every_device(urunc, bundle, node):
    limited(bundle, devices=[DENY, {"allow": True, "access": "rwm"}])
    urunc.create(bundle)
    assert opens(urunc, node)


def test_a_program_in_the_kernel_decides_where_version_2_is_alone(node):
    """The same as above where version 1 has the devices: both have a say."""
    from urunc import device_filter, devices
    from urunc.host import bpf

    top = next((one.mount_point for one in host.find() if one.unified), None)
    if top is None:
        pytest.skip("there is no version 2")
    cgroup = Path(top) / f"devices-{os.getpid()}"
    cgroup.mkdir()
    try:
        bpf.attach_device_filter(str(cgroup), device_filter.program(devices.policy((), (), ())))
        program = f"import os,sys; sys.stdin.read(1); os.open('/dev/null', 2); os.open({str(node)!r}, 0)"
        process = subprocess.Popen(
            ["/usr/bin/python3", "-c", program], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        host.enter(str(cgroup), process.pid)
        assert f"Operation not permitted: '{node}'" in process.communicate("x")[1]
    finally:
        host.remove([str(cgroup)])
