# SPDX-License-Identifier: Apache-2.0
"""Every guest and every monitor keeps its interface; adding one is a file and a line."""

from __future__ import annotations

import inspect

import pytest
from sample_guests import X86_ONLY, arguments, root

from urunc import guests, monitors, settings
from urunc.errors import Unsupported
from urunc.machine import (
    COMPRESSED,
    EXT,
    NEWC,
    App,
    Block,
    ContainerRoot,
    Facts,
    Guest,
    Initrd,
    LaunchPlan,
    Machine,
    Share,
)
from urunc.plan import Host, plan
from urunc.roots import Choice
from urunc_common import rules
from urunc_common.config import UnikernelConfig

KNOWN = {guests: rules.GUESTS, monitors: rules.MONITORS}
# As guests are given the words `app` and `a b`.
SPELLINGS = (
    b"app a b",
    b"app 'a b'",
    b'app "a b"',
    b'app \\"a b\\"',
    b"arg 3\napp\narg 3\na b\n",
    b"ARV:app\nARV:a b\n",
)
NOBODY = """
from urunc.machine import ContainerRoot, Guest
MINIMUM_MIB, ROOTS, CONTAINER, PLACES, BOOTS_FROM_INITRD, NICS = 1, (), ContainerRoot(), (), False, 1
def describe(facts):
    return Guest(f"nobody {facts.app.args[0]}")
"""
NOTHING = """
from urunc.machine import LaunchPlan
BINARY = PACKAGE = {"x86_64": "true"}
TAKES_TAP_FD = OVERLAYS = EMULATES = False
LARGEST_MTU = 1500
OFFERS = frozenset()
MODELS, MOST_VCPUS = (), 1
def overhead_mib(accel, *, tight):
    return 0
def launch(machine):
    return LaunchPlan(("true", machine.guest.cmdline))
"""


@pytest.mark.parametrize("name", rules.GUESTS)
def test_every_guest_keeps_the_contract(name):
    guest = guests.load(name)
    assert isinstance(guest.describe(Facts(App(("app",)), root=root(name))), Guest)
    assert guest.MINIMUM_MIB > 0
    assert set(guest.ROOTS) <= {Initrd, Block, Share}
    assert isinstance(guest.CONTAINER, ContainerRoot)
    assert isinstance(guest.BOOTS_FROM_INITRD, bool)
    assert set(guest.PLACES) <= {NEWC, COMPRESSED, EXT}
    assert guest.NICS > 0
    assert list(inspect.signature(guest.describe).parameters) == ["facts"]


@pytest.mark.parametrize("name", sorted(X86_ONLY))
def test_a_guest_for_x86_alone_says_so(name):
    with pytest.raises(Unsupported, match=f"a {name} unikernel boots on x86_64, not on aarch64"):
        guests.load(name).describe(Facts(App(("app",)), root=root(name), arch="aarch64"))


@pytest.mark.parametrize("name", rules.MONITORS)
def test_every_monitor_keeps_the_contract(name):
    monitor = monitors.load(name)
    machine = Machine("/kernel", Guest("app"))
    assert isinstance(monitor.launch(machine), LaunchPlan)
    assert monitor.launch(machine).argv[0] == monitor.BINARY["x86_64"]
    assert monitor.BINARY.keys() == monitor.PACKAGE.keys() >= {"x86_64", "aarch64"}
    assert isinstance(monitor.TAKES_TAP_FD, bool)
    assert 1500 <= monitor.LARGEST_MTU <= 65521
    assert isinstance(monitor.OFFERS, frozenset)
    assert isinstance(monitor.OVERLAYS, bool)
    assert isinstance(monitor.EMULATES, bool)
    for accel in ("kvm", "tcg"):
        assert monitor.overhead_mib(accel, tight=False) >= monitor.overhead_mib(accel, tight=True) > 0
    assert monitor.MOST_VCPUS > 0
    assert isinstance(monitor.MODELS, tuple)
    assert settings._MACHINES.get(name, ("auto",)) == ("auto", *monitor.MODELS)
    with pytest.raises(Unsupported, match="riscv64"):
        monitor.launch(machine.replace(arch="riscv64"))
    with pytest.raises(Unsupported, match="cannot provide a fifth wheel"):
        monitor.launch(machine.replace(guest=Guest("app", quirks=frozenset({"a fifth wheel"}))))


@pytest.mark.parametrize(("monitor", "guest"), [(m, g) for m, able in rules.PAIRS.items() for g in able])
def test_every_pair_can_be_planned(monitor, guest):
    config = UnikernelConfig(guest, monitor, "/kernel")
    launch = plan(config, App(arguments(guest)), (), Choice(root(guest)), host=Host())
    said = [*(word.encode() for word in launch.argv), *(file.content for file in launch.files)]
    assert any(b"/kernel" in word for word in said)
    assert any(argument in word for word in said for argument in SPELLINGS) or len(arguments(guest)) == 1


@pytest.mark.parametrize(
    ("family", "kind"), [(guests, "unikernel type"), (monitors, "hypervisor")], ids=["guest", "monitor"]
)
@pytest.mark.parametrize("name", ["templeos", "", "_words", "_solo5"])
def test_an_unknown_name_is_refused_with_the_known_ones(family, kind, name):
    with pytest.raises(Unsupported, match=f"unknown {kind}") as caught:
        family.load(name)
    assert caught.value.hint == f"known: {', '.join(KNOWN[family])}"


def test_a_guest_and_a_monitor_are_one_file_and_one_line_each(tmp_path, monkeypatch):
    (tmp_path / "nobody.py").write_text(NOBODY)
    (tmp_path / "no_thing.py").write_text(NOTHING)
    for family in (guests, monitors):
        monkeypatch.setattr(family, "__path__", [*family.__path__, str(tmp_path)])
    monkeypatch.setattr(guests, "GUESTS", (*guests.GUESTS, "nobody"))
    monkeypatch.setattr(monitors, "MONITORS", (*monitors.MONITORS, "no-thing"))
    config = UnikernelConfig("nobody", "no-thing", "/kernel")
    assert plan(config, App(("x",)), (), Choice(None), host=Host()).argv == ("true", "nobody x")
