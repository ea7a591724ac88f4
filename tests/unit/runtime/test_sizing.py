# SPDX-License-Identifier: Apache-2.0
"""How large a machine is: memory, processors, and its kind."""

from __future__ import annotations

import pytest

from urunc import guests, monitors, sizing
from urunc.errors import Unsupported
from urunc_common.errors import ConfigError

MIB = 1 << 20


def memory(limit, guest, monitor, accel, default=256):
    return sizing.memory_mib(limit, default, guests.load(guest), monitors.load(monitor), accel)


@pytest.mark.parametrize(
    ("limit", "guest", "monitor", "accel", "expected"),
    [
        (None, "linux", "qemu", "tcg", 256),
        (-1, "linux", "qemu", "tcg", 256),
        (512 * MIB, "linux", "qemu", "tcg", 432),
        (512 * MIB, "linux", "qemu", "kvm", 464),
        (512 * MIB + 1, "linux", "qemu", "kvm", 464),
        (512 * MIB - 1, "linux", "qemu", "kvm", 463),
        (256 * MIB, "linux", "qemu", "tcg", 176),
        (256 * MIB - 1, "linux", "qemu", "tcg", 191),
        (144 * MIB, "linux", "qemu", "tcg", 80),
        (64 * MIB, "mirage", "hvt", "kvm", 60),
        (128 * MIB, "linux", "firecracker", "kvm", 120),
        (128 * MIB, "linux", "cloud-hypervisor", "kvm", 96),
        (None, "mewz", "qemu", "tcg", 512),
    ],
)
def test_the_guest_gets_the_limit_less_the_monitor_s_own_need(limit, guest, monitor, accel, expected):
    assert memory(limit, guest, monitor, accel) == expected


@pytest.mark.parametrize(
    ("limit", "expected"),
    [(None, None), (1 << 30, 1 << 30), (4 << 30, None), (9223372036854771712, None)],
)
def test_a_limit_that_the_host_has_not_got_is_none(limit, expected):
    assert sizing.effective_limit(limit, 4 << 30) == expected


@pytest.mark.parametrize("limit", [300, 1000])
def test_a_larger_default_does_not_exceed_the_limit(limit):
    assert memory(limit * MIB, "linux", "qemu", "kvm", default=4096) < limit


@pytest.mark.parametrize(("guest", "least"), [("linux", 128), ("mewz", 592)])
def test_a_limit_below_the_minimum_names_the_smallest_that_works(guest, least):
    with pytest.raises(Unsupported, match=f"a memory limit of {least - 1} MiB is too small") as caught:
        memory(least * MIB - 1, guest, "qemu", "tcg")
    assert caught.value.hint == f"give it at least {least} MiB"
    assert memory(least * MIB, guest, "qemu", "tcg") == guests.load(guest).MINIMUM_MIB


def vcpus(quota=None, period=None, cpuset="", default=1, host=8, monitor="qemu"):
    monitor = monitors.load(monitor)
    return sizing.vcpus(quota, period, cpuset, default=default, host=host, monitor=monitor)


@pytest.mark.parametrize(
    ("given", "count"),
    [
        ({}, 1),
        ({"default": 3}, 3),
        ({"quota": 200000, "period": 100000}, 2),
        ({"quota": 150000, "period": 100000}, 2),
        ({"quota": 50000, "period": 100000, "default": 4}, 1),
        ({"quota": -1, "period": 100000, "default": 4}, 4),
        ({"quota": 0, "period": 100000}, 1),
        ({"quota": 100000}, 1),
        ({"cpuset": "0-2,5"}, 4),
        ({"cpuset": "3"}, 1),
        ({"cpuset": "0-7", "quota": 300000, "period": 100000}, 3),
        ({"cpuset": "1", "quota": 300000, "period": 100000}, 1),
        ({"cpuset": "nonsense", "default": 2}, 2),
        ({"quota": 1600000, "period": 100000}, 8),
        ({"default": 16, "host": 2}, 2),
        ({"quota": 200000, "period": 100000, "monitor": "hvt"}, 1),
        ({"quota": 200000, "period": 100000, "monitor": "spt"}, 1),
        ({"quota": 6400000, "period": 100000, "host": 64, "monitor": "firecracker"}, 32),
    ],
)
def test_the_guest_gets_as_many_processors_as_the_container_may_use(given, count):
    assert vcpus(**given) == count


def model(wanted, configured="auto", name="qemu"):
    return sizing.model(wanted, configured, monitors.load(name), name)


def test_the_container_chooses_the_kind_of_machine_before_the_configuration():
    assert model("") == "auto"
    assert model("", "q35") == "q35"
    assert model("pc", "q35") == "pc"
    assert model("auto", "q35") == "auto"
    assert model("auto", name="hvt") == "auto"


@pytest.mark.parametrize(("wanted", "name"), [("isapc", "qemu"), ("pc", "firecracker")])
def test_a_machine_that_is_not_there_is_refused(wanted, name):
    with pytest.raises(ConfigError, match=f"run.urunc.machine: {name} has no machine '{wanted}'") as caught:
        model(wanted, name=name)
    assert "auto" in caught.value.hint
