# SPDX-License-Identifier: Apache-2.0
"""Registries that want to know who pushes: Basic, tokens with scopes, and to whom a password may go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from capabilities import require
from faults import Fault, faulty
from sample_image import make_image
from servers import PASSWORD, USER, registry
from tokens import IDENTITY_TOKEN, SERVICE, token_service

from bima.errors import RegistryError
from bima.outputs import Options
from bima.registry.push import THREADS, push

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from servers import Registry
    from tokens import Tokens

    from bima.layout import BuiltImage

    Login = Callable[..., None]

PLAIN = Options()


@pytest.fixture
def tokens() -> Iterator[Tokens]:
    """A token service."""
    with token_service() as tokens:
        yield tokens


@pytest.fixture
def server(tokens: Tokens) -> Iterator[Registry]:
    """A registry that believes the token service only."""
    require("registry")
    with registry(auth=tokens.auth) as server:
        yield server


@pytest.fixture
def basic() -> Iterator[Registry]:
    """A registry that asks for the password itself."""
    require("registry")
    with registry(basic=True) as server:
        yield server


def test_one_token_is_enough_for_a_push(
    server: Registry, tokens: Tokens, login: Login, tmp_path: Path
) -> None:
    login(server.host)
    push(make_image(tmp_path / "layout", f"{server.host}/lab/hello:1"), PLAIN)
    (asked,) = tokens.asked
    assert asked.fields["scope"] == "repository:lab/hello:pull,push"
    assert asked.fields["service"] == SERVICE


def test_a_wrong_password_is_refused_at_once(
    server: Registry,
    tokens: Tokens,
    login: Login,
    stored: Callable[..., BuiltImage],
    bima: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    login(server.host, password="wrong")
    name = f"{server.host}/lab/hello:1"
    stored(name)
    done = bima("push", name)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"bima: {server.host} refused the password of {USER}; log in with")
    assert len(done.stderr.splitlines()) == 1
    assert len(tokens.asked) == 1


def test_a_refused_token_is_renewed_once(
    server: Registry, tokens: Tokens, login: Login, tmp_path: Path
) -> None:
    login(server.host)
    image = make_image(tmp_path / "layout", f"{server.host}/lab/hello:1")
    tokens.actions = ("pull",)
    with pytest.raises(RegistryError, match=f"does not let {USER} push to lab/hello"):
        push(image, PLAIN)
    # One at the door, and one for each thread at most.
    assert 2 <= len(tokens.asked) <= 1 + THREADS


def test_a_token_that_expires_in_between_is_renewed(
    server: Registry, tokens: Tokens, login: Login, tmp_path: Path
) -> None:
    with faulty(server.host) as proxy:
        login(proxy.host)
        challenge = f'Bearer realm="{tokens.realm}",service="{SERVICE}",error="invalid_token"'
        expired = Fault("PUT", "/blobs/uploads/", status=401, headers={"WWW-Authenticate": challenge})
        proxy.faults.append(expired)
        push(make_image(tmp_path / "layout", f"{proxy.host}/lab/hello:1"), PLAIN)
        assert len(tokens.asked) == 2


def test_useless_tokens_are_not_asked_for_again_and_again(
    server: Registry, tokens: Tokens, login: Login, tmp_path: Path
) -> None:
    login(server.host)
    tokens.useless = 100
    with pytest.raises(RegistryError, match="does not let"):
        push(make_image(tmp_path / "layout", f"{server.host}/lab/hello:1"), PLAIN)
    assert len(tokens.asked) == 1


def test_an_identity_token_is_exchanged(
    server: Registry, tokens: Tokens, login: Login, tmp_path: Path
) -> None:
    login(server.host, password="", identitytoken=IDENTITY_TOKEN)
    push(make_image(tmp_path / "layout", f"{server.host}/lab/hello:1"), PLAIN)
    assert [(each.method, each.authorization) for each in tokens.asked] == [("POST", "")]


def test_without_a_login_the_error_says_how_to_log_in(
    server: Registry, tokens: Tokens, tmp_path: Path
) -> None:
    with pytest.raises(RegistryError, match="wants to know who you are") as raised:
        push(make_image(tmp_path / "layout", f"{server.host}/lab/hello:1"), PLAIN)
    assert f"bima login {server.host}" in raised.value.sentence
    assert [each.authorization for each in tokens.asked] == [""]


def test_a_password_serves_a_registry_without_tokens(basic: Registry, login: Login, tmp_path: Path) -> None:
    login(basic.host)
    push(make_image(tmp_path / "layout", f"{basic.host}/lab/hello:1"), PLAIN)


def test_a_wrong_password_is_sent_once(basic: Registry, login: Login, tmp_path: Path) -> None:
    with faulty(basic.host) as proxy:
        login(proxy.host, password="wrong")
        with pytest.raises(RegistryError, match=f"refused the password of {USER}"):
            push(make_image(tmp_path / "layout", f"{proxy.host}/lab/hello:1"), PLAIN)
        assert [bool(each.authorization) for each in proxy.requests] == [False, True]


def test_a_netrc_does_not_replace_the_login(basic: Registry, login: Login, home: Path) -> None:
    (home / ".netrc").write_text("machine 127.0.0.1 login other password wrong\n")
    login(basic.host)
    push(make_image(home / "layout", f"{basic.host}/lab/hello:1"), PLAIN)


def test_a_credential_helper_is_asked(basic: Registry, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper = home / "bin/docker-credential-test"
    helper.parent.mkdir()
    helper.write_text(
        f'#!/bin/sh\nread server\n[ "$1 $server" = "get {basic.host}" ] || exit 1\n'
        f'echo \'{{"ServerURL": "", "Username": "{USER}", "Secret": "{PASSWORD}"}}\'\n'
    )
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", str(helper.parent), prepend=":")
    (home / ".docker").mkdir()
    (home / ".docker/config.json").write_text('{"credsStore": "test"}')
    push(make_image(home / "layout", f"{basic.host}/lab/hello:1"), PLAIN)


def test_a_redirect_does_not_take_the_password_along(basic: Registry, login: Login, tmp_path: Path) -> None:
    with faulty(basic.host) as proxy, faulty() as elsewhere:
        login(proxy.host)
        away = {"Location": f"http://{elsewhere.host}/blob"}
        proxy.faults.append(Fault("HEAD", "/blobs/", status=307, headers=away))
        push(make_image(tmp_path / "layout", f"{proxy.host}/lab/hello:1"), PLAIN)
        assert [(each.path, each.authorization) for each in elsewhere.requests] == [("/blob", "")]


def test_an_upload_elsewhere_does_not_take_the_password_along(
    basic: Registry, login: Login, tmp_path: Path
) -> None:
    with faulty(basic.host) as proxy, faulty() as elsewhere:
        login(proxy.host)
        away = {"Location": f"http://{elsewhere.host}/upload?state=1"}
        proxy.faults.append(Fault("POST", "/blobs/uploads/", status=202, headers=away, times=9))
        elsewhere.faults.append(Fault("PUT", "/upload?state=1&digest=sha256:", status=401, times=9))
        with pytest.raises(RegistryError, match="the answer is 401"):
            push(make_image(tmp_path / "layout", f"{proxy.host}/lab/hello:1"), PLAIN)
        assert elsewhere.seen("PUT")
        assert not any(each.authorization for each in elsewhere.requests)
