# SPDX-License-Identifier: Apache-2.0
"""A published port: `[IP:]HOST:GUEST[/tcp|/udp]`, as `-p` takes it."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

from bima.errors import UsageError

_PROTOCOLS = ("tcp", "udp")
_FORM = "write [IP:]HOST:GUEST[/tcp or /udp], for instance 8080:80"


@dataclass(frozen=True)
class Port:
    """A port of the host that leads to one of the guest; no address: every address of the host."""

    host: int
    guest: int
    protocol: str = "tcp"
    address: str = ""

    def __str__(self) -> str:
        before = f"{self.address}:" if self.address else ""
        return f"{before}{self.host}:{self.guest}/{self.protocol}"

    def collides(self, other: Port) -> bool:
        """Whether both want the same port of the host."""
        same = (self.host, self.protocol) == (other.host, other.protocol)
        return same and ("" in (self.address, other.address) or self.address == other.address)


def parse(text: str) -> Port:
    """A port, from the command line."""
    numbers, _, protocol = text.partition("/")
    *address, host, guest = numbers.rsplit(":", 2) if ":" in numbers else ("", "")
    protocol = protocol.lower() or "tcp"
    if protocol not in _PROTOCOLS:
        raise UsageError(f"port {text}: unknown protocol {protocol}", hint=f"known: {', '.join(_PROTOCOLS)}")
    return Port(_number(host, text), _number(guest, text), protocol, _address("".join(address), text))


def _number(digits: str, text: str) -> int:
    if not (digits.isascii() and digits.isdigit() and 0 < int(digits) < 1 << 16):
        raise UsageError(f"port {text}: '{digits}' is no port number", hint=_FORM)
    return int(digits)


def _address(address: str, text: str) -> str:
    if not address:
        return ""
    try:
        parsed = IPv4Address(address)
    except ValueError as error:
        raise UsageError(f"port {text}: '{address}' is no IPv4 address", hint=_FORM) from error
    return "" if parsed.is_unspecified else str(parsed)
