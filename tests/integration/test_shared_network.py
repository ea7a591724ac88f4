# SPDX-License-Identifier: Apache-2.0
"""Who reaches whom in a pod with guests and ordinary containers, and what is left afterwards."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from capabilities import require
from daemons import run
from namespaces import inside, ip, namespace, path, traces
from peers import ask, guest, seen_as, serving

from urunc import connection, subnet
from urunc.connection import open_line
from urunc.errors import HostError
from urunc.host import tap
from urunc.host.disconnection import disconnect
from urunc.line import Line
from urunc.log import Log
from urunc.network_mode import OWN, SHARED, STATIC
from urunc_common.ports import Ports

if TYPE_CHECKING:
    from collections.abc import Iterator

    from urunc.machine import Network

POD, OUTSIDE = "10.9.8.7", "10.9.8.1"
FIRST = subnet.of_slot(1)


@pytest.fixture
def outside() -> Iterator[str]:
    """The host that the pod is on."""
    require("root")
    with namespace() as name:
        ip("-n", name, "link", "set", "lo", "up")
        yield name


@pytest.fixture
def pod(outside: str) -> Iterator[str]:
    """What a pod's pause container holds."""
    with namespace() as name:
        ip("-n", outside, "link", "add", "veth0", "type", "veth", "peer", "name", "eth0", "netns", name)
        ip("-n", outside, "address", "add", f"{OUTSIDE}/24", "dev", "veth0")
        ip("-n", outside, "link", "set", "veth0", "up")
        ip("-n", name, "link", "set", "lo", "up")
        ip("-n", name, "link", "set", "eth0", "up", "mtu", "1400")
        ip("-n", name, "address", "add", f"{POD}/24", "dev", "eth0")
        ip("-n", name, "route", "add", "default", "via", OUTSIDE)
        # Whether a new namespace forwards depends on the host.
        run("ip", "netns", "exec", name, "sysctl", "--quiet", "net.ipv4.conf.all.forwarding=0")
        yield name


@contextmanager
def connected(
    pod: str,
    *ports: int,
    mode: str = SHARED,
    udp: bool = False,
    id: str = "first",
    persistent: bool = False,
    resolvers: tuple[str, ...] = (),
) -> Iterator[Network]:
    """A guest's network; in the end its tap is gone as when its monitor is killed."""
    declared = tuple(Ports(port, port, "udp" if udp else "tcp") for port in ports) or None
    line = Line(mode, "generic", "qemu", declared, resolvers)
    with inside(pod):
        opened = open_line(line)
        owner = tap.Owner(id, 0, 0, persistent=persistent)
        try:
            yield from connection.connect(opened, owner, Log())
        finally:
            for tun in opened.tuns:
                os.close(tun)


def test_a_declared_port_of_the_pod_is_the_guests(pod: str, outside: str) -> None:
    with connected(pod, 80) as network, guest(network) as machine, serving(machine, 80, "guest"):
        assert ask(outside, POD, 80) == "guest", "from outside"
        assert ask(pod, POD, 80) == "guest", "from a container beside it"
        assert ask(pod, "127.0.0.1", 80) == "guest", "through the loopback"
        assert ask(machine, POD, 80) == "guest", "from the guest itself"


def test_a_guest_sees_who_connects_from_outside(pod: str, outside: str) -> None:
    with connected(pod, 80) as network, guest(network) as machine, serving(machine, 80, "guest"):
        assert seen_as(outside, POD, 80) == OUTSIDE


def test_a_datagram_reaches_a_declared_port_and_is_answered(pod: str, outside: str) -> None:
    with (
        connected(pod, 53, udp=True) as network, guest(network) as machine,
        serving(machine, 53, "guest", udp=True),
    ):  # fmt: skip
        assert ask(outside, POD, 53, udp=True) == "guest"
        assert ask(pod, "127.0.0.1", 53, udp=True) == "guest"


def test_a_guest_reaches_the_outside_under_the_pods_address(pod: str, outside: str) -> None:
    with connected(pod, 80) as network, guest(network) as machine, serving(outside, 8080, "host"):
        assert ask(machine, OUTSIDE, 8080) == "host"
        assert seen_as(machine, OUTSIDE, 8080) == POD
        assert ask(pod, OUTSIDE, 8080) == "host", "the pod's other containers still do, too"


def test_a_guest_reaches_containers_by_the_pods_address_or_the_gateways(pod: str) -> None:
    with (
        connected(pod, 80) as network, guest(network) as machine,
        serving(pod, 9000, "sidecar"), serving(pod, 9001, "private", address="127.0.0.1"),
    ):  # fmt: skip
        assert ask(machine, POD, 9000) == "sidecar"
        assert ask(machine, network.gateway, 9000) == "sidecar"
        assert ask(machine, network.gateway, 9001) == "private", "what listens on the loopback only"


