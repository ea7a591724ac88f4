# SPDX-License-Identifier: Apache-2.0
"""The network of `bima run` in a network namespace that plays the host, with another beyond its uplink."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import socket
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from capabilities import program, require

from bima import network, port
from bima.bridge import BRIDGE
from bima.errors import NetworkError
from urunc.host.syscalls import CLONE_NEWNET, setns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NUMBERS = itertools.count()
HOST, LAN = "192.0.2.1", "192.0.2.9"
TOOLS = {"iptables": ("iptables", "iptables-restore", "iptables-save"), "nft": ("nft",)}


def run(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def unique(name: str) -> str:
    return f"{name}-{os.getpid()}-{next(NUMBERS)}"


@contextmanager
def namespace() -> Iterator[str]:
    name = unique("test-bima")
    run("ip", "netns", "add", name)
    try:
        yield f"/run/netns/{name}"
    finally:
        run("ip", "netns", "delete", name)


@contextmanager
def inside(path: str) -> Iterator[None]:
    with open("/proc/self/ns/net") as home, open(path) as target:
        setns(target.fileno(), CLONE_NEWNET)
        try:
            yield
        finally:
            setns(home.fileno(), CLONE_NEWNET)


@pytest.fixture(params=TOOLS)
def host(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """This process is in the host's namespace, and finds only one of the two firewall tools."""
    require("root", *(("nft",) if "nft" in TOOLS[request.param] else ()))
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in (*TOOLS[request.param], "ip", "sysctl"):
        found = program(name)
        if found is None:
            pytest.skip(f"{name} is not installed")
        (tools / name).symlink_to(found)
    with namespace() as path, inside(path):
        monkeypatch.setenv("PATH", str(tools))
        run("ip", "link", "set", "lo", "up")
        Path("/proc/sys/net/ipv4/ip_forward").write_text("0")
        yield path


@pytest.fixture
def lan(host: str) -> Iterator[str]:  # noqa: ARG001  it says where
    """A machine beyond the host's uplink."""
    with namespace() as path:
        name = Path(path).name
        run("ip", "link", "add", "uplink", "type", "veth", "peer", "name", "eth0", "netns", name)
        run("ip", "address", "add", f"{HOST}/24", "dev", "uplink")
        run("ip", "link", "set", "uplink", "up")
        run("ip", "-n", name, "address", "add", f"{LAN}/24", "dev", "eth0")
        run("ip", "-n", name, "link", "set", "eth0", "up")
        yield path


@pytest.fixture
def connect(host: str, tmp_path: Path) -> Iterator[Callable[..., network.Connection]]:  # noqa: ARG001
    made = []

    def connect(*ports: str) -> network.Connection:
        made.append(unique("c"))
        return network.connect(made[-1], [port.parse(one) for one in ports], folder=tmp_path / "run")

    yield connect
    for name in made:
        network.disconnect(name, folder=tmp_path / "run")


def listen(path: str, number: int = 80, address: str = "") -> socket.socket:
    with inside(path):
        return socket.create_server((address, number))


def source(path: str, target: tuple[str, int], server: socket.socket) -> str:
    """Who the server sees when someone connects from a namespace."""
    server.settimeout(5)
    with inside(path), socket.create_connection(target, timeout=5) as client:
        peer, address = server.accept()
        with peer:
            peer.sendall(b"hello")
            assert client.recv(5) == b"hello"
    return str(address[0])


def refuses(path: str, target: tuple[str, int]) -> bool:
    try:
        with inside(path), socket.create_connection(target, timeout=0.5):
            return False
    except OSError:
        return True


def traces(folder: Path) -> list[str]:
    """What of us is on the host: interfaces, rules, records."""
    links = [link["ifname"] for link in json.loads(run("ip", "-json", "link"))]
    tool = ("iptables-save",) if shutil.which("iptables-save") else ("nft", "list", "ruleset")
    rules = [line for line in run(*tool).splitlines() if "bima" in line.lower()]
    files = [file.name for file in folder.iterdir() if file.name != "lock"]
    return [link for link in links if link.startswith(BRIDGE)] + rules + files


