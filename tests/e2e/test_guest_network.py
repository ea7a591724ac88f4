# SPDX-License-Identifier: Apache-2.0
"""The interfaces of a Linux guest are found by their MAC, and get addresses and routes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from capabilities import require
from e2e import linux_guest as guest

from urunc_common.guest import GuestConfig, Interface, Route

if TYPE_CHECKING:
    from pathlib import Path

    from e2e.linux_guest import Result

pytestmark = pytest.mark.vm

FIRST, SECOND = "02:00:00:00:00:01", "02:00:00:00:00:02"
NICS = [
    "-netdev", "user,id=n1,restrict=on", "-device", f"virtio-net-device,netdev=n1,mac={FIRST}",
    "-netdev", "user,id=n2,restrict=on", "-device", f"virtio-net-device,netdev=n2,mac={SECOND}",
]  # fmt: skip
CHECK = guest.script("""
for name in lo eth0 net1; do echo "== $name"; ip address show dev $name; done
echo "== v4"; ip -4 route
echo "== v6"; ip -6 route
""")


@pytest.fixture(scope="module", autouse=True)
def _needs() -> None:
    require("qemu", "linux-kernel")


def config(*interfaces: Interface) -> GuestConfig:
    """The program that shows the network."""
    return GuestConfig(
        ("/check",), env=("PATH=/bin",), interfaces=interfaces, stdio="ports", report=guest.DEBUG_EXIT
    )


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A guest with two interfaces, whose names the kernel gives in the other order."""
    interfaces = (
        Interface(
            SECOND.upper(), 1400, "eth0",
            ("10.0.0.2/24", "10.9.0.2/32", "fd00::2/64"),
            (
                Route("10.0.0.0/24"),
                Route("default", "169.254.1.1"),
                Route("10.1.0.0/16", "10.0.0.7", 50),
                Route("default", "fd00:1::1", 3),
            ),
        ),
        Interface(FIRST, 1500, "net1", ("192.168.7.2/30",), (Route("10.2.0.0/16"),)),
    )  # fmt: skip
    return guest.boot(tmp_path_factory.mktemp("net"), config(*interfaces), [*guest.busybox(), CHECK], *NICS)


def test_interfaces_are_found_by_their_mac_and_renamed(shown: Result) -> None:
    assert shown.messages == []
    for name, mac, mtu in (("eth0", SECOND, 1400), ("net1", FIRST, 1500)):
        assert f"link/ether {mac}" in shown.parts[name]
        assert f"mtu {mtu} " in shown.parts[name]
        assert ",UP" in shown.parts[name]
    assert ",UP" in shown.parts["lo"]


def test_addresses_of_both_families_can_be_used_at_once(shown: Result) -> None:
    lines = shown.parts["eth0"].splitlines()
    found = [line.split()[1] for line in lines if " inet" in line and "fe80" not in line]
    assert sorted(found) == ["10.0.0.2/24", "10.9.0.2/32", "fd00::2/64"]
    assert "tentative" not in next(line for line in lines if "fd00::2" in line)
    assert "inet 192.168.7.2/30" in shown.parts["net1"]


def test_routes_have_their_gateway_even_outside_of_the_subnet(shown: Result) -> None:
    lines = [*shown.parts["v4"].splitlines(), *shown.parts["v6"].splitlines()]
    routes = {" ".join(line.split()) for line in lines}
    assert "default via 169.254.1.1 dev eth0 onlink" in routes
    assert "10.1.0.0/16 via 10.0.0.7 dev eth0 metric 50 onlink" in routes
    assert "10.2.0.0/16 dev net1 scope link" in routes
    assert any(line.startswith("10.0.0.0/24 dev eth0") for line in routes)
    assert "default via fd00:1::1 dev eth0 metric 3 onlink" in routes


@pytest.mark.parametrize(
    ("interface", "message"),
    [
        (Interface("02:00:00:00:00:09", 0, "eth0"),
         "find the interface eth0 (02:00:00:00:00:09): No such device"),
        (Interface(FIRST, 0, "eth0", ("10.0.0.300/24",)),
         "parse the address 10.0.0.300/24: Invalid argument"),
        (Interface(FIRST, 0, "eth0", (), (Route("default", "127.0.0.1"),)),
         "set the route default 127.0.0.1 0: Invalid argument"),
    ],
    ids=["interface", "address", "route"],
)  # fmt: skip
def test_a_program_does_not_run_without_its_network(
    tmp_path: Path, interface: Interface, message: str
) -> None:
    result = guest.boot(tmp_path, config(interface), [*guest.busybox(), CHECK], *NICS)
    assert result.messages == [f"init: {message}"]
    assert (result.status, result.stdout) == (125, b"")
