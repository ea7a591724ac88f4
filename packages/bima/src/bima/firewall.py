# SPDX-License-Identifier: Apache-2.0
"""The rules that let containers out and lead published ports in, through iptables or nftables.

The rules are always written as a whole, from what is there, and in one transaction. iptables comes first:
where Docker drops what it does not know, only a rule beside its own lets our traffic through.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bima.errors import NetworkUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bima.port import Port

# (table, built-in chain, rule): where iptables turns to our chains.
_JUMPS = (
    ("nat", "PREROUTING", "! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j BIMA-PORTS"),
    ("nat", "OUTPUT", "-m addrtype --dst-type LOCAL -j BIMA-PORTS"),
    ("nat", "POSTROUTING", "-j BIMA-SOURCE"),
    ("filter", "FORWARD", "-j BIMA-FORWARD"),
    ("filter", "INPUT", "-j BIMA-INPUT"),
)
_CHAINS = {"nat": ("BIMA-PORTS", "BIMA-SOURCE"), "filter": ("BIMA-FORWARD", "BIMA-INPUT")}


@dataclass(frozen=True)
class Forward:
    """A published port and the container it leads to."""

    port: Port
    target: str


def apply(bridge: str, subnet: str, forwards: Sequence[Forward]) -> None:
    """Let the bridge's containers out, and these ports in; whatever of ours was there is replaced."""
    if _iptables():
        _run(("iptables-restore", "--noflush", "--wait"), iptables_rules(bridge, subnet, forwards))
        for jump in _JUMPS:
            if not _has(*jump):
                _change("-I", *jump)
    elif shutil.which("nft"):
        _run(("nft", "-f", "-"), nft_rules(bridge, subnet, forwards))
    else:
        raise NetworkUnavailable("neither iptables nor nft is installed", hint="apt install nftables")


def remove() -> None:
    """Remove every rule of ours; none there: no error."""
    if _iptables():
        for jump in filter(lambda jump: _has(*jump), _JUMPS):
            _change("-D", *jump)
        gone = {table: [f"-X {chain}" for chain in chains] for table, chains in _CHAINS.items()}
        _run(("iptables-restore", "--noflush", "--wait"), _restore(gone))
    if shutil.which("nft"):
        _run(("nft", "-f", "-"), "table ip bima\ndelete table ip bima\n")


def iptables_rules(bridge: str, subnet: str, forwards: Iterable[Forward]) -> str:
    """Our chains, for iptables-restore."""
    ports = [
        f"-A BIMA-PORTS {f'-d {one.port.address} ' if one.port.address else ''}-p {one.port.protocol}"
        f" --dport {one.port.host} -j DNAT --to-destination {one.target}:{one.port.guest}"
        for one in forwards
    ]
    source = [
        f"-A BIMA-SOURCE -s {subnet} ! -o {bridge} -j MASQUERADE",
        # A container that uses a published port, and the host that does so through 127.0.0.1.
        f"-A BIMA-SOURCE -s {subnet} -o {bridge} -m conntrack --ctstate DNAT -j MASQUERADE",
        f"-A BIMA-SOURCE -o {bridge} -m addrtype --src-type LOCAL -m conntrack --ctstate DNAT -j MASQUERADE",
    ]
    forward = [
        f"-A BIMA-FORWARD -i {bridge} -j ACCEPT",
        f"-A BIMA-FORWARD -o {bridge} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        f"-A BIMA-FORWARD -o {bridge} -m conntrack --ctstate DNAT -j ACCEPT",
        f"-A BIMA-FORWARD -o {bridge} -j DROP",
    ]
    # The bridge routes 127.0.0.0/8 for the host's sake; containers must not reach the host's own services.
    enter = [f"-A BIMA-INPUT -i {bridge} -d 127.0.0.0/8 -m conntrack --ctstate NEW,INVALID -j DROP"]
    return _restore({"nat": ports + source, "filter": forward + enter})


def nft_rules(bridge: str, subnet: str, forwards: Iterable[Forward]) -> str:
    """Our table, for nft; it means the same as `iptables_rules`."""
    ports = "\n".join(
        f"    {f'ip daddr {one.port.address} ' if one.port.address else ''}{one.port.protocol}"
        f" dport {one.port.host} dnat to {one.target}:{one.port.guest}"
        for one in forwards
    )
    return f"""table ip bima
delete table ip bima
table ip bima {{
  chain ports {{
{ports}
  }}
  chain arriving {{
    type nat hook prerouting priority -100
    ip daddr != 127.0.0.0/8 fib daddr type local jump ports
  }}
  chain own {{
    type nat hook output priority -100
    fib daddr type local jump ports
  }}
  chain source {{
    type nat hook postrouting priority 100
    ip saddr {subnet} oifname != "{bridge}" masquerade
    ip saddr {subnet} oifname "{bridge}" ct status dnat masquerade
    oifname "{bridge}" fib saddr type local ct status dnat masquerade
  }}
  chain forward {{
    type filter hook forward priority 0
    iifname "{bridge}" accept
    oifname "{bridge}" ct state related,established accept
    oifname "{bridge}" ct status dnat accept
    oifname "{bridge}" drop
  }}
  chain enter {{
    type filter hook input priority 0
    iifname "{bridge}" ip daddr 127.0.0.0/8 ct state new,invalid drop
  }}
}}
"""


def _iptables() -> bool:
    return bool(shutil.which("iptables") and shutil.which("iptables-restore"))


def _restore(rules: dict[str, list[str]]) -> str:
    lines = []
    for table, chains in _CHAINS.items():
        # Naming a chain makes it, or empties it.
        lines += [f"*{table}", *(f":{chain} - [0:0]" for chain in chains), *rules[table], "COMMIT"]
    return "\n".join([*lines, ""])


def _has(table: str, chain: str, rule: str) -> bool:
    argv = ("iptables", "--wait", "-t", table, "-C", chain, *rule.split())
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


def _change(how: str, table: str, chain: str, rule: str) -> None:
    _run(("iptables", "--wait", "-t", table, how, chain, *rule.split()))


def _run(argv: Sequence[str], text: str = "") -> None:
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NetworkUnavailable(f"{' '.join(argv)}: {done.stderr.strip() or f'status {done.returncode}'}")