def test_a_published_port_leads_in_from_the_network(lan: str, connect: Any) -> None:
    with listen(connect("8080:80").path) as server:
        assert source(lan, (HOST, 8080), server) == LAN


@pytest.mark.parametrize("address", ["127.0.0.1", HOST])
@pytest.mark.usefixtures("lan")
def test_a_published_port_leads_in_from_the_host_itself(host: str, connect: Any, address: str) -> None:
    made = connect("8080:80")
    with listen(made.path) as server:
        assert source(host, (address, 8080), server) in (made.gateway, HOST)


@pytest.mark.usefixtures("lan")
def test_a_published_port_leads_in_from_containers_and_from_its_own(connect: Any) -> None:
    made, other = connect("8080:80"), connect()
    with listen(made.path) as server:
        source(other.path, (HOST, 8080), server)
        source(other.path, (made.address, 80), server)
        source(made.path, (HOST, 8080), server)


def test_a_udp_port_is_published(lan: str, connect: Any) -> None:
    made = connect("5353:53/udp")
    with inside(made.path):
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with inside(lan):
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with server, client:
        server.settimeout(5)
        server.bind(("", 53))
        client.sendto(b"hello", (HOST, 5353))
        assert server.recv(100) == b"hello"


def test_a_container_reaches_the_network_under_the_hosts_address(lan: str, connect: Any) -> None:
    with listen(lan) as server:
        assert source(connect().path, (LAN, 80), server) == HOST


@pytest.mark.parametrize("host", ["iptables"], indirect=True)
def test_a_host_that_drops_what_it_does_not_know_lets_ours_through(lan: str, connect: Any) -> None:
    """As a host with Docker does."""
    run("iptables", "-P", "FORWARD", "DROP")
    made = connect("8080:80")
    with listen(made.path) as inner, listen(lan) as outer:
        assert source(lan, (HOST, 8080), inner) == LAN
        assert source(made.path, (LAN, 80), outer) == HOST


def test_what_is_not_published_cannot_be_reached(lan: str, connect: Any) -> None:
    made = connect("127.0.0.1:8080:80")
    run("ip", "-n", Path(lan).name, "route", "add", "default", "via", HOST)
    with listen(made.path):
        assert refuses(lan, (made.address, 80))
        assert refuses(lan, (HOST, 8080))


def test_a_port_on_the_loopback_is_for_the_host_alone(lan: str, host: str, connect: Any) -> None:
    made = connect("127.0.0.1:8080:80")
    with listen(made.path) as server:
        source(host, ("127.0.0.1", 8080), server)
        attack(lan, HOST)
        assert refuses(lan, ("127.0.0.1", 8080))


def test_a_container_cannot_reach_the_hosts_loopback(host: str, connect: Any) -> None:
    made = connect()
    attack(made.path, made.gateway)
    with listen(host, 9999, "127.0.0.1"):
        assert refuses(made.path, ("127.0.0.1", 9999))


def attack(path: str, gateway: str) -> None:
    """Have a machine send packets for 127.0.0.1 to its gateway."""
    name = Path(path).name
    with inside(path):
        Path("/proc/sys/net/ipv4/conf/eth0/route_localnet").write_text("1")
    run("ip", "-n", name, "address", "flush", "dev", "lo")
    run("ip", "-n", name, "route", "add", "127.0.0.1", "via", gateway)


