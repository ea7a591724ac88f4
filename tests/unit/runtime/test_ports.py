# SPDX-License-Identifier: Apache-2.0
"""The annotation that declares a guest's ports."""

from __future__ import annotations

import pytest

from urunc.errors import BundleError
from urunc.ports import KEY, Port, parse

TABLE = {
    "80": (Port(80),),
    "80,443/tcp,53/udp": (Port(80), Port(443), Port(53, "udp")),
    "80, 443": (Port(80), Port(443)),
    "65535": (Port(65535),),
    "": (),
}


@pytest.mark.parametrize(("text", "ports"), TABLE.items())
def test_ports_are_read(text: str, ports: tuple[Port, ...]) -> None:
    assert parse({KEY: text}) == ports


def test_no_declaration_is_another_thing_than_none() -> None:
    assert parse({}) is None


@pytest.mark.parametrize(
    "text", ["0", "65536", "http", "80/", "80/sctp", "80,,81", "-1", "80-90", "٣", ",", "9999999999"]
)
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(BundleError, match=f"{KEY}: .* is no port"):
        parse({KEY: text})
