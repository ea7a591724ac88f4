# SPDX-License-Identifier: Apache-2.0
"""Delivery into real containerd and docker stores."""

from __future__ import annotations

import gc
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from capabilities import require
from sample_image import make_image
from servers import containerd, dockerd

from bima.errors import OutputError, StoreError
from bima.outputs import Options, load
from bima.reference import Reference

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from servers import Containerd, Dockerd

NAME = "registry.example/lab/hello:1"


@pytest.fixture(scope="module")
def ctrd() -> Iterator[Containerd]:
    """A containerd."""
    require("containerd", "root")
    with containerd() as server:
        yield server


@pytest.fixture(scope="module")
def engine() -> Iterator[Dockerd]:
    """A docker daemon."""
    require("docker", "root")
    with dockerd() as server:
        yield server


@pytest.fixture
def connected(engine: Dockerd, monkeypatch: pytest.MonkeyPatch) -> Dockerd:
    """The daemon that this process's environment points to."""
    monkeypatch.setenv("DOCKER_HOST", engine.host)
    return engine


@pytest.mark.parametrize("architecture", ["amd64", "arm64", "riscv64"])
def test_containerd_takes_an_image_of_any_architecture(
    architecture: str, ctrd: Containerd, tmp_path: Path
) -> None:
    name = f"{NAME}-{architecture}"
    image = make_image(tmp_path / "layout", name, architecture=architecture)
    load("ctr")(image, "", Options(address=ctrd.address))
    (line,) = ctrd.ctr("images", "ls", f"name=={name}").stdout.splitlines()[1:]
    assert image.descriptor.digest in line
    assert f"linux/{architecture}" in line


def test_containerd_has_the_image_unpacked(ctrd: Containerd, tmp_path: Path) -> None:
    options = Options(address=ctrd.address, namespace="unpacked", snapshotter="native")
    image = make_image(tmp_path / "layout", NAME, architecture="arm64")
    load("containerd")(image, "", options)
    listed = ctrd.ctr("--namespace", "unpacked", "snapshots", "--snapshotter", "native", "ls").stdout
    assert listed.count("Committed") == len(image.manifest["layers"])
    assert not ctrd.ctr("images", "ls", "--quiet", f"name=={NAME}").stdout


def test_an_image_that_cannot_be_unpacked_does_not_stay(ctrd: Containerd, tmp_path: Path) -> None:
    image = make_image(tmp_path / "layout", "registry.example/lab/not-unpacked:1")
    with pytest.raises(OutputError, match="snapshotter not loaded: nonsense"):
        load("containerd")(image, "", Options(address=ctrd.address, snapshotter="nonsense"))
    assert "not-unpacked" not in ctrd.ctr("images", "ls").stdout


def test_a_damaged_image_does_not_reach_containerd(ctrd: Containerd, tmp_path: Path) -> None:
    image = make_image(tmp_path / "layout", "registry.example/lab/damaged:1")
    image.layout.blob_path(image.manifest["layers"][0]["digest"]).unlink()
    with pytest.raises(StoreError, match="has no blob"):
        load("containerd")(image, "", Options(address=ctrd.address))
    assert "damaged" not in ctrd.ctr("images", "ls").stdout


def test_a_damaged_image_does_not_take_anothers_name(ctrd: Containerd, tmp_path: Path) -> None:
    options = Options(address=ctrd.address)
    name = "registry.example/lab/taken:1"
    first = make_image(tmp_path / "first", name)
    load("containerd")(first, "", options)
    second = make_image(tmp_path / "second", name, files={"other": b"other"})
    load("containerd")(
        replace(second, reference=Reference.parse("registry.example/lab/other:1")), "", options
    )
    # containerd has all of it, and could do without what the archive lacks.
    second.layout.blob_path(max(second.layout.reachable(second.descriptor))).unlink()
    with pytest.raises(StoreError):
        load("containerd")(second, "", options)
    assert first.descriptor.digest in ctrd.ctr("images", "ls", f"name=={name}").stdout


def test_a_containerd_that_is_not_there_is_named(tmp_path: Path) -> None:
    require("containerd")
    image = make_image(tmp_path / "layout", NAME)
    with pytest.raises(OutputError, match="cannot be reached at /nowhere: no such file") as raised:
        load("containerd")(image, "", Options(address="/nowhere"))
    assert "--address" in raised.value.hint


def test_without_ctr_the_error_says_what_brings_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OutputError, match="ctr is not installed"):
        load("containerd")(make_image(tmp_path / "layout", NAME), "", Options())


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_docker_takes_an_image_under_its_name(architecture: str, connected: Dockerd, tmp_path: Path) -> None:
    name = f"lab/hello:{architecture}"
    image = make_image(tmp_path / "layout", name, architecture=architecture)
    load("docker")(image, "", Options())
    (inspected,) = json.loads(connected.docker("image", "inspect", name).stdout)
    assert (inspected["Id"], inspected["Architecture"]) == (image.config_digest, architecture)


def test_a_damaged_image_does_not_reach_docker(connected: Dockerd, tmp_path: Path) -> None:
    image = make_image(tmp_path / "layout", "lab/damaged:1")
    image.layout.blob_path(image.manifest["layers"][0]["digest"]).unlink()
    with pytest.raises(StoreError, match="has no blob"):
        load("docker")(image, "", Options())
    assert "damaged" not in connected.docker("images").stdout


def test_what_docker_refuses_is_an_error(connected: Dockerd, tmp_path: Path) -> None:
    del connected
    image = make_image(tmp_path / "layout", "lab/wrong:1", files={"new": b"new"})
    image.layout.blob_path(image.manifest["layers"][0]["digest"]).write_bytes(b"not a tar")
    with pytest.raises(OutputError, match=r"docker does not take docker\.io/lab/wrong:1: "):
        load("docker")(image, "", Options())


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_a_docker_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nowhere")
    with pytest.raises(OutputError, match="cannot be reached: no such file") as raised:
        load("docker")(make_image(tmp_path / "layout", NAME), "", Options())
    assert "DOCKER_HOST" in raised.value.hint
    del raised
    gc.collect()  # docker-py leaves the socket open
