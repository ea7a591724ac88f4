# SPDX-License-Identifier: Apache-2.0
"""Which text goes into which file for each field of linux.resources, in both versions of cgroups."""

from __future__ import annotations

import pytest

from urunc import limits, resources
from urunc.errors import BundleError, Unsupported
from urunc.hierarchy import Place
from urunc.limits import v2
from urunc.table import Table

NAMES = ("cpuset", "cpu", "memory", "pids", "blkio", "hugetlb", "net_cls", "net_prio", "rdma")
V1 = {name: Place(f"/{name}", unified=False) for name in NAMES}
V2 = {name: Place("/c", unified=True) for name in NAMES if not name.startswith("net")}
DISK = {"major": 8, "minor": 16}


def parse(values):
    return resources.parse(Table(values, "linux.resources.", "config.json"))


def ways(values, places):
    unified = "/c" if places is V2 else ""
    found = limits.writes(parse(values), places, unified)
    return [tuple(f"{file} {text}" for file, text in write.setting.ways) for write in found]


def texts(values, places):
    return [found[0] for found in ways(values, places)]


@pytest.mark.parametrize(
    ("values", "first", "second"),
    [
        ({"memory": {"limit": 64}}, ["memory.limit_in_bytes 64"], ["memory.max 64"]),
        ({"memory": {"reservation": 32}}, ["memory.soft_limit_in_bytes 32"], ["memory.low 32"]),
        (
            {"memory": {"limit": 64, "swap": 96}},
            ["memory.limit_in_bytes 64", "memory.memsw.limit_in_bytes 96"],
            ["memory.swap.max 32", "memory.max 64"],
        ),
        (
            {"memory": {"limit": 64, "swap": -1}},
            ["memory.limit_in_bytes 64", "memory.memsw.limit_in_bytes -1"],
            ["memory.swap.max max", "memory.max 64"],
        ),
        (
            {"memory": {"limit": -1}},
            ["memory.limit_in_bytes -1", "memory.memsw.limit_in_bytes -1"],
            ["memory.swap.max max", "memory.max max"],
        ),
        (
            {"cpu": {"shares": 1024, "quota": 50000, "period": 100000}},
            ["cpu.shares 1024", "cpu.cfs_period_us 100000", "cpu.cfs_quota_us 50000"],
            ["cpu.weight 39", "cpu.max 50000 100000"],
        ),
        ({"cpu": {"quota": 50000}}, ["cpu.cfs_quota_us 50000"], ["cpu.max 50000"]),
        ({"cpu": {"quota": -1}}, ["cpu.cfs_quota_us -1"], ["cpu.max max"]),
        ({"cpu": {"period": 5000}}, ["cpu.cfs_period_us 5000"], ["cpu.max max 5000"]),
        ({"cpu": {"burst": 0}}, ["cpu.cfs_burst_us 0"], ["cpu.max.burst 0"]),
        ({"cpu": {"idle": 1, "shares": 2}}, ["cpu.shares 2", "cpu.idle 1"], ["cpu.idle 1"]),
        (
            {"cpu": {"cpus": "0-1", "mems": "0"}},
            ["cpuset.cpus 0-1", "cpuset.mems 0"],
            ["cpuset.cpus 0-1", "cpuset.mems 0"],
        ),
        ({"pids": {"limit": 20}}, ["pids.max 20"], ["pids.max 20"]),
        ({"pids": {"limit": -1}}, ["pids.max max"], ["pids.max max"]),
        (
            {"blockIO": {"throttleReadBpsDevice": [{**DISK, "rate": 100}]}},
            ["blkio.throttle.read_bps_device 8:16 100"],
            ["io.max 8:16 rbps=100"],
        ),
        (
            {
                "blockIO": {
                    "throttleWriteIOPSDevice": [{**DISK, "rate": 7}, {"major": 8, "minor": 0, "rate": 0}]
                }
            },
            ["blkio.throttle.write_iops_device 8:16 7", "blkio.throttle.write_iops_device 8:0 0"],
            ["io.max 8:16 wiops=7", "io.max 8:0 wiops=max"],
        ),
        (
            {"hugepageLimits": [{"pageSize": "2MB", "limit": 4}]},
            ["hugetlb.2MB.limit_in_bytes 4", "hugetlb.2MB.rsvd.limit_in_bytes 4"],
            ["hugetlb.2MB.max 4", "hugetlb.2MB.rsvd.max 4"],
        ),
        (
            {"rdma": {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 10000}, "hfi1": {"hcaObjects": 1}}},
            ["rdma.max mlx5_1 hca_handle=3 hca_object=10000", "rdma.max hfi1 hca_object=1"],
            ["rdma.max mlx5_1 hca_handle=3 hca_object=10000", "rdma.max hfi1 hca_object=1"],
        ),
        # What engines write for a limit that nobody asked for.
        (
            {
                "memory": {"limit": 0, "swap": 0, "swappiness": (1 << 64) - 1, "disableOOMKiller": False},
                "cpu": {"shares": 0, "quota": 0, "period": 0, "cpus": ""},
                "pids": {"limit": 0},
                "blockIO": {"weight": 0},
                "network": {"classID": 0},
            },
            [],
            [],
        ),
    ],
)
def test_each_field_has_its_file_in_both_versions(values, first, second):
    assert texts(values, V1) == first
    assert texts(values, V2) == second


