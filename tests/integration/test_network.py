# SPDX-License-Identifier: Apache-2.0
"""The guest's tap in real network namespaces: the test is the guest, and the host at the other end."""

from __future__ import annotations

import fcntl
import os
import select
import socket
import struct
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from capabilities import require
from namespaces import inside, ip, namespace, path, tc, traces
from peers import ask, guest, serving

from urunc import connection
from urunc.errors import HostError
from urunc.host import network, tap
from urunc.host.disconnection import disconnect
from urunc.line import Line
from urunc.log import Log
from urunc.machine import Address, Network, Route
from urunc.network_mode import OWN
from urunc.subnet import NAMESERVER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TYPE = 0x88B5  # an Ethernet type for experiments: nothing else on the wire has it
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 2, 0x1000
NOBODY = 65534
TAP, SECOND = network.tap_name(0), network.tap_name(1)


@pytest.fixture
def container() -> Iterator[str]:
    """A network namespace as an engine makes it."""
    require("root")
    with namespace() as name:
        yield name


@pytest.fixture
def wire(container: str) -> Iterator[socket.socket]:
    """The host's end of the container's eth0."""
    with namespace() as host:
        ip("-n", host, "link", "add", "veth0", "type", "veth", "peer", "name", "eth0", "netns", container)
        ip("-n", host, "link", "set", "veth0", "up")
        ip("-n", container, "link", "set", "eth0", "up", "mtu", "1400", "address", "02:00:00:00:00:02")
        ip("-n", container, "address", "add", "10.9.8.7/24", "dev", "eth0")
        ip("-n", container, "route", "add", "default", "via", "10.9.8.1")
        wait_for_carrier(host)
        with inside(host):
            end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        with end:
            end.bind(("veth0", TYPE))
            end.settimeout(10)
            yield end


def wait_for_carrier(host: str) -> None:
    """Until the kernel has noticed, in its own time, that the other end is up, it drops what is sent."""
    deadline = time.monotonic() + 10
    while ip("-n", host, "link", "show", "veth0")[0]["operstate"] != "UP":
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextmanager
def connected(
    container: str,
    id: str = "first",
    *,
    persistent: bool = False,
    guest: str = "linux",
    log: Log | None = None,
    resolvers: tuple[str, ...] = (),
) -> Iterator[tuple[Network, ...]]:
    """A guest's networks; at the end they are gone as when the monitor is killed."""
    monitor = "spt" if persistent else "qemu"
    with inside(container):
        opened = connection.open_line(Line(OWN, guest, monitor, resolvers=resolvers))
        try:
            owner = tap.Owner(id, NOBODY, NOBODY, persistent=persistent)
            yield connection.connect(opened, owner, log or Log())
        finally:
            for tun in opened.tuns:
                os.close(tun)


@contextmanager
def attached(container: str, id: str = "first", *, persistent: bool = False) -> Iterator[int]:
    """A guest's first tap."""
    with connected(container, id, persistent=persistent) as networks:
        yield networks[0].fd


def frame(text: bytes) -> bytes:
    return b"\xff" * 6 + b"\x02\0\0\0\0\x09" + TYPE.to_bytes(2, "big") + text.ljust(50, b".")


def received(tap: int, wanted: bytes, header: int) -> bool:
    """Whether the guest sees a frame, among what the namespace's own stack sends."""
    while select.select([tap], [], [], 10)[0]:
        if os.read(tap, 2000)[header:] == wanted:
            return True
    return False


def check_traffic(wire: socket.socket, tap: int, header: int) -> None:
    inwards, outwards = frame(b"to the guest"), frame(b"from the guest")
    wire.send(inwards)
    assert received(tap, inwards, header)
    os.write(tap, bytes(header) + outwards)
    assert wire.recv(2000) == outwards


def redirections(container: str, link: str) -> list[Any]:
    filters = tc("-n", container, "filter", "show", "dev", link, "ingress")
    return [one for one in filters if "actions" in one.get("options", {})]


def as_nobody(action: Callable[[], object]) -> int:
    """The exit status of a process without privileges that does it."""
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            action()
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitpid(pid, 0)[1]


def take(end: int) -> None:
    """Open the tap by its name, as Solo5 does."""
    fcntl.ioctl(end, TUNSETIFF, struct.pack("16sH22x", TAP.encode(), IFF_TAP | IFF_NO_PI))


@pytest.mark.usefixtures("wire")
def test_the_guest_gets_what_the_containers_interface_has(container: str) -> None:
    with connected(container) as (found,):
        assert found == Network(
            TAP, "02:00:00:00:00:02", "10.9.8.7", 24, "10.9.8.1", 1400, found.fd, name="eth0"
        )


