# SPDX-License-Identifier: Apache-2.0
"""The network of `bima run`: a network namespace for each container, on a bridge of our own.

What is to be made is written down first, one file for each container, so that whatever a crash leaves behind
can be found and removed. The bridge and the firewall's rules exist as long as one container does.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from ipaddress import IPv4Interface
from pathlib import Path
from typing import TYPE_CHECKING

from pyroute2 import NetlinkError, netns

from bima import bridge, firewall
from bima.errors import NetworkError, NetworkUnavailable
from bima.port import Port

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FOLDER = Path("/run/bima/network")


@dataclass(frozen=True)
class Connection:
    """A container's place on the bridge."""

    name: str
    address: str
    prefix: int
    gateway: str
    ports: tuple[Port, ...] = ()

    @property
    def namespace(self) -> str:
        """The name of the network namespace."""
        return _namespace(self.name)

    @property
    def path(self) -> str:
        """The path of the network namespace."""
        return f"/run/netns/{self.namespace}"

    @property
    def veth(self) -> str:
        """The host's end of the container's eth0."""
        return f"{bridge.BRIDGE}-{self.address.rpartition('.')[2]}"

    @property
    def mac(self) -> str:
        """The hardware address of eth0."""
        return bridge.mac(self.address)


def connect(name: str, ports: Sequence[Port] = (), *, folder: Path = FOLDER) -> Connection:
    """Make a network namespace with an eth0 on the bridge, and lead its ports in."""
    with _locked(folder):
        others = _load(folder)
        if any(other.name == name for other in others) or _namespace(name) in netns.listnetns():
            raise NetworkError(f"container {name} has a network already")
        for port in ports:
            _require_free(port, others)
        try:
            return _connect(name, tuple(ports), others, folder)
        except BaseException:
            _disconnect(name, folder)
            raise


def disconnect(name: str, *, folder: Path = FOLDER) -> None:
    """Remove all that `connect` made for a container; nothing there: no error."""
    with _locked(folder):
        _disconnect(name, folder)


def _namespace(name: str) -> str:
    return f"bima-{name}"


def _connect(name: str, ports: tuple[Port, ...], others: list[Connection], folder: Path) -> Connection:
    gateway = bridge.make()
    address = _free_address(gateway, others)
    made = Connection(name, str(address.ip), gateway.network.prefixlen, str(gateway.ip), ports)
    _save(made, folder)
    bridge.plug(made.veth, made.namespace, address, made.mac, made.gateway)
    _open_ports(gateway, [*others, made])
    return made


def _disconnect(name: str, folder: Path) -> None:
    found = _load(folder)
    for connection in found:
        if connection.name == name:
            bridge.unplug(connection.veth, connection.namespace)
    others = [connection for connection in found if connection.name != name]
    if others:
        _open_ports(bridge.make(), others)
    else:
        firewall.remove()
        bridge.remove()
    _file(folder, name).unlink(missing_ok=True)


def _open_ports(gateway: IPv4Interface, connections: Sequence[Connection]) -> None:
    forwards = [firewall.Forward(port, one.address) for one in connections for port in one.ports]
    firewall.apply(bridge.BRIDGE, str(gateway.network), forwards)


def _free_address(gateway: IPv4Interface, others: Sequence[Connection]) -> IPv4Interface:
    taken = {str(gateway.ip), *(other.address for other in others)}
    free = (host for host in gateway.network.hosts() if str(host) not in taken)
    host = next(free, None)
    if host is None:
        raise NetworkError(
            f"no free address in {gateway.network}", hint="remove containers that are not needed"
        )
    return IPv4Interface((host, gateway.network.prefixlen))


def _require_free(port: Port, others: Sequence[Connection]) -> None:
    for other in others:
        if any(port.collides(taken) for taken in other.ports):
            raise NetworkError(f"port {port}: container {other.name} has published it already")
    kind = socket.SOCK_STREAM if port.protocol == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as probe:
        # A connection that was closed a moment ago is no reason to refuse; a listener still is.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, port.protocol == "tcp")
        try:
            probe.bind((port.address, port.host))
        except OSError as error:
            raise NetworkError(f"port {port}: {os.strerror(error.errno or 0).lower()}") from error


def _load(folder: Path) -> list[Connection]:
    values = [json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))]
    return [
        Connection(**value | {"ports": tuple(Port(**port) for port in value["ports"])}) for value in values
    ]


def _save(connection: Connection, folder: Path) -> None:
    draft = folder / f"{connection.name}.new"
    draft.write_text(json.dumps(asdict(connection)))
    draft.rename(_file(folder, connection.name))


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}.json"


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One at a time; what the kernel refuses becomes a sentence."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(folder / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    except NetlinkError as error:
        raise NetworkUnavailable(f"the network {bridge.BRIDGE}: {os.strerror(error.code).lower()}") from error
    except OSError as error:
        hint = "only root can make networks" if error.errno in (errno.EPERM, errno.EACCES) else ""
        raise NetworkUnavailable(f"the network {bridge.BRIDGE}: {error}", hint=hint) from error
