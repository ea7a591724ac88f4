# SPDX-License-Identifier: Apache-2.0
"""Which scope of systemd a container is, and with which properties."""

from __future__ import annotations

import pytest

from urunc import resources, systemd
from urunc.table import Table
from urunc_common.errors import Error

INFINITY = (1 << 64) - 1


@pytest.mark.parametrize(
    ("path", "asked", "name", "cgroup"),
    [
        ("system.slice:urunc:c1", False, "urunc-c1.scope", "/system.slice/urunc-c1.scope"),
        (":docker:c1", True, "docker-c1.scope", "/system.slice/docker-c1.scope"),
        ("a-b-c.slice:cri:c1", False, "cri-c1.scope", "/a.slice/a-b.slice/a-b-c.slice/cri-c1.scope"),
        ("-.slice::c1", True, "c1.scope", "/c1.scope"),
        ("", True, "urunc-id.scope", "/system.slice/urunc-id.scope"),
    ],
)
def test_a_path_names_a_slice_and_a_scope(path, asked, name, cgroup):
    found = systemd.scope(path, "id", asked=asked)
    assert (found.name, found.path) == (name, cgroup)


@pytest.mark.parametrize("path", ["", "/a/b", "/a:b:c/d", "name", "/a/b:c"])
def test_an_ordinary_path_is_not_for_systemd(path):
    assert systemd.scope(path, "id", asked=False) is None


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/a/b", "is not for systemd, which --systemd-cgroup asks for"),
        ("system.slice:urunc:", "names no unit"),
        ("system:urunc:c1", "'system' is no slice of systemd"),
        ("a--b.slice:urunc:c1", "'a--b.slice' is no slice"),
        (".slice:urunc:c1", "'.slice' is no slice"),
        ("system.slice:urunc:c 1", "'urunc-c 1.scope' is no name of a unit"),
        (f"system.slice:urunc:{'c' * 250}", "is no name of a unit"),
    ],
)
def test_a_path_that_is_no_unit_is_refused(path, said):
    with pytest.raises(Error, match=said):
        systemd.scope(path, "id", asked=True)


def limits(values, *, unified):
    parsed = resources.parse(Table(values, "", "f"))
    return {name: value for name, (_, value) in systemd.limit_properties(parsed, unified=unified)}


@pytest.mark.parametrize(
    ("values", "first", "second"),
    [
        ({"memory": {"limit": 64}}, {"MemoryLimit": 64}, {"MemoryMax": 64}),
        ({"memory": {"limit": -1}}, {"MemoryLimit": INFINITY}, {"MemoryMax": INFINITY}),
        (
            {"memory": {"limit": 64, "swap": 96, "reservation": 32}},
            {"MemoryLimit": 64},
            {"MemoryMax": 64, "MemorySwapMax": 32, "MemoryLow": 32},
        ),
        ({"cpu": {"shares": 1024}}, {"CPUShares": 1024}, {"CPUWeight": 39}),
        (
            {"cpu": {"quota": 25000, "period": 50000}},
            {"CPUQuotaPerSecUSec": 500000, "CPUQuotaPeriodUSec": 50000},
            {"CPUQuotaPerSecUSec": 500000, "CPUQuotaPeriodUSec": 50000},
        ),
        ({"cpu": {"quota": 33333}}, {"CPUQuotaPerSecUSec": 340000}, {"CPUQuotaPerSecUSec": 340000}),
        ({"cpu": {"quota": -1}}, {"CPUQuotaPerSecUSec": INFINITY}, {"CPUQuotaPerSecUSec": INFINITY}),
        ({"cpu": {"cpus": "0-2,9", "mems": "0"}}, {}, {"AllowedCPUs": [7, 2], "AllowedMemoryNodes": [1]}),
        ({"pids": {"limit": 5}}, {"TasksMax": 5}, {"TasksMax": 5}),
        ({"hugepageLimits": [{"pageSize": "2MB", "limit": 0}]}, {}, {}),
    ],
)
def test_limits_are_properties_where_systemd_has_them(values, first, second):
    assert limits(values, unified=False) == first
    assert limits(values, unified=True) == second


@pytest.mark.parametrize("cpus", ["x", "1-y", "99999999"])
def test_a_list_that_is_none_is_refused(cpus):
    with pytest.raises(Error, match="is no list of processors"):
        limits({"cpu": {"cpus": cpus}}, unified=True)
