# SPDX-License-Identifier: Apache-2.0
"""Addresses of registries, and where credentials may go."""

from __future__ import annotations

import pytest

from bima.outputs import Options
from bima.reference import Reference
from bima.registry.endpoint import Endpoint, is_loopback


def _endpoint(name: str, *, plain_http: bool = False) -> Endpoint:
    return Endpoint.of(Reference.parse(name), Options(plain_http=plain_http), {})


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("hello", "https://registry-1.docker.io/v2/library/hello/tags/list"),
        ("registry.example:5000/a/b", "https://registry.example:5000/v2/a/b/tags/list"),
        ("localhost/a", "https://localhost/v2/a/tags/list"),
        ("[::1]:5000/a", "https://[::1]:5000/v2/a/tags/list"),
    ],
)
def test_a_repository_has_its_address(name: str, url: str) -> None:
    assert _endpoint(name).url("tags/list") == url


def test_plain_http_is_asked_for() -> None:
    assert _endpoint("registry.example/a", plain_http=True).root == "http://registry.example/v2/"


@pytest.mark.parametrize(
    ("url", "ours"),
    [
        ("https://registry.example/v2/other", True),
        ("https://registry.example:443/upload?x=1", True),
        ("https://REGISTRY.example/", True),
        ("http://registry.example/", False),
        ("https://registry.example:444/", False),
        ("https://registry.example.evil/", False),
        ("https://registry.example@evil/", False),
        ("https://evil/registry.example", False),
    ],
)
def test_credentials_stay_with_the_registry(url: str, ours: bool) -> None:  # noqa: FBT001
    assert _endpoint("registry.example/a").owns(url) is ours


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:5000", "127.0.0.1", "127.9.9.9:80", "[::1]", "[::1]:80"]
)
def test_this_machine_is_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["localhost.example", "128.0.0.1", "127.0.0.1.example:80", "[::2]:80", ""])
def test_other_machines_are_not_loopback(host: str) -> None:
    assert not is_loopback(host)
