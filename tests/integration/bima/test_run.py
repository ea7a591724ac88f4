# SPDX-License-Identifier: Apache-2.0
"""What `bima run` refuses, and that it leaves nothing behind then; no guest is started."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from capabilities import require

from bima.image import LAYER_GZIP

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator

    from bima.layout import BuiltImage

    Run = Callable[..., subprocess.CompletedProcess[str]]
    Stored = Callable[..., BuiltImage]

FOLDERS = (Path("/var/lib/bima/containers"), Path("/run/bima/urunc"), Path("/run/bima/network"))
NAME = f"test-{os.getpid()}"


@pytest.fixture
def urunc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in PATH with a urunc, which fails."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "urunc").write_text("#!/bin/sh\necho urunc: it cannot be >&2\nexit 1\n")
    (folder / "urunc").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """Everything that is made here has our own name."""
    require("root")
    yield
    assert not [path for folder in FOLDERS for path in folder.glob(f"*{NAME}*")]


def refusal(done: subprocess.CompletedProcess[str], status: int = 1) -> str:
    assert done.returncode == status, done
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.stderr


def test_an_unknown_image_is_refused(bima: Run) -> None:
    assert "no image nothing:latest in " in refusal(bima("run", "nothing"))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("-p", "80"), "port 80: '' is no port number; write [IP:]HOST:GUEST"),
        (("-p", "8080:80/sctp"), "port 8080:80/sctp: unknown protocol sctp"),
        (("-p", "8080:80", "-p", "8080:81"), "port 8080:81/tcp is published twice"),
        (("-p", "8080:80", "--network", "none"), "a container without a network cannot publish ports"),
        (("-p", "127.0.0.1:8080:80", "--network", "user"), "publishes ports on every address"),
        (("-m", "lots"), "memory 'lots' is no size; write it like 256m or 1g"),
        (("-e", "=1"), "variable '=1' has no name"),
        (("-v", "/nowhere:/data"), "volume /nowhere:/data: there is no /nowhere on this host"),
        (("-d", "-t"), "a container in the background has neither terminal nor input"),
        (("--name", "../x"), "'../x' cannot be the name of a container"),
    ],
)
@pytest.mark.usefixtures("urunc")
def test_what_cannot_be_is_refused_with_the_reason(
    bima: Run, stored: Stored, options: tuple[str, ...], reason: str
) -> None:
    stored("hello")
    assert reason in refusal(bima("run", *options, "hello"))


def test_an_unknown_option_is_refused(bima: Run) -> None:
    assert "No such option '--nme'" in refusal(bima("run", "--nme", "x", "hello"), 2)


def test_without_urunc_it_says_so(
    bima: Run, stored: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored("hello")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "urunc, which boots unikernels, is neither beside bima nor in PATH" in refusal(
        bima("run", "hello")
    )


@pytest.mark.usefixtures("urunc")
@pytest.mark.parametrize("options", [(), ("-d",)])
def test_a_failure_of_the_runtime_is_passed_on(bima: Run, stored: Stored, options: tuple[str, ...]) -> None:
    stored("hello")
    done = bima("run", *options, "--network", "none", "--name", NAME, "hello")
    assert "urunc: it cannot be" in refusal(done)


@pytest.mark.usefixtures("urunc")
def test_a_layer_of_another_type_is_refused(bima: Run, stored: Stored) -> None:
    image = stored("hello")
    with image.layout.locked():
        manifest = image.layout.read(image.descriptor.digest).replace(LAYER_GZIP.encode(), b"other")
        descriptor = image.layout.add_bytes(manifest, image.descriptor.media_type)
        image.layout.tag(image.reference, descriptor)
    assert "a layer of hello:latest is of the type other" in refusal(bima("run", "--name", NAME, "hello"))


@pytest.mark.usefixtures("urunc")
@pytest.mark.parametrize("verb", ["stop", "rm", "logs"])
def test_an_unknown_container_is_refused(bima: Run, verb: str) -> None:
    assert f"there is no container {NAME}; bima ps -a lists them" in refusal(bima(verb, NAME))
