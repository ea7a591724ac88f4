# SPDX-License-Identifier: Apache-2.0
"""The annotation that names the ports of a guest in a shared namespace: `80,443/tcp,53/udp`.  Pure."""

from __future__ import annotations

from urunc.errors import BundleError
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

KEY = "run.urunc.ports"
_PROTOCOLS = ("tcp", "udp")


class Port(Record):
    """A port that the guest serves."""

    number: int
    protocol: str = "tcp"


def parse(annotations: Mapping[str, str]) -> tuple[Port, ...] | None:
    """The declared ports; None where nothing is declared.  Raises BundleError."""
    value = annotations.get(KEY)
    if value is None:
        return None
    return tuple(map(_port, value.split(","))) if value else ()


def is_number(text: str) -> bool:
    """Whether a text is a port's number."""
    return text.isascii() and text.isdecimal() and 0 < int(text[:6]) < 1 << 16


def _port(text: str) -> Port:
    number, slash, protocol = text.strip().partition("/")
    if not is_number(number) or (slash and protocol not in _PROTOCOLS):
        raise BundleError(f"{KEY}: {text!r} is no port", hint="write it like 80,443/tcp,53/udp")
    return Port(int(number), protocol or "tcp")
