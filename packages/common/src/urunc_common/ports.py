# SPDX-License-Identifier: Apache-2.0
"""The ports that a guest serves, as an image's EXPOSE or a container's annotation declares them.  Pure.

`80,8000-8100/tcp,53/udp` in both; what has no protocol is tcp.
"""

from __future__ import annotations

from urunc_common.errors import ConfigError
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

KEY = "run.urunc.ports"
MOST = 100
_PROTOCOLS = ("tcp", "udp")
_LAST = (1 << 16) - 1


class Ports(Record):
    """A port, or several that follow each other."""

    first: int
    last: int
    protocol: str = "tcp"

    def __str__(self) -> str:
        numbers = str(self.first) if self.first == self.last else f"{self.first}-{self.last}"
        return f"{numbers}/{self.protocol}"


def parse(value: str) -> tuple[Ports, ...]:
    """What a value declares; an empty one, that there are none.  Raises ConfigError."""
    found = tuple(map(_ports, value.split(","))) if value else ()
    if len(found) > MOST:
        raise ConfigError(
            f"{KEY} has {len(found)} entries, which are more than {MOST}",
            hint="write neighbours as one, like 8000-8100",
        )
    return found


def join(texts: Iterable[str]) -> str:
    """The shortest value that declares the same as all of these."""
    joined: list[Ports] = []
    for one in sorted(map(_ports, texts), key=lambda one: (one.protocol, one.first)):
        before = joined[-1] if joined else None
        if before and before.protocol == one.protocol and one.first <= before.last + 1:
            joined[-1] = before.replace(last=max(before.last, one.last))
        else:
            joined.append(one)
    return ",".join(map(str, joined))


def check(_key: str, value: str) -> None:
    """Raises ConfigError."""
    parse(value)


def is_number(text: str) -> bool:
    """Whether a text is a port's number."""
    return text.isascii() and text.isdecimal() and 0 < int(text[:6]) <= _LAST


def _ports(text: str) -> Ports:
    numbers, slash, protocol = text.strip().partition("/")
    first, dash, last = numbers.partition("-")
    whole = is_number(first) and (is_number(last) if dash else True)
    if not whole or int(first) > int(last or first) or (slash and protocol not in _PROTOCOLS):
        raise ConfigError(f"{KEY}: {text!r} is no port", hint="write it like 80,8000-8100/tcp,53/udp")
    return Ports(int(first), int(last or first), protocol or "tcp")
