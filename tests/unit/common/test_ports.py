# SPDX-License-Identifier: Apache-2.0
"""What declares a guest's ports: an annotation, and an image's EXPOSE."""

from __future__ import annotations

import pytest

from urunc_common.errors import ConfigError
from urunc_common.ports import KEY, MOST, Ports, join, parse

TABLE = {
    "80": (Ports(80, 80),),
    "80,443/tcp,53/udp": (Ports(80, 80), Ports(443, 443), Ports(53, 53, "udp")),
    "80, 443": (Ports(80, 80), Ports(443, 443)),
    "8000-8100,1-1/udp": (Ports(8000, 8100), Ports(1, 1, "udp")),
    "65535": (Ports(65535, 65535),),
    "": (),
}
JOINED = {
    ("80/tcp",): "80/tcp",
    ("82", "80", "81"): "80-82/tcp",
    ("80/tcp", "80/udp", "81/udp"): "80/tcp,80-81/udp",
    ("10-20", "12-15", "21"): "10-21/tcp",
    ("80", "82"): "80/tcp,82/tcp",
    (): "",
}


@pytest.mark.parametrize(("text", "ports"), TABLE.items())
def test_ports_are_read(text: str, ports: tuple[Ports, ...]) -> None:
    assert parse(text) == ports


@pytest.mark.parametrize(
    "text",
    [
        "0", "65536", "http", "80/", "80/sctp", "80,,81", "-1", "٣", ",", "9999999999",
        "90-80", "80-", "80-65536", "1-2-3",
    ],
)  # fmt: skip
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=f"{KEY}: .* is no port"):
        parse(text)


def test_more_than_the_kernel_takes_at_once_is_refused() -> None:
    numbers = [str(2 * number) for number in range(1, MOST + 2)]
    assert len(parse(",".join(numbers[:MOST]))) == MOST
    with pytest.raises(ConfigError, match=f"has {MOST + 1} entries, which are more than {MOST}"):
        parse(",".join(numbers))


@pytest.mark.parametrize(("texts", "value"), JOINED.items())
def test_neighbours_are_declared_as_one(texts: tuple[str, ...], value: str) -> None:
    assert join(texts) == value
