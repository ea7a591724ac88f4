# SPDX-License-Identifier: Apache-2.0
"""The bridge that containers of `bima run` are plugged into, and the plugs."""

from __future__ import annotations

import socket
from contextlib import suppress
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyroute2 import IPRoute, netns

from bima.errors import NetworkError

if TYPE_CHECKING:
    from collections.abc import Iterable

BRIDGE = "bima0"
_SUBNETS = [IPv4Network(f"10.{second}.{third}.0/24") for second in (63, 163) for third in range(256)]
_HAIRPIN = 1  # a container may reach itself through a port that it publishes
_SYSCTL = Path("/proc/sys/net/ipv4")


def make() -> IPv4Interface:
    """The bridge's own address, which is its containers' gateway; the bridge is made if it is not there."""
    with IPRoute() as ip:
        index = _index(ip, BRIDGE)
        address = _address(ip, index) if index else None
        if index is None or address is None:
            address = choose(_routed(ip))
            index = index or _add(ip, mac(str(address.ip)))
            ip.addr("add", index=index, address=str(address.ip), prefixlen=address.network.prefixlen)
        ip.link("set", index=index, state="up")
    # The host reaches published ports through 127.0.0.1, too.
    _set("conf", BRIDGE, "route_localnet")
    _set("ip_forward")
    return address


def choose(taken: Iterable[IPv4Network]) -> IPv4Interface:
    """The first address of a subnet that meets none that is in use."""
    taken = list(taken)
    free = (subnet for subnet in _SUBNETS if not any(subnet.overlaps(other) for other in taken))
    subnet = next(free, None)
    if subnet is None:
        raise NetworkError(f"no free subnet for {BRIDGE} in 10.63.0.0/16 or 10.163.0.0/16")
    return IPv4Interface((int(subnet.network_address) + 1, subnet.prefixlen))


def mac(address: str) -> str:
    """It follows from the address, so that no neighbour remembers a wrong one when that is used again."""
    return bytes((2, 0x62, *map(int, address.split(".")))).hex(":")


def remove() -> None:
    """Remove the bridge, if it is there."""
    with IPRoute() as ip:
        _delete(ip, BRIDGE)


def plug(veth: str, namespace: str, address: IPv4Interface, mac: str, gateway: str) -> None:
    """Make a network namespace whose eth0 is plugged into the bridge."""
    netns.create(namespace)
    with IPRoute() as ip:
        _delete(ip, veth)
        ip.link("add", ifname=veth, kind="veth", peer={"ifname": "eth0", "net_ns_fd": namespace})
        index = _index(ip, veth)
        ip.link("set", index=index, master=_index(ip, BRIDGE), state="up")
        ip.brport("set", index=index, mode=_HAIRPIN)
    with IPRoute(netns=namespace) as ip:
        ip.link("set", index=_index(ip, "lo"), state="up")
        index = _index(ip, "eth0")
        ip.link("set", index=index, address=mac, state="up")
        ip.addr("add", index=index, address=str(address.ip), prefixlen=address.network.prefixlen)
        ip.route("add", dst="default", gateway=gateway)


def unplug(veth: str, namespace: str) -> None:
    """Remove what `plug` made; nothing there: no error."""
    # First, and by name: the kernel removes the interfaces of a namespace at a time of its own choosing.
    with IPRoute() as ip:
        _delete(ip, veth)
    with suppress(FileNotFoundError):
        netns.remove(namespace)


def _add(ip: Any, mac: str) -> int:
    # With an address of its own, or it would take that of a plug, and change it with the plugs.
    ip.link("add", ifname=BRIDGE, kind="bridge", address=mac)
    index: int = _index(ip, BRIDGE) or 0
    return index


def _index(ip: Any, name: str) -> int | None:
    return next(iter(ip.link_lookup(ifname=name)), None)


def _delete(ip: Any, name: str) -> None:
    if index := _index(ip, name):
        ip.link("delete", index=index)


def _address(ip: Any, index: int) -> IPv4Interface | None:
    found = ip.get_addr(family=socket.AF_INET, index=index)
    own = [IPv4Interface((one.get_attr("IFA_ADDRESS"), one["prefixlen"])) for one in found]
    return next(iter(own), None)


def _routed(ip: Any) -> list[IPv4Network]:
    """What the host has a route to, its own addresses included."""
    routes = [route for route in ip.get_routes(family=socket.AF_INET) if route["dst_len"]]
    return [IPv4Network((route.get_attr("RTA_DST"), route["dst_len"])) for route in routes]


def _set(*name: str) -> None:
    file = _SYSCTL.joinpath(*name)
    if file.read_text().strip() != "1":
        file.write_text("1")
