# SPDX-License-Identifier: Apache-2.0
"""Logins are tried, kept where docker and podman look, and forgotten; and what they are for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from capabilities import require
from faults import Fault, faulty
from sample_image import make_image
from servers import PASSWORD, USER, registry
from tokens import token_service

from bima.outputs import Options
from bima.registry.push import push

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from servers import Registry

    Bima = Callable[..., subprocess.CompletedProcess[str]]

ROOT = Path(__file__).resolve().parents[3]
SOURCES = os.pathsep.join(str(ROOT / f"packages/{name}/src") for name in ("common", "bima"))


@pytest.fixture(params=["basic", "token"])
def server(request: pytest.FixtureRequest) -> Iterator[Registry]:
    """A registry that wants a password, in either way."""
    require("registry")
    if request.param == "basic":
        with registry(basic=True) as server:
            yield server
    else:
        with token_service() as tokens, registry(auth=tokens.auth) as server:
            yield server


@pytest.fixture
def login(home: Path) -> Bima:
    """`bima login` with a password on standard input."""

    def run(host: str, password: str, *words: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "bima", "login", "-u", USER, "--password-stdin", *words, host]
        environment = {**os.environ, "PYTHONPATH": SOURCES}
        return subprocess.run(
            argv,
            input=f"{password}\n",
            env=environment,
            cwd=home,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_a_password_is_tried_kept_used_and_forgotten(
    server: Registry, login: Bima, bima: Bima, home: Path, stored: Callable[..., object]
) -> None:
    path = home / ".docker/config.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"auths": {"other": {"auth": "eDp5"}}, "detachKeys": "x"}))
    done = login(server.host, PASSWORD)
    assert done.returncode == 0, done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    assert path.stat().st_mode & 0o777 == 0o600
    document = json.loads(path.read_text())
    assert document["detachKeys"] == "x"
    assert sorted(document["auths"]) == sorted(["other", server.host])
    stored(f"{server.host}/lab/hello:1")
    assert bima("push", f"{server.host}/lab/hello:1").returncode == 0
    assert bima("logout", server.host).returncode == 0
    assert list(json.loads(path.read_text())["auths"]) == ["other"]
    assert bima("push", f"{server.host}/lab/hello:1").returncode == 1
    assert "nobody is logged in" in bima("logout", server.host).stderr


def test_a_wrong_password_is_refused_and_not_kept(server: Registry, login: Bima, home: Path) -> None:
    done = login(server.host, "wrong")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"refused the password of {USER}" in done.stderr
    assert not (home / ".docker").exists()


def test_a_helper_keeps_the_password_where_one_is_configured(
    login: Bima, bima: Bima, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require("registry")
    helper = home / "docker-credential-test"
    helper.write_text(
        f"#!/bin/sh\ncase $1 in\nstore) cat >{home}/kept ;;\nget) cat {home}/kept ;;\n"
        f"erase) rm {home}/kept ;;\nesac\n"
    )
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{home}:{os.environ['PATH']}")
    (home / ".docker").mkdir()
    (home / ".docker/config.json").write_text('{"credsStore": "test"}')
    with registry(basic=True) as server:
        assert login(server.host, PASSWORD).returncode == 0
        kept = json.loads((home / "kept").read_text())
        assert kept == {"ServerURL": server.host, "Username": USER, "Secret": PASSWORD}
        assert json.loads((home / ".docker/config.json").read_text()) == {"credsStore": "test"}
        assert bima("logout", server.host).returncode == 0
        assert not (home / "kept").exists()


def test_an_empty_password_is_refused(login: Bima) -> None:
    assert "the password is empty" in login("example.org", "").stderr


def test_tags_are_listed_over_all_pages(bima: Bima, tmp_path: Path) -> None:
    require("registry")
    with registry() as server, faulty(server.host) as proxy:
        for tag in ("a", "b"):
            push(make_image(tmp_path / tag, f"{server.host}/lab/hello:{tag}"), Options(plain_http=True))
        assert bima("tags", "--plain-http", f"{server.host}/lab/hello").stdout == "a\nb\n"
        link = {"Link": '</v2/lab/hello/tags/list?last=x>; rel="next"'}
        proxy.faults.append(Fault("GET", "tags/list", status=200, headers=link, body=b'{"tags": ["first"]}'))
        assert bima("tags", "--plain-http", f"{proxy.host}/lab/hello").stdout == "a\nb\nfirst\n"
        link = {"Link": '<http://example.org/v2/lab/hello/tags/list>; rel="next"'}
        proxy.faults.append(Fault("GET", "tags/list", status=200, headers=link, body=b'{"tags": []}'))
        assert "go on elsewhere" in bima("tags", "--plain-http", f"{proxy.host}/lab/hello").stderr
        assert "the answer is 404" in bima("tags", "--plain-http", f"{server.host}/lab/none").stderr
