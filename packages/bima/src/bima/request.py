# SPDX-License-Identifier: Apache-2.0
"""What `bima run` is asked for, read from the words of its command line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bima import port
from bima.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bima.port import Port
    from bima.volume import Volume

_SIZE = re.compile(r"([0-9]{1,15})([bkmg]?)b?", re.IGNORECASE)
_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


@dataclass(frozen=True)
class Request:
    """One container to run; `network` and `name` are for us to choose if they are empty."""

    image: str
    words: tuple[str, ...] = ()
    name: str = ""
    ports: tuple[Port, ...] = ()
    env: tuple[str, ...] = ()
    volumes: tuple[Volume, ...] = ()
    memory_limit: int | None = None
    network: str = ""
    interactive: bool = False
    terminal: bool = False
    detach: bool = False
    remove: bool = False


def memory(text: str) -> int:
    """256m, 1g or a number of bytes -> bytes."""
    found = _SIZE.fullmatch(text)
    if not found or not int(found[1]):
        raise UsageError(f"memory {text!r} is no size", hint="write it like 256m or 1g")
    return int(found[1]) * _UNITS[found[2].lower()]


def ports(texts: Iterable[str]) -> tuple[Port, ...]:
    """Published ports, of which no two are the same port of the host."""
    found: list[Port] = []
    for one in map(port.parse, texts):
        if any(one.collides(other) for other in found):
            raise UsageError(f"port {one} is published twice")
        found.append(one)
    return tuple(found)


def variables(texts: Iterable[str], ours: Mapping[str, str]) -> tuple[str, ...]:
    """NAME=VALUE as it is; NAME alone has our own value, or is left out."""
    found = []
    for text in texts:
        name, equals, _ = text.partition("=")
        if not name:
            raise UsageError(f"variable {text!r} has no name", hint="write it like NAME=VALUE")
        if equals:
            found.append(text)
        elif name in ours:
            found.append(f"{name}={ours[name]}")
    return tuple(found)