@pytest.mark.usefixtures("wire")
def test_further_addresses_and_routes_are_found(container: str) -> None:
    ip("-n", container, "address", "add", "fd00::7/64", "dev", "eth0", "nodad")
    ip("-n", container, "address", "add", "10.9.8.8/24", "dev", "eth0")
    ip("-n", container, "route", "add", "10.77.0.0/16", "via", "10.9.8.2", "metric", "5")
    ip("-n", container, "route", "add", "10.78.0.0/16", "dev", "eth0")
    ip("-n", container, "-6", "route", "add", "default", "via", "fd00::1")
    ip(
        "-n",
        container,
        "route",
        "add",
        "10.79.0.0/16",
        "nexthop",
        "via",
        "10.9.8.2",
        "nexthop",
        "via",
        "10.9.8.3",
    )
    ip("-n", container, "route", "add", "10.80.0.0/16", "via", "inet6", "fd00::1")
    ip("-n", container, "route", "add", "blackhole", "10.81.0.0/16")
    with connected(container) as (found,):
        assert found.more == (Address("10.9.8.8", 24), Address("fd00::7", 64))
        assert set(found.routes) == {
            Route("10.77.0.0/16", "10.9.8.2", 5), Route("10.78.0.0/16"), Route("default", "fd00::1", 1024),
        }  # fmt: skip


def test_a_namespace_with_only_a_loopback_gives_no_network(container: str) -> None:
    ip("-n", container, "link", "set", "lo", "up")
    with connected(container) as networks:
        assert networks == ()


def test_an_interface_without_an_address_gives_none_and_that_is_said(container: str, tmp_path: Path) -> None:
    ip("-n", container, "link", "add", "eth0", "type", "veth", "peer", "name", "other")
    with (tmp_path / "log").open("w+") as log, connected(container, log=Log(log.fileno())) as networks:
        assert networks == ()
        log.seek(0)
        assert "no address on eth0" in log.read().replace("other, eth0", "eth0").replace(
            "eth0, other", "eth0"
        )
    assert traces(container) == []


def test_every_interface_is_the_guests(container: str) -> None:
    with namespace() as near, namespace() as far:
        for number, (end, other) in enumerate([("eth0", near), ("net1", far)], start=1):
            ip("-n", other, "link", "add", "veth0", "type", "veth", "peer", "name", end, "netns", container)
            ip("-n", other, "address", "add", f"10.9.{number}.1/24", "dev", "veth0")
            ip("-n", other, "address", "add", f"fd00:{number}::1/64", "dev", "veth0", "nodad")
            ip("-n", other, "link", "set", "veth0", "up")
            ip("-n", container, "address", "add", f"10.9.{number}.7/24", "dev", end)
            ip("-n", container, "address", "add", f"fd00:{number}::7/64", "dev", end, "nodad")
            ip("-n", container, "link", "set", end, "up")
        ip("-n", container, "route", "add", "default", "via", "10.9.2.1")
        with connected(container) as networks:
            assert [(one.name, one.tap) for one in networks] == [("net1", TAP), ("eth0", SECOND)]
            for network_, other, number in zip(networks, (far, near), (2, 1), strict=True):
                with guest(network_) as machine, serving(other, 80, str(number)):
                    assert ask(machine, f"10.9.{number}.1", 80) == str(number)
                with guest(network_) as machine, serving(machine, 80, "guest", address="::"):
                    assert ask(other, f"fd00:{number}::7", 80) == "guest"
        disconnect(path(container), "first")
        assert traces(container) == []


def test_a_guest_with_one_network_gets_the_first_and_leaves_the_rest_alone(
    container: str, wire: socket.socket, tmp_path: Path
) -> None:
    ip("-n", container, "link", "add", "net1", "type", "veth", "peer", "name", "other")
    ip("-n", container, "address", "add", "10.1.1.1/24", "dev", "net1")
    with (tmp_path / "log").open("w+") as log:
        with connected(container, guest="mirage", log=Log(log.fileno())) as networks:
            assert [one.name for one in networks] == ["eth0"]
            assert redirections(container, "net1") == []
            check_traffic(wire, networks[0].fd, header=10)
        log.seek(0)
        assert "does not get net1" in log.read()


def test_frames_pass_between_the_wire_and_the_guests_descriptor(container: str, wire: socket.socket) -> None:
    with attached(container) as end:
        check_traffic(wire, end, header=10)


@pytest.mark.usefixtures("wire")
def test_the_tap_is_like_the_interface_and_has_no_address(container: str) -> None:
    with attached(container):
        link = ip("-n", container, "address", "show", "dev", TAP)[0]
        eth0 = ip("-n", container, "address", "show", "dev", "eth0")[0]
    assert (link["mtu"], link["addr_info"], "UP" in link["flags"]) == (1400, [], True)
    assert eth0["addr_info"][0]["local"] == "10.9.8.7"


def test_a_persistent_tap_is_opened_by_its_name_by_its_user(container: str, wire: socket.socket) -> None:
    with attached(container, persistent=True):
        pass
    with inside(container):
        own = tap.open_tun()
    assert not as_nobody(lambda: take(own))
    check_traffic(wire, own, header=0)
    os.close(own)


