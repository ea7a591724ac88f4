# SPDX-License-Identifier: Apache-2.0
"""The private network of a guest in a shared namespace: a link with two ends, ours and its.  Pure."""

from __future__ import annotations

from urunc_common.record import Record

# Link-local addresses never leave a host, so nobody routes them.  These are away from those that clouds and
# cluster networks use.
_NETWORK = (169, 254, 64)
_PREFIX, _SIZE = 30, 4
SLOTS = range(1, 4096)
_TAP = "urunc"
# The link that has number 0 belongs to no guest.  What a guest asks this address for is answered in the
# container's namespace, by the name server that listens on the loopback there.
NAMESERVER, NAMESERVER_PREFIX = "169.254.64.1", 30
# Who asks, for those who answer, where the guest has the namespace's own address.
STAND_IN = "169.254.64.2"


class Subnet(Record):
    """The tap is our end, with the router's address; the guest has the other."""

    tap: str
    router: str
    guest: str
    prefix: int
    mac: str


def of_slot(slot: int) -> Subnet:
    """The network of one of the guests in a namespace."""
    return Subnet(tap_name(slot), _address(slot, 1), _address(slot, 2), _PREFIX, _mac(_address(slot, 2)))


def static(slot: int) -> Subnet:
    """The one that Knative's queue-proxy is told about."""
    return Subnet(tap_name(slot), "172.16.1.1", "172.16.1.2", 24, _mac("172.16.1.2"))


def tap_name(slot: int) -> str:
    """urunc1, and so on; the firewall's table is called the same."""
    return f"{_TAP}{slot}"


def is_tap(name: str) -> bool:
    """Whether a link or a table has such a name."""
    return name.startswith(_TAP) and name.removeprefix(_TAP).isdecimal()


def _address(slot: int, host: int) -> str:
    number = slot * _SIZE + host
    first, second, third = _NETWORK
    return f"{first}.{second}.{third + (number >> 8)}.{number & 0xFF}"


def _mac(address: str) -> str:
    """A locally administered one."""
    return "02:75:" + ":".join(f"{int(part):02x}" for part in address.split("."))