def test_what_only_version_1_has_is_refused_by_name_in_version_2():
    for values, written in (
        ({"memory": {"swappiness": 0}}, "memory.swappiness 0"),
        ({"memory": {"disableOOMKiller": True}}, "memory.oom_control 1"),
        ({"memory": {"kernelTCP": 9}}, "memory.kmem.tcp.limit_in_bytes 9"),
        ({"cpu": {"realtimeRuntime": 9}}, "cpu.rt_runtime_us 9"),
        ({"cpu": {"realtimePeriod": 9}}, "cpu.rt_period_us 9"),
        ({"blockIO": {"leafWeight": 9}}, "blkio.leaf_weight 9"),
        ({"network": {"classID": 1048577}}, "net_cls.classid 1048577"),
        ({"network": {"priorities": [{"name": "eth0", "priority": 5}]}}, "net_prio.ifpriomap eth0 5"),
    ):
        assert texts(values, V1) == [written]
        (part,) = values
        (field,) = values[part]
        with pytest.raises(Unsupported, match=rf"linux\.resources\.{part}\.{field} cannot hold") as caught:
            texts(values, V2)
        assert f"leave {part}.{field} out" in caught.value.hint


def test_a_weight_goes_to_the_scheduler_that_is_there():
    values = {"blockIO": {"weight": 500, "weightDevice": [{**DISK, "weight": 1000}]}}
    assert ways(values, V1) == [
        ("blkio.bfq.weight 500", "blkio.weight 500"),
        ("blkio.bfq.weight_device 8:16 1000", "blkio.weight_device 8:16 1000"),
    ]
    assert ways(values, V2) == [
        ("io.bfq.weight 500", "io.weight default 4950"),
        ("io.bfq.weight 8:16 1000", "io.weight 8:16 10000"),
    ]


@pytest.mark.parametrize(
    ("shares", "weight"), [(2, 1), (1024, 39), (262144, 10000), (1, 1), (1 << 40, 10000)]
)
def test_shares_become_a_weight_over_the_whole_range(shares, weight):
    assert v2.weight_from_shares(shares) == weight


@pytest.mark.parametrize(("old", "new"), [(10, 1), (500, 4950), (1000, 10000), (1, 1), (5000, 10000)])
def test_a_weight_for_block_devices_becomes_another_over_the_whole_range(old, new):
    assert v2.weight_from_block_io(old) == new


def test_memory_of_the_kernel_has_no_limit_of_its_own_in_any_version():
    for places in (V1, V2):
        with pytest.raises(Unsupported, match=r"memory\.kernel cannot hold") as caught:
            texts({"memory": {"kernel": 5}}, places)
        assert "memory.limit counts that" in caught.value.hint


@pytest.mark.parametrize(
    ("memory", "why"),
    [({"swap": 5}, "there is no memory.limit"), ({"swap": 5, "limit": 6}, "less than memory")],
)
def test_swap_that_does_not_include_the_memory_is_a_mistake(memory, why):
    with pytest.raises(BundleError, match=why):
        texts({"memory": memory}, V2)


def test_a_limit_for_which_there_is_no_controller_is_refused_but_no_limit_is_not():
    with pytest.raises(
        Unsupported, match=r"pids\.limit cannot hold: there is no cgroup controller pids"
    ) as caught:
        texts({"pids": {"limit": 5}}, {})
    assert caught.value.hint == "mount or delegate the controller pids, or leave pids.limit out"
    assert texts({"pids": {"limit": -1}}, {}) == []


def test_files_of_version_2_can_be_named_and_come_last_line_by_line():
    values = {"unified": {"io.max": "8:0 rbps=1\n8:16 rbps=2\n", "memory.high": "5"}, "pids": {"limit": 3}}
    assert texts(values, V2) == ["pids.max 3", "io.max 8:0 rbps=1", "io.max 8:16 rbps=2", "memory.high 5"]
    with pytest.raises(Unsupported, match=r"unified cannot hold: this host has cgroups of version 1 only"):
        texts(values, V1)


def test_in_a_mixture_a_file_of_version_2_needs_its_controller_there():
    mixed = {"hugetlb": Place("/c", unified=True), "memory": Place("/memory", unified=False)}
    wanted = parse({"unified": {"hugetlb.2MB.max": "0", "cgroup.max.depth": "3"}})
    assert [write.directory for write in limits.writes(wanted, mixed, "/c")] == ["/c", "/c"]
    with pytest.raises(Unsupported, match=r"unified\['memory.high'\] cannot hold"):
        limits.writes(parse({"unified": {"memory.high": "0"}}), mixed, "/c")


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"unified": {"../x": "1"}}, "unified"),
        ({"unified": {".hidden": "1"}}, "unified"),
        ({"hugepageLimits": [{"pageSize": "2MB"}]}, "limit"),
        ({"hugepageLimits": [{"pageSize": "../2MB", "limit": 1}]}, "pageSize"),
        ({"blockIO": {"weightDevice": [{"major": 8, "weight": 1}]}}, "minor"),
        ({"blockIO": {"throttleReadBpsDevice": [{"major": -8, "minor": 1, "rate": 1}]}}, "major"),
        ({"network": {"priorities": [{"name": "eth0 9\neth1", "priority": 1}]}}, "name"),
        ({"rdma": {"a b": {"hcaHandles": 1}}}, "a b"),
        ({"devices": [{"allow": True, "type": "x"}]}, "type"),
        ({"devices": [{"allow": True, "access": "rx"}]}, "access"),
        ({"devices": [{"allow": True, "type": "c", "major": 1 << 32}]}, "major"),
        ({"memory": {"limit": "5"}}, "limit"),
    ],
)
def test_a_value_that_is_none_is_refused_with_its_whole_name(values, field):
    with pytest.raises(BundleError, match=rf"^config\.json: linux\.resources\.\S*{field}"):
        parse(values)


def test_the_controllers_that_must_be_handed_down_are_those_with_files():
    found = limits.writes(
        parse({"cpu": {"cpus": "0"}, "blockIO": {"weight": 5}, "unified": {"cgroup.freeze": "0"}}), V2, "/c"
    )
    assert limits.needed(found) == {"cpuset", "io"}
