# SPDX-License-Identifier: Apache-2.0
"""What a container takes, from the texts of its cgroups' files, in the words of runc's `events`.  Pure.

`v1` and `v2` each say which files of a controller they want, and what is in them.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    Texts = Mapping[str, str]
    """File name -> text; a file that the kernel has not got is not in it."""

# What stands for "no limit" in a field without a sign.
UNLIMITED = (1 << 64) - 1


def number(texts: Texts, file: str) -> int:
    """The number in a file, 0 where there is none."""
    text = texts.get(file, "").strip()
    return UNLIMITED if text == "max" else int(text or 0)


def pairs(text: str) -> dict[str, int]:
    """Lines of a name and a number."""
    words = (line.split() for line in text.splitlines())
    return {one[0]: int(one[1]) for one in words if len(one) == 2 and one[1].lstrip("-").isdecimal()}


def listed(text: str) -> list[int]:
    """0-2,5 -> 0, 1, 2, 5"""
    found: list[int] = []
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        if first:
            found += range(int(first), int(last or first) + 1)
    return found


def pids(texts: Texts) -> dict[str, object]:
    """The same in both versions; a limit that is not there is left out."""
    found: dict[str, object] = {"current": number(texts, "pids.current")}
    limit = number(texts, "pids.max")
    return found if limit == UNLIMITED else {**found, "limit": limit}


def sizes(files: tuple[str, ...]) -> tuple[str, ...]:
    """The sizes of huge pages that a cgroup counts."""
    parts = (file.split(".") for file in files)
    return tuple(sorted({part[1] for part in parts if part[0] == "hugetlb" and len(part) > 2}))
