# SPDX-License-Identifier: Apache-2.0
"""Destinations that are files."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from bima import outputs
from bima.errors import UsageError
from bima.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "name", "destination"),
    [("oci:a:b", "oci", "a:b"), ("docker", "docker", ""), ("tar", "tar", ""), ("tar:x", "tar", "x")],
)
def test_an_output_is_a_name_and_maybe_a_path(text: str, name: str, destination: str) -> None:
    assert outputs.parse(text) == outputs.Output(name, destination)
    assert str(outputs.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("oic:x", "did you mean oci?"),
        ("oci", "write it like -o oci:PATH"),
        ("oci-archive:", "needs a path"),
        ("docker:x", "takes no path"),
    ],
)
def test_a_wrong_output_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        outputs.parse(text)
    assert message in refused.value.sentence


@pytest.mark.parametrize("name", outputs.OUTPUTS)
def test_every_output_can_deliver(name: str) -> None:
    assert callable(outputs.load(name))


def test_the_archive_is_an_oci_layout_and_a_docker_archive(
    project: Path, tmp_path: Path, bima: Callable[..., Any]
) -> None:
    bima("build", "-t", "registry.example/x:1", "-o", f"oci-archive:{tmp_path}/x.tar", project)
    with tarfile.open(tmp_path / "x.tar") as tar:
        files = {each.name: tar.extractfile(each).read() for each in tar}  # type: ignore[union-attr]
    (docker,) = json.loads(files["manifest.json"])
    (descriptor,) = json.loads(files["index.json"])["manifests"]
    manifest = json.loads(files["blobs/sha256/" + descriptor["digest"][7:]])
    assert json.loads(files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    assert docker["RepoTags"] == ["registry.example/x:1"]
    assert docker["Config"] == "blobs/sha256/" + manifest["config"]["digest"][7:]
    assert docker["Layers"] == ["blobs/sha256/" + layer["digest"][7:] for layer in manifest["layers"]]
    assert descriptor["annotations"]["io.containerd.image.name"] == "registry.example/x:1"
    blobs = {name: data for name, data in files.items() if name.startswith("blobs/")}
    assert all(name[13:] == hashlib.sha256(data).hexdigest() for name, data in blobs.items())
    assert len(blobs) == 4


def test_the_archive_of_old_has_the_images_name(
    project: Path, tmp_path: Path, bima: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    bima("build", "-t", "registry.example/me/x:1", "--tar", project)
    assert tarfile.is_tarfile(tmp_path / "x:1")


def test_a_directory_takes_several_images(project: Path, tmp_path: Path, bima: Callable[..., Any]) -> None:
    for name in ("a", "b", "a"):
        bima("build", "-t", name, "-o", f"oci:{tmp_path}/out", project)
    assert list(Layout(tmp_path / "out").index) == [f"docker.io/library/{name}:latest" for name in "ab"]


def test_another_directory_is_not_written_into(project: Path, bima: Callable[..., Any]) -> None:
    before = sorted(project.rglob("*"))
    done = bima("build", "-t", "a", "-o", f"oci:{project}", project)
    assert done.status == 1
    assert "is neither empty nor an OCI image layout" in done.err
    assert sorted(project.rglob("*")) == before


def test_an_archive_takes_the_place_of_nothing_but_a_file(
    project: Path, tmp_path: Path, bima: Callable[..., Any]
) -> None:
    os.mkfifo(tmp_path / "pipe")
    done = bima("build", "-t", "a", "-o", f"oci-archive:{tmp_path}/pipe", project)
    assert f"cannot write {tmp_path}/pipe: it is there, and no file" in done.err
    assert (tmp_path / "pipe").is_fifo()
    (tmp_path / "link").symlink_to("archive")
    for _ in range(2):
        assert bima("build", "-t", "a", "-o", f"oci-archive:{tmp_path}/link", project).status == 0
    assert (tmp_path / "link").is_symlink()
    assert tarfile.is_tarfile(tmp_path / "archive")


def test_an_archive_that_cannot_be_written_leaves_nothing(
    project: Path, tmp_path: Path, bima: Callable[..., Any], left: Callable[[], list[str]]
) -> None:
    (tmp_path / "taken").mkdir()
    done = bima("build", "-t", "a", "-o", f"oci-archive:{tmp_path}/taken", project)
    assert done.status == 1
    assert f"cannot write {tmp_path}/taken" in done.err
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []
    assert left() == []
