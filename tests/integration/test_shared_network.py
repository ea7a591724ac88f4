# SPDX-License-Identifier: Apache-2.0
"""Who reaches whom in a pod with guests and ordinary containers, and what is left afterwards."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from capabilities import require
from daemons import run
from namespaces import inside, ip, namespace, path, traces
from peers import ask, guest, seen_as, serving
from private import private_mounts

from urunc import connection, subnet
from urunc.connection import open_line
from urunc.errors import HostError
from urunc.host import expressions, nftables, tap
from urunc.host.disconnection import disconnect
from urunc.host.netlink import NETFILTER, Socket
from urunc.line import Line
from urunc.log import Log
from urunc.network_mode import OWN, SHARED, STATIC
from urunc_common.ports import Ports, parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from urunc.machine import Network


@dataclass(frozen=True)
class Addresses:
    """Those of one version of IP, and a guest that has it."""

    guest: str
    pod: str
    outside: str
    loopback: str
    any: str
    tables: tuple[str, ...]
    """Of the first guest."""

    def gateway(self, network: Network) -> str:
        """A guest's."""
        return network.routes[0].gateway if ":" in self.pod else network.gateway


IP, IP6 = "table ip urunc1", "table ip6 urunc1"
V4 = Addresses("generic", "10.9.8.7", "10.9.8.1", "127.0.0.1", "0.0.0.0", (IP,))
V6 = Addresses("linux", "fd00:9:8:7::7", "fd00:9:8:7::1", "::1", "::", (IP, IP6))
NO_SUCH_PROTOCOL = 23  # of netlink
LACKING = (
    "make the table urunc1 of nftables: the kernel lacks nftables, or its fib, nat, masq or socket ({}); "
    "load what is missing: modprobe -a nf_tables nft_chain_nat nft_fib_ipv4 nft_fib_ipv6 nft_masq nft_socket"
    ", or give a container that is alone in its pod the annotation run.urunc.network=own"
)
POD, OUTSIDE = V4.pod, V4.outside
each_version = pytest.mark.parametrize("at", [V4, V6], ids=["IPv4", "IPv6"])


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
        ip("-n", outside, "address", "add", f"{V6.outside}/64", "dev", "veth0", "nodad")
        ip("-n", outside, "link", "set", "veth0", "up")
        ip("-n", name, "link", "set", "lo", "up")
        ip("-n", name, "link", "set", "eth0", "up", "mtu", "1400")
        ip("-n", name, "address", "add", f"{POD}/24", "dev", "eth0")
        ip("-n", name, "address", "add", f"{V6.pod}/64", "dev", "eth0", "nodad")
        ip("-n", name, "route", "add", "default", "via", OUTSIDE)
        ip("-n", name, "route", "add", "default", "via", V6.outside)
        # Whether a new namespace forwards depends on the host.
        for version in ("ipv4", "ipv6"):
            run("ip", "netns", "exec", name, "sysctl", "--quiet", f"net.{version}.conf.all.forwarding=0")
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
    guest: str = "generic",
    declared: str = "",
) -> Iterator[Network]:
    """A guest's network; in the end its tap is gone as when its monitor is killed."""
    listed = tuple(Ports(port, port, "udp" if udp else "tcp") for port in ports)
    line = Line(mode, guest, "qemu", parse(declared) or listed or None, resolvers, ipv6=guest == "linux")
    with inside(pod):
        opened = open_line(line)
        owner = tap.Owner(id, 0, 0, persistent=persistent)
        try:
            yield from connection.connect(opened, owner, Log())
        finally:
            for descriptor in (*opened.tuns, *([opened.switches] if opened.switches >= 0 else [])):
                os.close(descriptor)


def switch(name: str, key: str) -> str:
    """How a switch of a namespace's network is set."""
    return run("ip", "netns", "exec", name, "sysctl", "--values", f"net.{key}").stdout.strip()


@each_version
def test_a_declared_port_of_the_pod_is_the_guests(pod: str, outside: str, at: Addresses) -> None:
    with (
        connected(pod, 80, guest=at.guest) as network, guest(network) as machine,
        serving(machine, 80, "guest", address=at.any),
    ):  # fmt: skip
        assert ask(outside, at.pod, 80) == "guest", "from outside"
        assert ask(pod, at.pod, 80) == "guest", "from a container beside it"
        assert ask(pod, at.loopback, 80) == "guest", "through the loopback"
        assert ask(machine, at.pod, 80) == "guest", "from the guest itself"


@each_version
def test_a_range_of_ports_is_declared_with_its_first_and_last(pod: str, outside: str, at: Addresses) -> None:
    with (
        connected(pod, guest=at.guest, declared="79-81") as network, guest(network) as machine,
        serving(machine, 78, "guest", address=at.any), serving(machine, 79, "guest", address=at.any),
        serving(machine, 81, "guest", address=at.any), serving(machine, 82, "guest", address=at.any),
    ):  # fmt: skip
        answers = [ask(outside, at.pod, port) == "guest" for port in (78, 79, 81, 82)]
        assert answers == [False, True, True, False]


