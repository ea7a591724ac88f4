# SPDX-License-Identifier: Apache-2.0
"""Layers of others, of which the worst is to be expected, become files."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import tarfile
from typing import TYPE_CHECKING

import pytest
from sample_image import make_image

from bima import contents, tarball
from bima.errors import ImageError, StoreError
from bima.extract import extract
from bima.flatten import flatten
from bima.tree import Directory, Link, Node, Packed, Tree
from bima.unpack import unpack

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILE, LINK, DIRECTORY = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE


def member(name: str, kind: bytes = FILE, link: str = "", mode: int = 0o644, **more: int) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname, found.mode = kind, link, mode
    for key, value in more.items():
        setattr(found, key, value)
    return found


def tar_bytes(*members: tarfile.TarInfo | str, content: bytes = b"content") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for each in members:
            info = member(each) if isinstance(each, str) else each
            info.size = len(content) if info.isreg() else 0
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def layer(tmp_path: Path) -> Callable[..., Path]:
    """Write a layer."""

    def write(*members: tarfile.TarInfo | str, content: bytes = b"content") -> Path:
        path = tmp_path / f"layer-{len(list(tmp_path.iterdir()))}"
        path.write_bytes(tar_bytes(*members, content=content))
        return path

    return write


def shown(tree: Tree) -> dict[str, str]:
    """Path -> what is there, in a word."""
    found = {}
    for path, entry in tree.entries.items():
        match entry:
            case Packed():
                found[path] = contents.read(entry, 99).decode()
            case Directory():
                found[path] = "/"
            case Link(target):
                found[path] = f"-> {target}"
            case Node():
                found[path] = f"{entry.kind} {entry.major}:{entry.minor}"
    return {path: what for path, what in found.items() if path}


def test_names_are_made_clean_and_directories_made(layer: Callable[..., Path]) -> None:
    tree = flatten([layer(member("./", DIRECTORY), "./a/b", "/c//d", member("e/", DIRECTORY))])
    assert shown(tree) == {"a": "/", "a/b": "content", "c": "/", "c/d": "content", "e": "/"}


def test_modes_owners_times_and_attributes_are_kept(layer: Callable[..., Path]) -> None:
    info = member("a", mode=0o4755, uid=1, gid=2, mtime=3)
    info.pax_headers = {"SCHILY.xattr.security.capability": "\x01\udcff", "other": "x"}
    entry = flatten([layer(info)]).find("a")
    assert isinstance(entry, Packed)
    assert (entry.mode, entry.uid, entry.gid, entry.mtime) == (0o4755, 1, 2, 3)
    assert entry.xattrs == (("SCHILY.xattr.security.capability", "\x01\udcff"),)


@pytest.mark.parametrize(
    ("layers", "files"),
    [
        ([["a", "b"], [".wh.a"]], {"b": "content"}),
        ([["d/a", "d/b"], ["d/.wh.a"]], {"d": "/", "d/b": "content"}),
        ([["d/a"], [".wh.d"]], {}),
        ([["d/a", "e"], ["d/.wh..wh..opq", "d/b"]], {"d": "/", "d/b": "content", "e": "content"}),
        ([["d/a"], ["d/b", "d/.wh..wh..opq"]], {"d": "/", "d/b": "content"}),
        ([["d/a"], [".wh..wh..opq", "b"]], {"b": "content"}),
        ([["a"], [".wh.a", "a"]], {"a": "content"}),
        ([["a"], [".wh.none", ".wh.", ".wh..wh.plnk", "x/.wh.y"]], {"a": "content"}),
        ([[".wh.a"], ["a"]], {"a": "content"}),
        ([["d/a"], ["d"]], {"d": "content"}),
        ([["d"], ["d/a"]], None),
        ([["d"], [member("d", DIRECTORY)]], {"d": "/"}),
        ([["x/a", member("l", LINK, "x")], [member("l", DIRECTORY)]], {"x": "/", "x/a": "content", "l": "/"}),
        ([["x/a", member("l", LINK, "x")], ["l/.wh.a", "l/b"]], {"x": "/", "x/b": "content", "l": "-> x"}),
        ([[member("l", LINK, "../../x")], ["l/b"]], {"l": "-> ../../x", "x": "/", "x/b": "content"}),
    ],
)  # fmt: skip
def test_later_layers_change_what_earlier_ones_have(
    layer: Callable[..., Path], layers: list[list[tarfile.TarInfo | str]], files: dict[str, str] | None
) -> None:
    written = [layer(*members) for members in layers]
    if files is None:
        with pytest.raises(ImageError, match="is already a file"):
            flatten(written)
    else:
        assert shown(flatten(written)) == files


def test_a_hard_link_is_another_name_of_the_same_file(layer: Callable[..., Path]) -> None:
    tree = flatten(
        [layer("a", member("d/b", tarfile.LNKTYPE, "./a")), layer(member("c", tarfile.LNKTYPE, "a"))]
    )
    assert tree.find("a") == tree.find("d/b") == tree.find("c")
    tree = flatten([layer("a", member("b", tarfile.LNKTYPE, "a")), layer("a", content=b"new")])
    assert shown(tree) == {"a": "new", "b": "content"}


@pytest.mark.parametrize("target", ["none", "d", "../outside", "/etc/passwd"])
def test_a_hard_link_to_what_is_no_file_of_the_image_is_refused(
    layer: Callable[..., Path], target: str
) -> None:
    with pytest.raises(ImageError, match=r"as another name of|outside the image"):
        flatten([layer(member("d", DIRECTORY), member("b", tarfile.LNKTYPE, target))])


def test_devices_and_pipes_are_known(layer: Callable[..., Path]) -> None:
    kinds = (tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE)
    infos = [member(str(number), kind, devmajor=1, devminor=3) for number, kind in enumerate(kinds)]
    assert shown(flatten([layer(*infos)])) == {"0": "c 1:3", "1": "b 1:3", "2": "p 0:0"}


@pytest.mark.parametrize("name", ["../a", "a/../../b", "..", "/../a"])
def test_a_name_that_leads_out_is_refused(layer: Callable[..., Path], name: str) -> None:
    with pytest.raises(ImageError, match="outside the image"):
        flatten([layer(name)])


@pytest.mark.parametrize(
    ("info", "message"),
    [
        (member("a", tarfile.GNUTYPE_SPARSE), "of a kind that is not known|is no tar"),
        (member("n" * 300), "a name in it 255"),
        (member("a", uid=-1), "belongs to nobody"),
    ],
)
def test_what_no_image_should_have_is_refused(
    layer: Callable[..., Path], info: tarfile.TarInfo, message: str
) -> None:
    with pytest.raises((ImageError, StoreError), match=message):
        flatten([layer(info)])


def test_a_file_that_claims_to_be_larger_than_its_archive_is_refused(layer: Callable[..., Path]) -> None:
    path = layer("a")
    info = member("a", size=1 << 40)
    path.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + b"short")
    with pytest.raises(StoreError, match="is no tar"):
        flatten([path])


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_archives_are_recognised_by_what_is_in_them(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "misleading.txt"
    path.write_bytes(pack(tar_bytes("a")))
    assert tarball.is_tar(path)
    with path.open("rb") as file:
        tarball.unpack(file, tmp_path / "plain")
    assert shown(flatten([tmp_path / "plain"])) == {"a": "content"}


@pytest.mark.parametrize("data", [b"", b"x" * 999, gzip.compress(b"x" * 999), b"\x1f\x8bnot", b"BZhnot"])
def test_other_files_are_no_archives(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "file").write_bytes(data)
    assert not tarball.is_tar(tmp_path / "file")


def test_an_archive_that_grows_without_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tarball, "LARGEST", 1 << 20)
    (tmp_path / "bomb").write_bytes(gzip.compress(bytes(3 << 20)))
    with (tmp_path / "bomb").open("rb") as file, pytest.raises(ImageError, match="an archive has over"):
        tarball.unpack(file, tmp_path / "plain")


def test_an_archive_of_too_many_files_is_refused(
    layer: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tarball, "MOST_FILES", 2)
    with pytest.raises(ImageError, match="over 2 files"):
        flatten([layer("a", "b", "c")])


def test_files_are_written_with_modes_links_and_times(layer: Callable[..., Path], tmp_path: Path) -> None:
    tree = flatten(
        [
            layer(
                member("closed", DIRECTORY, mode=0o500, mtime=7),
                member("closed/program", mode=0o4755, mtime=5),
                member("closed/twin", tarfile.LNKTYPE, "closed/program"),
                member("l", LINK, "../../etc"),
                member("pipe", tarfile.FIFOTYPE),
            )
        ]
    )
    (tmp_path / "root").mkdir()
    extract(tree.entries, tmp_path / "root")
    program, closed = os.stat(tmp_path / "root/closed/program"), os.stat(tmp_path / "root/closed")
    assert (program.st_mode & 0o7777, program.st_mtime, program.st_nlink) == (0o4755, 5, 2)
    assert (closed.st_mode & 0o7777, closed.st_mtime) == (0o500, 7)
    assert os.readlink(tmp_path / "root/l") == "../../etc"
    assert stat.S_ISFIFO(os.stat(tmp_path / "root/pipe").st_mode)
    assert (tmp_path / "root/closed/twin").read_text() == "content"


def test_nothing_is_written_through_a_link(layer: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/file").write_text("untouched")
    tree = flatten([layer(member("l", LINK, str(tmp_path / "outside"))), layer("l/file", "l/new")])
    (tmp_path / "root").mkdir()
    extract(tree.entries, tmp_path / "root")
    assert sorted(path.name for path in (tmp_path / "outside").iterdir()) == ["file"]
    assert (tmp_path / "outside/file").read_text() == "untouched"
    inside = tmp_path / "root" / str(tmp_path / "outside").lstrip("/")
    assert (inside / "new").read_text() == "content"


def test_every_layer_of_an_image_is_unpacked(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    unpack(make_image(tmp_path / "store", "hello"), root)
    found = sorted(str(path.relative_to(root)) for path in root.rglob("*"))
    assert found == ["etc", "etc/motd", "unikernel", "unikernel/hello", "urunc.json"]
    assert (root / "etc/motd").read_text() == "welcome\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["root", "store"]


def test_a_damaged_layer_is_an_error(tmp_path: Path) -> None:
    image = make_image(tmp_path / "store", "hello")
    blob = image.layout.blob_path(image.manifest["layers"][0]["digest"])
    whole = blob.read_bytes()
    (tmp_path / "root").mkdir()
    for damaged in (whole[:-30], whole[:-9] + b"x" + whole[-8:], b"not gzip at all", b""):
        blob.write_bytes(damaged)
        with pytest.raises((StoreError, ImageError), match=r"is damaged|is not the sha256"):
            unpack(image, tmp_path / "root")
    blob.write_bytes(gzip.compress(tar_bytes("evil")))
    with pytest.raises(ImageError, match=r"is not the sha256:.* of its config"):
        unpack(image, tmp_path / "root")
