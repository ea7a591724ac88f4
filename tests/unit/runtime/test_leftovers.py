# SPDX-License-Identifier: Apache-2.0
"""Which traces in a network namespace serve nobody."""

from __future__ import annotations

import pytest

from urunc.host.nftables import Table
from urunc.interfaces import ETHERNET, Link
from urunc.leftovers import Traces, unused

ETH0 = Link(2, "eth0", ETHERNET, "02:00:00:00:00:02", 1500, carrier=True)


def tap(name: str, *, used: bool) -> Link:
    return Link(3, name, ETHERNET, "02:00:00:00:00:03", 1500, carrier=used)


def table(name: str) -> Table:
    return Table(2, name, b"", "")


OWN, OWN_UNUSED = tap("tap0_urunc", used=True), tap("tap0_urunc", used=False)
SHARED, SHARED_UNUSED = tap("urunc1", used=True), tap("urunc1", used=False)
TABLE = {
    "nothing": (Traces(), Traces([], [], [])),
    "a guest": (Traces([OWN], [ETH0]), Traces([], [], [])),
    "a guest whose tap stayed": (Traces([OWN_UNUSED], [ETH0]), Traces([OWN_UNUSED], [ETH0], [])),
    "a guest whose tap went": (Traces([], [ETH0]), Traces([], [ETH0], [])),
    "one that shares": (Traces([SHARED], [], [table("urunc1")]), Traces([], [], [])),
    "one that shared, and its tap": (
        Traces([SHARED_UNUSED], [], [table("urunc1")]), Traces([SHARED_UNUSED], [], [table("urunc1")]),
    ),
    "one that shared": (Traces([], [], [table("urunc1")]), Traces([], [], [table("urunc1")])),
    "one of two that share": (
        Traces([SHARED], [], [table("urunc1"), table("urunc2")]), Traces([], [], [table("urunc2")]),
    ),
    "a redirection beside one that shares": (Traces([SHARED], [ETH0]), Traces([], [ETH0], [])),
}  # fmt: skip


@pytest.mark.parametrize(("found", "left"), TABLE.values(), ids=TABLE)
def test_what_serves_nobody_is_a_leftover(found: Traces, left: Traces) -> None:
    assert tuple(map(list, unused(found))) == tuple(map(list, left))
