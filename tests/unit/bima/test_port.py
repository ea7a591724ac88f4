# SPDX-License-Identifier: Apache-2.0
"""What `-p` takes."""

from __future__ import annotations

import pytest

from bima.errors import UsageError
from bima.port import Port, parse


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("8080:80", Port(8080, 80)),
        ("8080:80/tcp", Port(8080, 80)),
        ("5353:53/UDP", Port(5353, 53, "udp")),
        ("127.0.0.1:8080:80", Port(8080, 80, "tcp", "127.0.0.1")),
        ("0.0.0.0:8080:80", Port(8080, 80)),
        ("10.0.0.1:65535:1/udp", Port(65535, 1, "udp", "10.0.0.1")),
    ],
)
def test_a_port_is_read(text: str, port: Port) -> None:
    assert parse(text) == port


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "port : '' is no port number"),
        ("80", "port 80: '' is no port number"),
        ("8080:", "port 8080:: '' is no port number"),
        (":80", "port :80: '' is no port number"),
        ("0:80", "port 0:80: '0' is no port number"),
        ("65536:80", "port 65536:80: '65536' is no port number"),
        ("a:80", "port a:80: 'a' is no port number"),
        ("8080:²", "port 8080:²: '²' is no port number"),
        ("-1:80", "port -1:80: '-1' is no port number"),
        ("8080:80/sctp", "port 8080:80/sctp: unknown protocol sctp"),
        ("1.2.3:8080:80", "port 1.2.3:8080:80: '1.2.3' is no IPv4 address"),
        ("localhost:8080:80", "port localhost:8080:80: 'localhost' is no IPv4 address"),
        ("::1:8080:80", "port ::1:8080:80: '::1' is no IPv4 address"),
    ],
)
def test_what_is_no_port_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert str(caught.value) == complaint
    assert caught.value.hint


@pytest.mark.parametrize(
    ("one", "other", "collide"),
    [
        ("80:1", "80:2", True),
        ("80:1", "81:1", False),
        ("80:1", "80:1/udp", False),
        ("80:1", "127.0.0.1:80:1", True),
        ("127.0.0.2:80:1", "127.0.0.1:80:1", False),
    ],
)
def test_two_ports_collide_on_a_common_address(one: str, other: str, *, collide: bool) -> None:
    assert parse(one).collides(parse(other)) is collide
    assert parse(other).collides(parse(one)) is collide


def test_a_port_is_written_as_it_is_read() -> None:
    for text in ("8080:80/tcp", "127.0.0.1:5353:53/udp"):
        assert str(parse(text)) == text