def test_two_guests_of_a_pod_reach_each_other_by_their_ports(pod: str, outside: str) -> None:
    with (
        connected(pod, 80) as one, connected(pod, 81, id="second") as other,
        guest(one) as first, guest(other) as second,
        serving(first, 80, "first"), serving(second, 81, "second"),
    ):  # fmt: skip
        assert (ask(outside, POD, 80), ask(outside, POD, 81)) == ("first", "second")
        assert (ask(first, POD, 81), ask(second, POD, 80)) == ("second", "first")
        assert ask(first, one.gateway, 81) == "second", "as if it were localhost"


def test_without_a_declaration_the_guest_gets_what_no_container_claims(pod: str, outside: str) -> None:
    with (
        connected(pod) as network, guest(network) as machine,
        serving(machine, 80, "guest"), serving(machine, 53, "guest", udp=True),
    ):  # fmt: skip
        assert ask(outside, POD, 80) == "guest"
        assert ask(outside, POD, 53, udp=True) == "guest"
        with serving(pod, 80, "sidecar"):
            assert ask(outside, POD, 80) == "sidecar", "one that started later"


def test_a_declaration_comes_before_one_who_takes_the_rest(pod: str, outside: str) -> None:
    with (
        connected(pod) as one, connected(pod, 81, id="second") as other,
        guest(one) as first, guest(other) as second,
        serving(first, 80, "first"), serving(first, 81, "first"), serving(second, 81, "second"),
    ):  # fmt: skip
        assert (ask(outside, POD, 80), ask(outside, POD, 81)) == ("first", "second")


def test_what_a_declaration_leaves_out_is_not_the_guests(pod: str, outside: str) -> None:
    with connected(pod, 80) as network, guest(network) as machine, serving(machine, 81, "guest"):
        assert ask(outside, POD, 81) != "guest"


def test_the_guest_of_knative_is_where_its_proxy_looks(pod: str, outside: str) -> None:
    with (
        connected(pod, mode=STATIC) as network, guest(network) as machine,
        serving(machine, 8080, "guest"), serving(outside, 8080, "host"),
    ):  # fmt: skip
        assert (network.address, network.prefix, network.gateway) == ("172.16.1.2", 24, "172.16.1.1")
        assert ask(pod, "172.16.1.2", 8080) == "guest"
        assert ask(machine, OUTSIDE, 8080) == "host"
        assert ask(outside, POD, 8080) != "guest"


def test_the_link_carries_what_the_pods_does(pod: str) -> None:
    with connected(pod) as network:
        assert network.mtu == 1400


def test_a_killed_guests_slot_and_table_are_taken_over(pod: str, outside: str) -> None:
    with connected(pod, 80, id="killed"):
        pass
    assert traces(pod) == ["table ip urunc1"]
    with connected(pod, 81) as network, guest(network) as machine, serving(machine, 81, "guest"):
        assert network.tap == "urunc1"
        disconnect(path(pod), "killed")
        assert ask(outside, POD, 81) == "guest"


def test_a_tap_that_its_monitor_has_yet_to_open_is_not_taken(pod: str) -> None:
    with connected(pod, 80, persistent=True):
        pass
    with connected(pod, 81, id="second") as network:
        assert network.tap == "urunc2"


def test_what_a_guest_alone_left_does_not_disturb_one_that_shares(pod: str, outside: str) -> None:
    with connected(pod, mode=OWN, id="killed"):
        pass
    assert traces(pod) == ["ingress"]
    with connected(pod, 80) as network, guest(network) as machine, serving(machine, 80, "guest"):
        assert ask(outside, POD, 80) == "guest"


@pytest.mark.parametrize("persistent", [True, False])
def test_detach_removes_every_trace_and_no_others(pod: str, *, persistent: bool) -> None:
    with connected(pod, 81, id="second"):
        with connected(pod, 80, persistent=persistent):
            pass
        for _ in range(2):
            disconnect(path(pod), "first")
        assert traces(pod) == ["urunc1", "table ip urunc1"]
    disconnect(path(pod), "second")
    assert traces(pod) == []


@pytest.mark.parametrize(("one", "other"), [(OWN, SHARED), (SHARED, OWN)])
def test_a_guest_that_shares_and_one_that_does_not_are_not_mixed(pod: str, one: str, other: str) -> None:
    with connected(pod, mode=one), pytest.raises(HostError, match="unikernel first is there") as caught:
        connected(pod, mode=other, id="second").__enter__()
    assert "run.urunc.network=shared" in caught.value.hint


def test_a_pod_with_a_loopback_alone_has_a_link_too() -> None:
    require("root")
    with namespace() as pod:
        ip("-n", pod, "link", "set", "lo", "up")
        with connected(pod, 80) as network, guest(network) as machine, serving(machine, 80, "guest"):
            assert ask(pod, "127.0.0.1", 80) == "guest"


@pytest.mark.parametrize("udp", [True, False])
def test_a_name_server_on_the_loopback_answers_the_guest(pod: str, *, udp: bool) -> None:
    with (
        serving(pod, 40123, "names", address="127.0.0.11", udp=udp),
        connected(pod, 80, resolvers=("127.0.0.11",)) as network,
        guest(network) as machine,
    ):
        assert ask(machine, subnet.NAMESERVER, 53, udp=udp) == "names"