@pytest.mark.usefixtures("host")
def test_the_last_container_leaves_nothing(connect: Any, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    first, second = connect("8080:80"), connect("8081:80")
    network.disconnect(first.name, folder=folder)
    with listen(second.path) as server:
        source("/proc/self/ns/net", ("127.0.0.1", 8081), server)
    network.disconnect(second.name, folder=folder)
    assert traces(folder) == []
    assert not any(os.path.exists(one.path) for one in (first, second))


def test_disconnect_is_repeatable(connect: Any, tmp_path: Path) -> None:
    made = connect("8080:80")
    for _ in range(2):
        network.disconnect(made.name, folder=tmp_path / "run")
    assert traces(tmp_path / "run") == []


def test_a_container_that_lost_half_its_network_is_still_removed(connect: Any, tmp_path: Path) -> None:
    made = connect("8080:80")
    run("ip", "link", "delete", made.veth)
    run("ip", "netns", "delete", made.namespace)
    run("ip", "link", "delete", BRIDGE)
    network.disconnect(made.name, folder=tmp_path / "run")
    assert traces(tmp_path / "run") == []


def test_a_port_that_another_container_has_is_refused(connect: Any) -> None:
    first = connect("8080:80")
    with pytest.raises(NetworkError, match=f"port 127.0.0.1:8080:81/tcp: container {first.name}"):
        connect("127.0.0.1:8080:81")


def test_a_port_that_a_server_has_is_refused_and_leaves_nothing(connect: Any, tmp_path: Path) -> None:
    with (
        listen("/proc/self/ns/net", 8080),
        pytest.raises(NetworkError, match="port 8080:80/tcp: address already in use"),
    ):
        connect("8080:80")
    assert traces(tmp_path / "run") == []


def test_an_address_that_is_not_the_hosts_is_refused(connect: Any) -> None:
    with pytest.raises(NetworkError, match=r"port 203\.0\.113\.5:8080:80/tcp: cannot assign"):
        connect("203.0.113.5:8080:80")


@pytest.mark.usefixtures("host")
def test_a_failure_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = unique("c")
    with monkeypatch.context() as nowhere:
        nowhere.setenv("PATH", str(tmp_path))
        with pytest.raises(NetworkError, match="neither iptables nor nft"):
            network.connect(name, folder=tmp_path / "run")
    assert traces(tmp_path / "run") == []
    assert not os.path.exists(f"/run/netns/bima-{name}")


@pytest.mark.usefixtures("host")
def test_a_namespace_that_somebody_made_is_left_alone(tmp_path: Path) -> None:
    name = unique("taken")
    run("ip", "netns", "add", f"bima-{name}")
    try:
        with pytest.raises(NetworkError, match=f"container {name} has a network already"):
            network.connect(name, folder=tmp_path / "run")
        assert os.path.exists(f"/run/netns/bima-{name}")
    finally:
        run("ip", "netns", "delete", f"bima-{name}")


def test_a_name_is_connected_once(connect: Any, tmp_path: Path) -> None:
    made = connect()
    with pytest.raises(NetworkError, match=f"container {made.name} has a network already"):
        network.connect(made.name, folder=tmp_path / "run")
    assert os.path.exists(made.path)


@pytest.mark.usefixtures("lan")
def test_a_subnet_that_the_host_uses_is_avoided(connect: Any) -> None:
    run("ip", "route", "add", "10.63.0.0/16", "via", LAN)
    assert connect().gateway == "10.163.0.1"


def test_an_address_is_used_again_under_the_same_hardware_address(connect: Any, tmp_path: Path) -> None:
    kept, first = connect(), connect("8080:80")
    with listen(first.path) as server:
        source(kept.path, (first.address, 80), server)
    network.disconnect(first.name, folder=tmp_path / "run")
    second = connect("8080:80")
    assert (second.address, second.mac) == (first.address, first.mac)
    assert second.mac in run("ip", "-n", second.namespace, "link", "show", "eth0")
    with listen(second.path) as server:
        source(kept.path, (second.address, 80), server)


def test_the_gateway_keeps_its_hardware_address_as_containers_come_and_go(connect: Any) -> None:
    def mac() -> Any:
        return json.loads(run("ip", "-json", "link", "show", BRIDGE))[0]["address"]

    connect()
    before = mac()
    for _ in range(3):
        connect()
    assert mac() == before


@pytest.mark.usefixtures("host")
def test_containers_that_come_and_go_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    folder, names = tmp_path / "run", [unique("c") for _ in range(6)]
    at_once(lambda name: network.connect(name, folder=folder), names)
    records = [json.loads((folder / f"{name}.json").read_text()) for name in names]
    assert len({record["address"] for record in records}) == len(names)
    at_once(lambda name: network.disconnect(name, folder=folder), names)
    assert traces(folder) == []


def at_once(action: Callable[[str], object], names: list[str]) -> None:
    children = []
    for name in names:
        children.append(os.fork())
        if children[-1] == 0:
            try:
                action(name)
            except BaseException:
                os._exit(1)
            os._exit(0)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * len(names)
