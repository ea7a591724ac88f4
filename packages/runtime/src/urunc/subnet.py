# SPDX-License-Identifier: Apache-2.0
"""The private network of a guest in a shared namespace: a link with two ends, ours and its.  Pure."""

from __future__ import annotations

from urunc_common.record import Record

# Link-local addresses never leave a host, so nobody routes them.  These are away from those that clouds and
# cluster networks use.
_NETWORK = (169, 254, 64)
_PREFIX, _SIZE = 30, 4
# Unique local addresses, of which nobody else has these; they are no more routed than the others.
_NETWORK6, _PREFIX6 = "fd75:7275:6e63", 64
SLOTS = range(1, 4096)
_TAP = "urunc"
# The link that has number 0 belongs to no guest.  What a guest asks this address for is answered in the
# container's namespace, by the name server that listens on the loopback there.
NAMESERVER, NAMESERVER_PREFIX = "169.254.64.1", 30
# Who asks, for those who answer, where the guest has the namespace's own address.
STAND_IN = "169.254.64.2"


class Ends(Record):
    """Of one version of IP: the tap is our end, with the router's address; the guest has the other."""

    router: str
    guest: str
    prefix: int


class Subnet(Record):
    """A link's tap, the guest's station, and the addresses."""

    tap: str
    mac: str
    ipv4: Ends
    ipv6: Ends


def of_slot(slot: int) -> Subnet:
    """The network of one of the guests in a namespace."""
    return _subnet(slot, Ends(_address(slot, 1), _address(slot, 2), _PREFIX))


def static(slot: int) -> Subnet:
    """The one that Knative's queue-proxy is told about."""
    return _subnet(slot, Ends("172.16.1.1", "172.16.1.2", 24))


def tap_name(slot: int) -> str:
    """urunc1, and so on; the firewall's table is called the same."""
    return f"{_TAP}{slot}"


def slot(tap: str) -> int:
    """The number in a tap's name."""
    return int(tap.removeprefix(_TAP))


def is_tap(name: str) -> bool:
    """Whether a link or a table has such a name."""
    return name.startswith(_TAP) and name.removeprefix(_TAP).isdecimal()


def _subnet(slot: int, ipv4: Ends) -> Subnet:
    network = f"{_NETWORK6}:{slot:x}"
    return Subnet(tap_name(slot), _mac(ipv4.guest), ipv4, Ends(f"{network}::1", f"{network}::2", _PREFIX6))


def _address(slot: int, host: int) -> str:
    number = slot * _SIZE + host
    first, second, third = _NETWORK
    return f"{first}.{second}.{third + (number >> 8)}.{number & 0xFF}"


def _mac(address: str) -> str:
    """A locally administered one."""
    return "02:75:" + ":".join(f"{int(part):02x}" for part in address.split("."))
