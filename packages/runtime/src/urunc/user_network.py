# SPDX-License-Identifier: Apache-2.0
"""The annotation that asks for the monitor's own network: `user`, or `user,tcp:8080:80,udp:5353:53` with
ports of the host that lead to the guest.  Pure.
"""

from __future__ import annotations

from urunc.errors import BundleError
from urunc.machine import UserNetwork

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

KEY = "run.urunc.network"
_PROTOCOLS = ("tcp", "udp")


def parse(annotations: Mapping[str, str]) -> UserNetwork | None:
    """What is asked for; None if nothing is.  Raises BundleError."""
    value = annotations.get(KEY)
    if value is None:
        return None
    kind, *forwards = value.split(",")
    if kind != "user":
        raise BundleError(f"{KEY}: unknown network {kind!r}", hint="write user, or leave the annotation out")
    return UserNetwork(tuple(map(_forward, forwards)))


def _forward(text: str) -> tuple[str, int, int]:
    protocol, *ports = text.split(":")
    if protocol not in _PROTOCOLS or len(ports) != 2 or not all(map(_is_port, ports)):
        raise BundleError(f"{KEY}: {text!r} is no port to forward", hint="write it like tcp:8080:80")
    return protocol, int(ports[0]), int(ports[1])


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and 0 < int(text[:6]) < 1 << 16