@each_version
def test_a_guest_sees_who_connects_from_outside(pod: str, outside: str, at: Addresses) -> None:
    with (
        connected(pod, 80, guest=at.guest) as network, guest(network) as machine,
        serving(machine, 80, "guest", address=at.any),
    ):  # fmt: skip
        assert seen_as(outside, at.pod, 80) == at.outside


@each_version
def test_a_datagram_reaches_a_declared_port_and_is_answered(pod: str, outside: str, at: Addresses) -> None:
    with (
        connected(pod, 53, udp=True, guest=at.guest) as network, guest(network) as machine,
        serving(machine, 53, "guest", udp=True, address=at.any),
    ):  # fmt: skip
        assert ask(outside, at.pod, 53, udp=True) == "guest"
        assert ask(pod, at.loopback, 53, udp=True) == "guest"


@each_version
def test_a_guest_reaches_the_outside_under_the_pods_address(pod: str, outside: str, at: Addresses) -> None:
    with (
        connected(pod, 80, guest=at.guest) as network, guest(network) as machine,
        serving(outside, 8080, "host", address=at.any),
    ):  # fmt: skip
        assert ask(machine, at.outside, 8080) == "host"
        assert seen_as(machine, at.outside, 8080) == at.pod
        assert ask(pod, at.outside, 8080) == "host", "the pod's other containers still do, too"


@each_version
def test_a_guest_reaches_containers_by_the_pods_address_or_the_gateways(pod: str, at: Addresses) -> None:
    with (
        connected(pod, 80, guest=at.guest) as network, guest(network) as machine,
        serving(pod, 9000, "sidecar", address=at.any), serving(pod, 9001, "private", address=at.loopback),
    ):  # fmt: skip
        assert ask(machine, at.pod, 9000) == "sidecar"
        assert ask(machine, at.gateway(network), 9000) == "sidecar"
        assert ask(machine, at.gateway(network), 9001) == "private", "what listens on the loopback only"


@each_version
def test_two_guests_of_a_pod_reach_each_other_by_their_ports(pod: str, outside: str, at: Addresses) -> None:
    with (
        connected(pod, 80, guest=at.guest) as one, connected(pod, 81, id="second", guest=at.guest) as other,
        guest(one) as first, guest(other) as second,
        serving(first, 80, "first", address=at.any), serving(second, 81, "second", address=at.any),
    ):  # fmt: skip
        assert (ask(outside, at.pod, 80), ask(outside, at.pod, 81)) == ("first", "second")
        assert (ask(first, at.pod, 81), ask(second, at.pod, 80)) == ("second", "first")
        assert ask(first, at.gateway(one), 81) == "second", "as if it were localhost"


@each_version
def test_without_a_declaration_the_guest_gets_what_no_container_claims(
    pod: str, outside: str, at: Addresses
) -> None:
    with (
        connected(pod, guest=at.guest) as network, guest(network) as machine,
        serving(machine, 80, "guest", address=at.any),
        serving(machine, 53, "guest", udp=True, address=at.any),
    ):  # fmt: skip
        assert ask(outside, at.pod, 80) == "guest"
        assert ask(outside, at.pod, 53, udp=True) == "guest"
        with serving(pod, 80, "sidecar", address=at.any):
            assert ask(outside, at.pod, 80) == "sidecar", "one that started later"


def test_a_guest_that_knows_no_ipv6_leaves_it_to_the_pod(pod: str, outside: str) -> None:
    with connected(pod, 80) as network, serving(pod, 80, "sidecar", address="::"):
        assert (network.more, network.routes) == ((), ())
        assert ask(outside, V6.pod, 80) == "sidecar"
        assert switch(pod, "ipv6.conf.all.forwarding") == "0"


def test_a_pod_without_ipv6_gives_its_guests_none(pod: str) -> None:
    ip("-n", pod, "address", "delete", f"{V6.pod}/64", "dev", "eth0")
    with connected(pod, 80, guest="linux") as network:
        assert network.more == ()
        assert traces(pod) == ["urunc1", "table ip urunc1"]


def test_a_pod_that_has_nothing_but_ipv6_serves_by_it(pod: str, outside: str) -> None:
    ip("-n", pod, "address", "delete", f"{V4.pod}/24", "dev", "eth0")
    with (
        connected(pod, 80, guest="linux") as network, guest(network) as machine,
        serving(machine, 80, "guest", address="::"), serving(outside, 8080, "host", address="::"),
    ):  # fmt: skip
        assert ask(outside, V6.pod, 80) == "guest"
        assert ask(machine, V6.outside, 8080) == "host"


