# SPDX-License-Identifier: Apache-2.0
"""How a guest is to be connected to the container's network, as config.json has it.  Pure."""

from __future__ import annotations

from urunc import guests, network_mode
from urunc.plan import program
from urunc_common import ports
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from urunc.bundle import Bundle
    from urunc_common.config import UnikernelConfig
    from urunc_common.ports import Ports


class Line(Record):
    """The mode, for whom, and what is to reach the guest."""

    mode: str
    guest: str
    monitor: str
    ports: tuple[Ports, ...] | None = None
    """None where nothing is declared."""
    resolvers: tuple[str, ...] = ()
    """The container's name servers that are on the loopback of the namespace."""
    ipv6: bool = False
    """The guest can be told addresses of IPv6."""
    knatives: str = ""
    """The port that is declared for Knative's sake, because nobody else declares any."""

    @property
    def has_tap(self) -> bool:
        """The guest is to be connected, if there is something to connect it to."""
        return self.mode not in (network_mode.HOST, network_mode.USER)


def describe(bundle: Bundle, config: UnikernelConfig, *, is_hosts: bool) -> Line:
    """Raises BundleError, ConfigError."""
    mode = network_mode.decide(bundle.namespace("network"), bundle.annotations, is_hosts=is_hosts)
    # The container's own annotation wins, also one that is empty.
    declared = bundle.annotations.get(ports.KEY, config.ports or None)
    knatives = _port_of_knative(bundle.env) if declared is None else ""
    found = None if declared is None and not knatives else ports.parse(declared or knatives)
    # Our own first process knows IPv6, and the other ways to tell a guest its address do not.
    ipv6 = guests.has_first_process(guests.load(config.type), program(bundle.args, config))
    return Line(mode, config.type, config.hypervisor, found, ipv6=ipv6, knatives=knatives)


def _port_of_knative(env: Iterable[str]) -> str:
    """Where its queue-proxy looks on the loopback; only the container that it serves is told."""
    variables = dict(variable.partition("=")[::2] for variable in env)
    port = variables.get("PORT", "")
    return port if "K_REVISION" in variables and ports.is_number(port) else ""
