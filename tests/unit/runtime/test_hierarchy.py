# SPDX-License-Identifier: Apache-2.0
"""Where a container is in the hierarchies of control groups."""

from __future__ import annotations

import pytest

from urunc import hierarchy
from urunc.hierarchy import Hierarchy, Place
from urunc_common.errors import Error


def mounted(path, *controllers, unified=False):
    return Hierarchy(path, unified=unified, controllers=controllers)


V2 = mounted("/sys/fs/cgroup", "cpu", "io", "memory", unified=True)
MEMORY = mounted("/sys/fs/cgroup/memory", "memory")
CPU = mounted("/sys/fs/cgroup/cpu,cpuacct", "cpu", "cpuacct")
FREEZER = mounted("/sys/fs/cgroup/freezer", "freezer")
UNIFIED = mounted("/sys/fs/cgroup/unified", "hugetlb", "memory", unified=True)


def test_mounts_of_both_versions_are_found_once():
    text = (
        "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
        "33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
        "34 31 0:30 / /mnt/again rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
        "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:3 - cgroup2 cgroup2 rw,nsdelegate\n"
    )
    assert hierarchy.parse_mounts(text) == (CPU, UNIFIED.replace(controllers=()))


@pytest.mark.parametrize("path", ["", "/", "/a/../b", ".."])
def test_a_path_that_is_no_cgroup_of_its_own_is_refused(path):
    with pytest.raises(Error, match="does not name a cgroup"):
        hierarchy.directories((V2,), path)


def test_a_controller_is_where_it_is_mounted_and_version_1_has_it_where_both_say_so():
    mixed = (MEMORY, CPU, UNIFIED)
    found = hierarchy.places(mixed, hierarchy.directories(mixed, "/a/b"))
    assert found == {
        "memory": Place("/sys/fs/cgroup/memory/a/b", unified=False),
        "cpu": Place("/sys/fs/cgroup/cpu,cpuacct/a/b", unified=False),
        "cpuacct": Place("/sys/fs/cgroup/cpu,cpuacct/a/b", unified=False),
        "hugetlb": Place("/sys/fs/cgroup/unified/a/b", unified=True),
    }


def test_what_version_2_calls_io_is_blkio():
    assert hierarchy.places((V2,), ("/sys/fs/cgroup/a",))["blkio"] == Place("/sys/fs/cgroup/a", unified=True)


@pytest.mark.parametrize(
    ("hierarchies", "file"),
    [
        ((V2,), "/sys/fs/cgroup/a/cgroup.freeze"),
        ((FREEZER, UNIFIED), "/sys/fs/cgroup/freezer/a/freezer.state"),
        ((MEMORY, UNIFIED), "/sys/fs/cgroup/unified/a/cgroup.freeze"),
        ((MEMORY,), ""),
    ],
)
def test_the_file_that_pauses_is_that_of_the_hierarchy_which_can(hierarchies, file):
    assert hierarchy.freezer(hierarchies, hierarchy.directories(hierarchies, "/a")) == file
