# SPDX-License-Identifier: Apache-2.0
"""What several guests do alike with words."""

from __future__ import annotations

from urunc.errors import Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.machine import Facts


def quote(guest: str, word: str) -> str:
    """One word for a command line that is split at spaces and knows both kinds of quotes.

    Only single quotes keep a backslash in all of them; none can hold an empty word.
    """
    if not word:
        raise Unsupported(f"a {guest} unikernel cannot be given an empty argument")
    if any(character.isspace() or character in "'\"\\" for character in word):
        return "'" + word.replace("'", "'\"'\"'") + "'"
    return word


def netmask(prefix: int) -> str:
    """24 -> 255.255.255.0"""
    bits = (0xFFFFFFFF << (32 - prefix)) & 0xFFFFFFFF
    return ".".join(str(bits >> shift & 0xFF) for shift in (24, 16, 8, 0))


def require_x86(guest: str, facts: Facts) -> None:
    """Refuse any other architecture, for a guest that has no way to be told all this on another one."""
    if facts.arch != "x86_64":
        raise Unsupported(f"a {guest} unikernel boots on x86_64, not on {facts.arch}")