def test_links_that_listen_to_routers_still_do(pod: str) -> None:
    for name in ("eth0", "default"):
        run("ip", "netns", "exec", pod, "sysctl", "--quiet", f"net.ipv6.conf.{name}.accept_ra=1")
    run("ip", "netns", "exec", pod, "sysctl", "--quiet", "net.ipv6.conf.lo.accept_ra=0")
    with connected(pod, 80, guest="linux"):
        assert switch(pod, "ipv6.conf.all.forwarding") == "1"
        assert [switch(pod, f"ipv6.conf.{one}.accept_ra") for one in ("eth0", "default", "lo")] == [
            "2",
            "2",
            "0",
        ]


def test_a_link_gets_ipv6_also_where_new_ones_have_none(pod: str, outside: str) -> None:
    run("ip", "netns", "exec", pod, "sysctl", "--quiet", "net.ipv6.conf.default.disable_ipv6=1")
    with (
        connected(pod, 80, guest="linux") as network, guest(network) as machine,
        serving(machine, 80, "guest", address="::"),
    ):  # fmt: skip
        assert ask(outside, V6.pod, 80) == "guest"


def test_packets_too_small_for_ipv6_leave_it_out_and_it_is_said(
    pod: str, capfd: pytest.CaptureFixture[str]
) -> None:
    # A link may get so small and keep its addresses only where the namespace has them on another one.
    ip("-n", pod, "link", "add", "br0", "up", "type", "bridge")
    ip("-n", pod, "address", "add", "fd00:9:8::1/64", "dev", "br0", "nodad")
    ip("-n", pod, "link", "set", "eth0", "mtu", "1000")
    with connected(pod, 80, guest="linux") as network:
        assert network.more == ()
    assert "an MTU of 1000 is too small for IPv6: the guest has IPv4 only" in capfd.readouterr().err


def test_a_declaration_comes_before_one_who_takes_the_rest(pod: str, outside: str) -> None:
    with (
        connected(pod) as one, connected(pod, 81, id="second") as other,
        guest(one) as first, guest(other) as second,
        serving(first, 80, "first"), serving(first, 81, "first"), serving(second, 81, "second"),
    ):  # fmt: skip
        assert (ask(outside, POD, 80), ask(outside, POD, 81)) == ("first", "second")


@pytest.mark.parametrize("ports", [(), (80,)], ids=["the rest", "declared"])
@each_version
def test_what_two_guests_want_goes_to_the_first(
    pod: str, outside: str, at: Addresses, ports: tuple[int, ...]
) -> None:
    with (
        connected(pod, *ports, guest=at.guest) as one,
        connected(pod, *ports, id="second", guest=at.guest) as other,
        guest(one) as first, guest(other) as second,
        serving(first, 80, "first", address=at.any), serving(second, 80, "second", address=at.any),
    ):  # fmt: skip
        assert ask(outside, at.pod, 80) == "first"
        disconnect(path(pod), "first")
        assert ask(outside, at.pod, 80) == "second"


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


@each_version
def test_a_killed_guests_slot_and_tables_are_taken_over(pod: str, outside: str, at: Addresses) -> None:
    with connected(pod, 80, id="killed", guest=at.guest):
        pass
    assert traces(pod) == [*at.tables]
    with (
        connected(pod, 81, guest=at.guest) as network, guest(network) as machine,
        serving(machine, 81, "guest", address=at.any),
    ):  # fmt: skip
        assert network.tap == "urunc1"
        disconnect(path(pod), "killed")
        assert ask(outside, at.pod, 81) == "guest"


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


@each_version
@pytest.mark.parametrize("persistent", [True, False])
def test_detach_removes_every_trace_and_no_others(pod: str, at: Addresses, *, persistent: bool) -> None:
    with connected(pod, 81, id="second", guest=at.guest):
        with connected(pod, 80, persistent=persistent, guest=at.guest):
            pass
        for _ in range(2):
            disconnect(path(pod), "first")
        assert traces(pod) == ["urunc1", *at.tables]
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


def test_a_kernel_without_a_part_of_nftables_is_named_as_the_cause(
    pod: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = (expressions._expression("no-such-expression"),)
    monkeypatch.setattr(expressions, "masquerade", lambda: rule)
    with pytest.raises(HostError) as caught:
        connected(pod, 80).__enter__()
    assert caught.value.sentence == LACKING.format("No such file or directory")
    assert traces(pod) == []


def test_a_kernel_without_nftables_is_named_as_the_cause(pod: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(protocol: int) -> Socket:
        return Socket(NO_SUCH_PROTOCOL if protocol == NETFILTER else protocol)

    monkeypatch.setattr(nftables, "Socket", missing)
    with pytest.raises(HostError) as caught:
        connected(pod, 80).__enter__()
    assert caught.value.sentence == LACKING.format("Protocol not supported")
    assert traces(pod) == []


def test_a_namespace_that_may_not_forward_is_named_as_the_cause(pod: str) -> None:
    with private_mounts():
        run("mount", "--bind", "/proc/sys", "/proc/sys")
        run("mount", "-o", "remount,bind,ro", "/proc/sys")
        with pytest.raises(HostError, match="for the guest's IPv6: Read-only file system"):
            connected(pod, 80, guest="linux").__enter__()
    assert traces(pod) == []
