# SPDX-License-Identifier: Apache-2.0
"""Where credentials are found, in which order, and under which names."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from bima.errors import RegistryError
from bima.registry.credentials import Credential, files, find, normalize

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HOST = "registry.example:5000"
REPOSITORY = "org/team/app"


def entry(user: str, password: str = "secret") -> dict[str, str]:
    """What docker login writes."""
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A user's environment, every file of which is below one directory."""
    return {
        "HOME": f"{tmp_path}/home",
        "REGISTRY_AUTH_FILE": f"{tmp_path}/explicit.json",
        "XDG_RUNTIME_DIR": f"{tmp_path}/run",
        "XDG_CONFIG_HOME": f"{tmp_path}/config",
        "DOCKER_CONFIG": f"{tmp_path}/docker",
    }


@pytest.fixture
def looked_up(tmp_path: Path) -> Callable[..., Credential | None]:
    """What is found in a file with this content."""

    def look(document: Any, registry: str = HOST, repository: str = REPOSITORY) -> Credential | None:
        path = tmp_path / "config.json"
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        return find(registry, repository, {"HOME": "/nowhere", "DOCKER_CONFIG": str(tmp_path)})

    return look


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Install a credential helper that is a shell script."""

    def install(name: str, script: str) -> None:
        path = tmp_path / f"docker-credential-{name}"
        path.write_text(f"#!/bin/sh\nread server\n{script}\n")
        path.chmod(0o755)

    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return install


def test_the_best_file_wins(environ: dict[str, str]) -> None:
    paths = list(files(environ))
    for path in reversed(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        auths = {HOST: entry(str(path))}
        path.write_text(json.dumps(auths if path.name == ".dockercfg" else {"auths": auths}))
        found = find(HOST, REPOSITORY, environ)
        assert found is not None
        assert found.username == str(path)


def test_the_order_of_the_files_is_podmans_then_dockers(environ: dict[str, str], tmp_path: Path) -> None:
    found = [str(path.relative_to(tmp_path)) for path in files(environ)]
    assert found == [
        "explicit.json",
        "run/containers/auth.json",
        "config/containers/auth.json",
        "docker/config.json",
        "home/.dockercfg",
    ]


def test_without_variables_the_files_are_in_the_home_directory() -> None:
    found = [str(path) for path in files({"HOME": "/home/me"})]
    assert found[1:] == [
        "/home/me/.config/containers/auth.json",
        "/home/me/.docker/config.json",
        "/home/me/.dockercfg",
    ]


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("registry.example", "registry.example"),
        ("https://registry.example/v1/", "registry.example"),
        ("http://registry.example/v2", "registry.example"),
        ("Registry.Example:443", "registry.example"),
        ("registry.example:5000/org/team", "registry.example:5000/org/team"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("index.docker.io", "docker.io"),
        ("registry-1.docker.io", "docker.io"),
    ],
)
def test_the_spellings_of_a_key_mean_the_same(key: str, name: str) -> None:
    assert normalize(key) == name


@pytest.mark.parametrize(
    ("content", "credential"),
    [
        (entry("me", "with:colon"), Credential("me", "with:colon")),
        (entry("me", "padded\0\0"), Credential("me", "padded")),
        ({"username": "me", "password": "plain"}, Credential("me", "plain")),
        ({**entry("me", ""), "identitytoken": "t"}, Credential("me", identity_token="t")),
        ({"registrytoken": "t"}, Credential(access_token="t")),
        ({}, None),
        ({"email": "me@example"}, None),
    ],
)
def test_the_forms_of_an_entry(
    content: dict[str, str], credential: Credential | None, looked_up: Callable[..., Credential | None]
) -> None:
    assert looked_up({"auths": {HOST: content}}) == credential


def test_the_longest_path_wins(looked_up: Callable[..., Credential | None]) -> None:
    auths = {HOST: entry("all"), f"{HOST}/org": entry("org"), f"{HOST}/org/team": entry("team")}
    assert looked_up({"auths": auths}) == Credential("team", "secret")
    assert looked_up({"auths": auths}, repository="org/other/app") == Credential("org", "secret")
    assert looked_up({"auths": auths}, repository="organization/app") == Credential("all", "secret")


def test_another_registrys_password_is_not_given_away(looked_up: Callable[..., Credential | None]) -> None:
    auths = {"registry.example": entry("x"), "example:5000": entry("y"), f"{HOST}0": entry("z")}
    assert looked_up({"auths": auths}) is None


def test_a_helper_for_the_registry_comes_before_the_store_for_all(
    looked_up: Callable[..., Credential | None], helper: Callable[[str, str], None]
) -> None:
    helper("one", """echo '{"Username": "one", "Secret": "1"}'""")
    helper("all", """echo '{"Username": "<token>", "Secret": "all"}'""")
    document = {"credHelpers": {HOST: "one"}, "credsStore": "all", "auths": {HOST: entry("file")}}
    assert looked_up(document) == Credential("one", "1")
    assert looked_up(document, registry="other.example") == Credential(identity_token="all")


def test_docker_hub_is_asked_for_under_its_old_name(
    looked_up: Callable[..., Credential | None], helper: Callable[[str, str], None]
) -> None:
    helper("all", """echo '{"Username": "'$server'", "Secret": "1"}'""")
    found = looked_up({"credsStore": "all"}, registry="docker.io", repository="library/hello")
    assert found == Credential("https://index.docker.io/v1/", "1")


def test_a_helper_that_does_not_know_leaves_it_to_the_file(
    looked_up: Callable[..., Credential | None], helper: Callable[[str, str], None]
) -> None:
    helper("all", "echo credentials not found in native keychain; exit 1")
    document = {"credsStore": "all", "auths": {HOST: entry("file")}}
    assert looked_up(document) == Credential("file", "secret")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo the keychain is locked; exit 1", "failed for registry.example:5000: the keychain is locked"),
        ("echo '{\"Secret\": 1'", "gave an answer that is none"),
        ("echo '[]'", "gave an answer that is none"),
    ],
)
def test_a_helper_that_fails_is_an_error(
    script: str,
    words: str,
    looked_up: Callable[..., Credential | None],
    helper: Callable[[str, str], None],
) -> None:
    helper("all", script)
    with pytest.raises(RegistryError, match=f"the credential helper docker-credential-all {words}"):
        looked_up({"credsStore": "all"})


def test_a_helper_that_is_not_installed_is_an_error(looked_up: Callable[..., Credential | None]) -> None:
    with pytest.raises(RegistryError, match="docker-credential-missing is not installed") as raised:
        looked_up({"credsStore": "missing"})
    assert "config.json" in raised.value.hint


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("{", "is not JSON"),
        ("[]", "is not a JSON object"),
        ({"auths": ["x"]}, "auths is not a JSON object"),
        ({"auths": {HOST: {"auth": "?"}}}, f"the entry of {HOST} cannot be read"),
        ({"auths": {HOST: "x"}}, f"the entry of {HOST} cannot be read"),
    ],
)
def test_a_broken_file_is_named(
    document: Any, words: str, looked_up: Callable[..., Credential | None]
) -> None:
    with pytest.raises(RegistryError, match=rf"config\.json.*{words}"):
        looked_up(document)


def test_a_directory_in_place_of_the_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").mkdir()
    with pytest.raises(RegistryError, match="cannot be read: Is a directory"):
        find(HOST, REPOSITORY, {"HOME": "/nowhere", "DOCKER_CONFIG": str(tmp_path)})
