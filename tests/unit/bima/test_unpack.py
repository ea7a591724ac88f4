# SPDX-License-Identifier: Apache-2.0
"""Unpacking layers, of which the worst is to be expected."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from typing import TYPE_CHECKING

import pytest
from sample_image import make_image

from bima.errors import ImageError, StoreError
from bima.unpack import unpack, unpack_layer

if TYPE_CHECKING:
    from pathlib import Path

FILE, LINK, DIRECTORY = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE


def member(name: str, kind: bytes = FILE, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname, found.mode = kind, link, mode
    return found


def layer(*members: tarfile.TarInfo, content: bytes = b"content") -> io.BytesIO:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for each in members:
            each.size = len(content) if each.isreg() else 0
            tar.addfile(each, io.BytesIO(content))
    return io.BytesIO(gzip.compress(buffer.getvalue()))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture(autouse=True)
def outside(tmp_path: Path) -> Path:
    """A directory beside the root, which nobody must change."""
    path = tmp_path / "outside"
    path.mkdir()
    (path / "file").write_text("untouched")
    return path


def everything(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


def test_every_layer_of_an_image_is_unpacked(tmp_path: Path, root: Path) -> None:
    unpack(make_image(tmp_path / "store", "hello"), root)
    assert everything(root) == ["etc", "etc/motd", "unikernel", "unikernel/hello", "urunc.json"]
    assert (root / "etc/motd").read_text() == "welcome\n"


def test_directories_links_and_modes_are_what_the_layer_says(root: Path) -> None:
    program, link = member("a/program", mode=0o4755), member("a/link", LINK, "../a/program")
    unpack_layer(layer(member("a", DIRECTORY), program, link, member("absolute", LINK, "/a")), root)
    assert os.stat(root / "a/program").st_mode & 0o7777 == 0o755
    assert os.readlink(root / "a/link") == "../a/program"
    assert os.readlink(root / "absolute") == "/a"


def test_a_later_layer_replaces_files_and_links(root: Path, outside: Path) -> None:
    unpack_layer(layer(member("file"), member("link", LINK, str(outside / "file"))), root)
    unpack_layer(layer(member("file"), member("link"), content=b"new"), root)
    assert (root / "file").read_text() == (root / "link").read_text() == "new"
    assert (outside / "file").read_text() == "untouched"


@pytest.mark.parametrize(
    "name", ["../outside/file", "a/../../outside/file", "/outside/file", "./file", "a//b", "a/.wh.file", ".."]
)
def test_a_name_that_is_not_clean_is_refused(root: Path, outside: Path, name: str) -> None:
    with pytest.raises(ImageError, match="no clean path"):
        unpack_layer(layer(member(name)), root)
    assert everything(root) == []
    assert (outside / "file").read_text() == "untouched"


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.LNKTYPE])
def test_devices_pipes_and_hard_links_are_refused(root: Path, kind: bytes) -> None:
    with pytest.raises(ImageError, match="no file, directory or symbolic link"):
        unpack_layer(layer(member("file"), member("odd", kind, "file")), root)
    assert everything(root) == ["file"]


@pytest.mark.parametrize("target", ["..", "../outside", "x/../../outside", "/../outside"])
def test_a_link_that_leaves_the_image_is_refused(root: Path, target: str) -> None:
    with pytest.raises(ImageError, match="outside the image"):
        unpack_layer(layer(member("link", LINK, target)), root)
    assert everything(root) == []


def test_nothing_is_written_through_a_link(root: Path, outside: Path) -> None:
    unpack_layer(layer(member("link", LINK, str(outside))), root)
    for evil in (member("link/file"), member("link/new", DIRECTORY), member("link", DIRECTORY)):
        with pytest.raises(ImageError, match="where there is something else"):
            unpack_layer(layer(evil), root)
    assert everything(outside) == ["file"]
    assert (outside / "file").read_text() == "untouched"


def test_a_file_does_not_replace_a_directory(root: Path) -> None:
    unpack_layer(layer(member("a/file")), root)
    with pytest.raises(ImageError, match="where there is something else"):
        unpack_layer(layer(member("a")), root)


def test_a_damaged_layer_is_an_error(tmp_path: Path, root: Path) -> None:
    image = make_image(tmp_path / "store", "hello")
    blob = image.layout.blob_path(image.manifest["layers"][0]["digest"])
    whole = blob.read_bytes()
    for damaged in (whole[:-30], whole[:-9] + b"x" + whole[-8:], b"not gzip at all", b""):
        blob.write_bytes(damaged)
        with pytest.raises(StoreError, match="is damaged"):
            unpack(image, root)
