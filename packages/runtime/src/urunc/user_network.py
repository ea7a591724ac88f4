# SPDX-License-Identifier: Apache-2.0
"""The annotation that says which network a guest has.  Pure.

`own` and `shared` say what becomes of the container's network namespace; `user` asks for the monitor's own
network, as `user,tcp:8080:80,udp:5353:53` with ports of the namespace that lead to the guest.
"""

from __future__ import annotations

from urunc.errors import BundleError
from urunc.machine import UserNetwork
from urunc_common.ports import is_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

KEY = "run.urunc.network"
_KINDS = ("user", "own", "shared")
_PROTOCOLS = ("tcp", "udp")


def parse(annotations: Mapping[str, str]) -> UserNetwork | None:
    """The monitor's network; None if that is not asked for.  Raises BundleError."""
    value = annotations.get(KEY)
    if value is None:
        return None
    kind, *forwards = value.split(",")
    if kind not in _KINDS or (forwards and kind != "user"):
        raise BundleError(
            f"{KEY}: unknown network {value!r}", hint=f"write one of {', '.join(_KINDS)}, or leave it out"
        )
    if kind != "user":
        return None
    return UserNetwork(tuple(map(_forward, forwards)))


def _forward(text: str) -> tuple[str, int, int]:
    protocol, *ports = text.split(":")
    if protocol not in _PROTOCOLS or len(ports) != 2 or not all(map(is_number, ports)):
        raise BundleError(f"{KEY}: {text!r} is no port to forward", hint="write it like tcp:8080:80")
    return protocol, int(ports[0]), int(ports[1])
