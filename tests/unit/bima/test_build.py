# SPDX-License-Identifier: Apache-2.0
"""Layers, and what makes two builds equal."""

from __future__ import annotations

import base64
import io
import json
import os
import tarfile
from typing import TYPE_CHECKING

import pytest

from bima import layer
from bima.errors import ContextError
from bima.layout import Layout
from bima.tree import Data, Directory, File, Link

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from bima.tree import Entry


def written(path: Path, entries: Mapping[str, Entry], epoch: int = 0) -> tuple[str, tarfile.TarFile]:
    """A layer's tar digest, and the tar."""
    layout = Layout(path)
    with layout.locked():
        made = layer.write(entries, layout, epoch)
    file = io.BytesIO(layout.read(made.descriptor.digest))
    return made.diff_id, tarfile.open(fileobj=file, mode="r:gz")


def test_entries_are_sorted_relative_and_without_owners_or_times(tmp_path: Path) -> None:
    source = tmp_path / "file"
    source.write_bytes(b"content" * 1000)
    source.chmod(0o4751)
    entries = {
        "b": Directory(),
        "b/program": File(source),
        "a": Data(b"data"),
        "c": Link("/else/where"),
        "d" * 200: Data(b""),
        "é": Data(b""),
    }
    _, tar = written(tmp_path / "layout", entries)
    facts = [(each.name, oct(each.mode), each.mtime, each.uid, each.gid, each.uname) for each in tar]
    assert facts == [
        ("a", "0o644", 0, 0, 0, ""),
        ("b", "0o755", 0, 0, 0, ""),
        ("b/program", "0o755", 0, 0, 0, ""),
        ("c", "0o777", 0, 0, 0, ""),
        ("d" * 200, "0o644", 0, 0, 0, ""),
        ("é", "0o644", 0, 0, 0, ""),
    ]
    assert tar.getmember("b").isdir()
    assert tar.getmember("c").linkname == "/else/where"
    program = tar.extractfile("b/program")
    assert program
    assert program.read() == b"content" * 1000


def test_times_are_not_later_than_the_epoch(tmp_path: Path) -> None:
    for name, mtime in (("old", 5), ("new", 500)):
        (tmp_path / name).write_bytes(b"")
        os.utime(tmp_path / name, (mtime, mtime))
    entries = {name: File(tmp_path / name) for name in ("new", "old")}
    _, tar = written(tmp_path / "layout", entries, epoch=100)
    assert {each.name: each.mtime for each in tar} == {"new": 100, "old": 5}


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, (1 << 20) + 1])
def test_files_of_every_size_are_padded_to_blocks(tmp_path: Path, size: int) -> None:
    (tmp_path / "file").write_bytes(os.urandom(size))
    _, tar = written(tmp_path / "layout", {"a": File(tmp_path / "file"), "b": Data(bytes(size))})
    for name, content in (("a", (tmp_path / "file").read_bytes()), ("b", bytes(size))):
        found = tar.extractfile(name)
        assert found
        assert found.read() == content


def test_a_file_that_became_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "file").symlink_to("secret")
    with pytest.raises(OSError, match="symbolic links"):
        written(tmp_path / "layout", {"file": File(tmp_path / "file")})


def test_a_file_that_became_a_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "file")
    with pytest.raises(ContextError, match="was replaced"):
        written(tmp_path / "layout", {"file": File(tmp_path / "file")})


def test_two_builds_from_different_directories_under_different_umasks_are_byte_identical(
    project_at: Callable[..., Path], tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    files = {f"files/{name}": os.urandom(999) for name in ("b", "a", "sub/c")}
    archives, digests = [], []
    for number, umask in enumerate((0o022, 0o077)):
        before = os.umask(umask)
        project = project_at(tmp_path / f"some-{number}/where", files)
        (project / "files/a").chmod(0o777 & ~umask)
        (project / "Containerfile").write_text(
            (project / "Containerfile").read_text() + "COPY files /files\n"
        )
        archive = tmp_path / f"{number}.tar"
        process = start("build", "-t", "x", "-o", f"oci-archive:{archive}", project)
        os.umask(before)
        out, err = process.communicate()
        assert process.returncode == 0, err
        archives.append(archive.read_bytes())
        digests.append(out)
    assert digests[0] == digests[1]
    assert archives[0] == archives[1]


def test_an_image_has_what_the_containerfile_says(
    project: Path, tmp_path: Path, bima: Callable[..., object]
) -> None:
    bima("build", "-t", "x/y:1", "-o", f"oci:{tmp_path}/out", project)
    layout = Layout(tmp_path / "out")
    (descriptor,) = layout.index.values()
    manifest = layout.document(descriptor.digest)
    config = layout.document(manifest["config"]["digest"])
    assert descriptor.platform == {"os": "linux", "architecture": "amd64"}
    assert manifest["annotations"]["com.urunc.unikernel.binary"] == "/boot/kernel"
    assert config["config"]["Labels"] == {**manifest["annotations"], "maintainer": "someone else"}
    assert config["config"]["Cmd"] == ["hello", "big world"]
    assert config["config"]["Env"] == ["NAME=value"]
    assert len(config["rootfs"]["diff_ids"]) == len(manifest["layers"]) == 2
    with layout.open(manifest["layers"][-1]["digest"]) as blob, tarfile.open(fileobj=blob) as tar:
        assert [(each.name, each.mode) for each in tar] == [("urunc.json", 0o644)]
        file = tar.extractfile("urunc.json")
        assert file
        stored = json.loads(file.read())
    assert {key: base64.b64decode(value).decode() for key, value in stored.items()} == manifest["annotations"]
