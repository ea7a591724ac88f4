# SPDX-License-Identifier: Apache-2.0
"""Whether the guest takes the container's place in its network namespace, or is one of several.  Pure."""

from __future__ import annotations

from urunc import pod
from urunc.errors import BundleError
from urunc.user_network import KEY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from urunc.bundle import Namespace

HOST, USER, OWN, SHARED, STATIC = "host", "user", "own", "shared", "static"

# Knative's name for the container that its queue-proxy serves.
_SERVED_BY_KNATIVE = "user-container"


def decide(namespace: Namespace | None, annotations: Mapping[str, str], *, is_hosts: bool) -> str:
    """HOST: nothing; USER: the monitor's own; OWN: taken over; SHARED, STATIC: a private link.

    A namespace that has a name is the container's own, one of another process is that one's.
    Raises BundleError.
    """
    asked = annotations.get(KEY, "").partition(",")[0]
    if asked == USER:
        return USER
    if is_hosts or namespace is None:
        if asked:
            raise BundleError(
                f"{KEY}: {asked} is not possible in the host's network namespace", hint="use user"
            )
        return HOST
    if asked:
        return asked
    if pod.name(annotations) == _SERVED_BY_KNATIVE:
        return STATIC
    is_in_a_pod = pod.kind(annotations) == pod.CONTAINER
    return SHARED if namespace.path and (is_in_a_pod or _is_of_a_process(namespace.path)) else OWN


def _is_of_a_process(path: str) -> bool:
    """/proc/PID/ns/net, or that of one of its threads."""
    parts = path.split("/")
    return parts[1] == "proc" and parts[-2:] == ["ns", "net"]
