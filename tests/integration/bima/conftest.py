# SPDX-License-Identifier: Apache-2.0
"""A user without any login, an image in the store, and bima in a process of its own."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sample_image import make_image
from servers import PASSWORD, USER

if TYPE_CHECKING:
    from collections.abc import Callable

    from bima.layout import BuiltImage

ROOT = Path(__file__).resolve().parents[3]
SOURCES = os.pathsep.join(str(ROOT / f"packages/{name}/src") for name in ("common", "bima"))
VARIABLES = (
    "REGISTRY_AUTH_FILE",
    "XDG_CONFIG_HOME",
    "DOCKER_CONFIG",
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "http_proxy",
    "https_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "CONTAINERD_ADDRESS",
    "CONTAINERD_NAMESPACE",
    "CONTAINERD_SNAPSHOTTER",
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory without credentials, and none from anywhere else."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path


@pytest.fixture
def login(home: Path) -> Callable[..., None]:
    """Write what `docker login` writes."""

    def write(host: str, user: str = USER, password: str = PASSWORD, **more: str) -> None:
        auth = base64.b64encode(f"{user}:{password}".encode()).decode()
        entry = {"auth": auth, **more} if password else more
        (home / ".docker").mkdir()
        (home / ".docker/config.json").write_text(json.dumps({"auths": {host: entry}}))

    return write


@pytest.fixture
def stored(home: Path) -> Callable[..., BuiltImage]:
    """Put a small image into bima's store."""
    return lambda name, **choices: make_image(home / "data/bima", name, **choices)


@pytest.fixture
def start(home: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start bima."""

    def run(*words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "bima", *words],
            env={**os.environ, "PYTHONPATH": SOURCES},
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return run


@pytest.fixture
def bima(
    start: Callable[..., subprocess.Popen[str]],
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run bima to its end."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        with start(*words) as process:
            out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    return run
