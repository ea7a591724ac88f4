# SPDX-License-Identifier: Apache-2.0
"""How a challenge is read and answered; the answers of real services are in the integration tests."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bima.errors import RegistryError
from bima.outputs import Options
from bima.reference import Reference
from bima.registry.auth import Authorizer, Challenge, parse_challenges
from bima.registry.credentials import Credential
from bima.registry.endpoint import Endpoint

if TYPE_CHECKING:
    import requests

ENDPOINT = Endpoint.of(Reference.parse("registry.example/lab/hello"), Options(), {})
LOGIN = Credential("lab", "secret")


@pytest.mark.parametrize(
    ("header", "challenges"),
    [
        ("", []),
        ("Basic", [Challenge("basic", {})]),
        ('Basic realm="a b"', [Challenge("basic", {"realm": "a b"})]),
        (
            'Bearer realm="https://x/t?a=b",service="s",scope="repository:a/b:pull,push"',
            [
                Challenge(
                    "bearer",
                    {"realm": "https://x/t?a=b", "service": "s", "scope": "repository:a/b:pull,push"},
                )
            ],
        ),
        (
            "Bearer realm=https://x/t, service=s",
            [Challenge("bearer", {"realm": "https://x/t", "service": "s"})],
        ),
        (r'BASIC Realm = "say \"hi\""', [Challenge("basic", {"realm": 'say "hi"'})]),
        (
            'Negotiate, Basic realm="x", Bearer realm="y"',
            [
                Challenge("negotiate", {}),
                Challenge("basic", {"realm": "x"}),
                Challenge("bearer", {"realm": "y"}),
            ],
        ),
        ('realm="nobody\'s"', []),
    ],
)
def test_challenges_are_parsed(header: str, challenges: list[Challenge]) -> None:
    assert parse_challenges(header) == challenges


@given(st.text())
def test_any_header_can_be_parsed(header: str) -> None:
    parse_challenges(header)


def test_basic_sends_user_and_password() -> None:
    authorizer = Authorizer(ENDPOINT, lambda: Credential("lab", "se:cret"))
    authorizer.renew('Basic realm="x"', "", _nobody)
    assert authorizer.header == f"Basic {base64.b64encode(b'lab:se:cret').decode()}"


def test_a_password_that_was_refused_is_not_sent_again() -> None:
    authorizer = Authorizer(ENDPOINT, lambda: LOGIN)
    authorizer.renew("Basic", "", _nobody)
    with pytest.raises(RegistryError, match="refused the password of lab"):
        authorizer.renew("Basic", authorizer.header, _nobody)


def test_a_header_that_another_thread_renewed_is_taken() -> None:
    authorizer = Authorizer(ENDPOINT, lambda: LOGIN)
    authorizer.header = "Bearer new"
    authorizer.renew('Bearer realm="https://x/"', "Bearer old", _nobody)
    assert authorizer.header == "Bearer new"


def test_a_fixed_token_is_used_as_it_is_and_once() -> None:
    authorizer = Authorizer(ENDPOINT, lambda: Credential(access_token="fixed"))
    authorizer.renew('Bearer realm="https://x/"', "", _nobody)
    assert authorizer.header == "Bearer fixed"
    with pytest.raises(RegistryError, match="does not let you push"):
        authorizer.renew('Bearer realm="https://x/"', "Bearer fixed", _nobody)


def test_an_unknown_way_to_authenticate_is_refused() -> None:
    with pytest.raises(RegistryError, match=r"registry\.example does not let lab push to lab/hello"):
        Authorizer(ENDPOINT, lambda: LOGIN).renew("Negotiate", "", _nobody)


@pytest.mark.parametrize("realm", ["", "/token", "ftp://x/token", "https:///token"])
def test_a_token_service_without_an_address_is_refused(realm: str) -> None:
    with pytest.raises(RegistryError, match="which is no address"):
        Authorizer(ENDPOINT, lambda: None).renew(f'Bearer realm="{realm}"', "", _nobody)


def test_a_password_is_not_sent_in_the_clear_by_a_registry_with_tls() -> None:
    with pytest.raises(RegistryError, match="wants the password sent unencrypted, to http://x/t"):
        Authorizer(ENDPOINT, lambda: LOGIN).renew('Bearer realm="http://x/t"', "", _nobody)


def test_a_credential_does_not_show_its_secrets() -> None:
    shown = repr(Credential("lab", "secret", "secret", "secret"))
    assert "lab" in shown
    assert "secret" not in shown


def _nobody(*_: Any, **__: Any) -> requests.Response:
    raise AssertionError("no request is due")