def test_a_descriptor_of_the_tap_works_for_any_user(container: str, wire: socket.socket) -> None:
    outwards = frame(b"from nobody")
    with attached(container) as end:
        assert not as_nobody(lambda: os.write(end, bytes(10) + outwards))
    assert wire.recv(2000) == outwards


def test_what_a_killed_predecessor_left_does_not_disturb(container: str, wire: socket.socket) -> None:
    with attached(container, "killed"):
        pass
    assert traces(container) == ["ingress"]
    with attached(container) as end:
        check_traffic(wire, end, header=10)
        assert len(redirections(container, "eth0")) == 1


def test_a_persistent_tap_of_a_dead_container_is_taken_over(container: str, wire: socket.socket) -> None:
    with attached(container, "dead", persistent=True):
        pass
    assert TAP in traces(container)
    with attached(container) as end:
        check_traffic(wire, end, header=10)
    assert TAP not in traces(container), "it ends with the monitor, whoever made it"


def test_a_second_unikernel_in_a_namespace_is_refused(container: str, wire: socket.socket) -> None:
    with attached(container) as end:
        with pytest.raises(HostError, match=r"make tap0_urunc for eth0: .*busy") as caught:
            attached(container, "second").__enter__()
        assert "run.urunc.network=shared" in caught.value.hint
        check_traffic(wire, end, header=10)


@pytest.mark.parametrize("persistent", [True, False])
def test_detach_removes_every_trace(container: str, wire: socket.socket, *, persistent: bool) -> None:
    with attached(container, persistent=persistent):
        pass
    assert traces(container)
    disconnect(path(container), "first")
    assert traces(container) == []
    # The namespace has its network back.
    with inside(container):
        own = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(TYPE))
    with own:
        own.settimeout(10)
        wire.send(frame(b"to the namespace"))
        assert own.recv(2000) == frame(b"to the namespace")


@pytest.mark.usefixtures("wire")
def test_detach_is_repeatable(container: str) -> None:
    for _ in range(2):
        disconnect(path(container), "first")
    with attached(container, persistent=True):
        pass
    for _ in range(2):
        disconnect(path(container), "first")
    assert traces(container) == []


def test_detach_leaves_a_successor_alone(container: str, wire: socket.socket) -> None:
    with attached(container, "successor") as end:
        disconnect(path(container), "first")
        check_traffic(wire, end, header=10)


@pytest.mark.usefixtures("wire")
def test_detach_leaves_others_filters_alone(container: str) -> None:
    tc("-n", container, "qdisc", "add", "dev", "eth0", "ingress")
    tc(
        "-n",
        container,
        "filter",
        "add",
        "dev",
        "eth0",
        "ingress",
        "prio",
        "1",
        "u32",
        "match",
        "u32",
        "0",
        "0",
    )
    disconnect(path(container), "first")
    assert len(tc("-n", container, "filter", "show", "dev", "eth0", "ingress")) > 0


def test_detach_from_a_namespace_that_is_gone_is_fine(tmp_path: os.PathLike[str]) -> None:
    require("root")
    unmounted = os.path.join(tmp_path, "unmounted")
    open(unmounted, "w").close()
    disconnect(unmounted, "first")
    disconnect(os.path.join(tmp_path, "missing"), "first")


@pytest.mark.usefixtures("wire")
def test_detach_returns_to_its_own_namespace(container: str) -> None:
    before = os.stat("/proc/self/ns/net").st_ino
    disconnect(path(container), "first")
    assert os.stat("/proc/self/ns/net").st_ino == before


@pytest.mark.parametrize("udp", [True, False])
def test_a_name_server_on_the_loopback_answers_the_guest(container: str, *, udp: bool) -> None:
    """As docker has it: at a port that its rules lead port 53 to, for the namespace's own packets."""
    with namespace() as host:
        ip("-n", host, "link", "add", "veth0", "type", "veth", "peer", "name", "eth0", "netns", container)
        ip("-n", host, "address", "add", "10.9.8.1/24", "dev", "veth0")
        ip("-n", host, "link", "set", "veth0", "up")
        ip("-n", container, "link", "set", "lo", "up")
        ip("-n", container, "link", "set", "eth0", "up")
        ip("-n", container, "address", "add", "10.9.8.7/24", "dev", "eth0")
        ip("-n", container, "route", "add", "default", "via", "10.9.8.1")
        with (
            serving(container, 40123, "names", address="127.0.0.11", udp=udp),
            serving(host, 80, "host"),
            connected(container, resolvers=("127.0.0.11",)) as (found,),
            guest(found) as machine,
        ):
            assert ask(machine, NAMESERVER, 53, udp=udp) == "names"
            assert ask(machine, "10.9.8.1", 80) == "host", "the rest goes where it did"
        disconnect(path(container), "first")
        assert traces(container) == []
