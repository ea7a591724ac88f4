# SPDX-License-Identifier: Apache-2.0
"""The guest's tap in real network namespaces: the test is the guest, and the host at the other end."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import select
import socket
import struct
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from capabilities import require

from urunc.errors import HostError
from urunc.host import network
from urunc.host.syscalls import CLONE_NEWNET, setns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NUMBERS = itertools.count()
TYPE = 0x88B5  # an Ethernet type for experiments: nothing else on the wire has it
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 2, 0x1000
NOBODY = 65534


def ip(*words: str) -> Any:
    done = subprocess.run(["ip", "-json", *words], check=True, capture_output=True, text=True)
    return json.loads(done.stdout or "[]")


def tc(*words: str) -> Any:
    done = subprocess.run(["tc", "-json", *words], check=True, capture_output=True, text=True)
    return json.loads(done.stdout or "[]")


def path(name: str) -> str:
    return f"/run/netns/{name}"


@contextmanager
def namespace() -> Iterator[str]:
    name = f"test-network-{os.getpid()}-{next(NUMBERS)}"
    ip("netns", "add", name)
    try:
        yield name
    finally:
        ip("netns", "delete", name)


@contextmanager
def inside(name: str) -> Iterator[None]:
    with open("/proc/self/ns/net") as home, open(path(name)) as target:
        setns(target.fileno(), CLONE_NEWNET)
        try:
            yield
        finally:
            setns(home.fileno(), CLONE_NEWNET)


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
        with inside(host):
            end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        with end:
            end.bind(("veth0", TYPE))
            end.settimeout(10)
            yield end


@contextmanager
def attached(container: str, id: str = "first", *, persistent: bool = False) -> Iterator[int]:
    """A guest's tap; at the end it is gone as when the monitor is killed."""
    with inside(container):
        tun = network.open_tun()
        try:
            with network.Socket() as route:
                interface = network.find(route)
            assert interface
            network.attach(interface, tun, container=id, persistent=persistent, uid=NOBODY, gid=NOBODY)
            yield tun
        finally:
            os.close(tun)


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


def take(tap: int) -> None:
    """Open the tap by its name, as Solo5 does."""
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", network.TAP.encode(), IFF_TAP | IFF_NO_PI))


def traces(container: str) -> list[str]:
    """What of us is in a namespace."""
    taps = [link["ifname"] for link in ip("-n", container, "link") if link["ifname"] == network.TAP]
    return taps + [one["kind"] for one in tc("-n", container, "qdisc") if one["kind"] == "ingress"]


@pytest.mark.usefixtures("wire")
def test_the_containers_interface_is_found_with_its_addresses(container: str) -> None:
    with inside(container), network.Socket() as route:
        found = network.find(route)
    assert found == network.Interface(
        found.index if found else 0, "eth0", "02:00:00:00:00:02", 1400, "10.9.8.7", 24, "10.9.8.1"
    )


def test_a_namespace_with_only_a_loopback_has_no_interface(container: str) -> None:
    ip("-n", container, "link", "set", "lo", "up")
    with inside(container), network.Socket() as route:
        assert network.find(route) is None


def test_frames_pass_between_the_wire_and_the_guests_descriptor(container: str, wire: socket.socket) -> None:
    with attached(container) as tap:
        check_traffic(wire, tap, header=10)


@pytest.mark.usefixtures("wire")
def test_the_tap_is_like_the_interface_and_has_no_address(container: str) -> None:
    with attached(container):
        tap = ip("-n", container, "address", "show", "dev", network.TAP)[0]
        eth0 = ip("-n", container, "address", "show", "dev", "eth0")[0]
    assert (tap["mtu"], tap["addr_info"], "UP" in tap["flags"]) == (1400, [], True)
    assert eth0["addr_info"][0]["local"] == "10.9.8.7"


def test_a_persistent_tap_is_opened_by_its_name_by_its_user(container: str, wire: socket.socket) -> None:
    with attached(container, persistent=True):
        pass
    with inside(container):
        tap = network.open_tun()
    assert not as_nobody(lambda: take(tap))
    check_traffic(wire, tap, header=0)
    os.close(tap)


def test_a_descriptor_of_the_tap_works_for_any_user(container: str, wire: socket.socket) -> None:
    outwards = frame(b"from nobody")
    with attached(container) as tap:
        assert not as_nobody(lambda: os.write(tap, bytes(10) + outwards))
    assert wire.recv(2000) == outwards


def test_what_a_killed_predecessor_left_does_not_disturb(container: str, wire: socket.socket) -> None:
    with attached(container, "killed"):
        pass
    assert traces(container) == ["ingress"]
    with attached(container) as tap:
        check_traffic(wire, tap, header=10)
        assert len(redirections(container, "eth0")) == 1


def test_a_persistent_tap_of_a_dead_container_is_taken_over(container: str, wire: socket.socket) -> None:
    with attached(container, "dead", persistent=True):
        pass
    assert network.TAP in traces(container)
    with attached(container) as tap:
        check_traffic(wire, tap, header=10)
    assert network.TAP not in traces(container), "it ends with the monitor, whoever made it"


def test_a_second_unikernel_in_a_namespace_is_refused(container: str, wire: socket.socket) -> None:
    with attached(container) as tap:
        with pytest.raises(HostError, match=r"make tap0_urunc for eth0: .*busy") as caught:
            attached(container, "second").__enter__()
        assert "another unikernel" in caught.value.hint
        check_traffic(wire, tap, header=10)


@pytest.mark.parametrize("persistent", [True, False])
def test_detach_removes_every_trace(container: str, wire: socket.socket, *, persistent: bool) -> None:
    with attached(container, persistent=persistent):
        pass
    assert traces(container)
    network.detach(path(container), "first")
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
        network.detach(path(container), "first")
    with attached(container, persistent=True):
        pass
    for _ in range(2):
        network.detach(path(container), "first")
    assert traces(container) == []


def test_detach_leaves_a_successor_alone(container: str, wire: socket.socket) -> None:
    with attached(container, "successor") as tap:
        network.detach(path(container), "first")
        check_traffic(wire, tap, header=10)


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
    network.detach(path(container), "first")
    assert len(tc("-n", container, "filter", "show", "dev", "eth0", "ingress")) > 0


def test_detach_from_a_namespace_that_is_gone_is_fine(tmp_path: os.PathLike[str]) -> None:
    require("root")
    unmounted = os.path.join(tmp_path, "unmounted")
    open(unmounted, "w").close()
    network.detach(unmounted, "first")
    network.detach(os.path.join(tmp_path, "missing"), "first")


@pytest.mark.usefixtures("wire")
def test_detach_returns_to_its_own_namespace(container: str) -> None:
    before = os.stat("/proc/self/ns/net").st_ino
    network.detach(path(container), "first")
    assert os.stat("/proc/self/ns/net").st_ino == before
