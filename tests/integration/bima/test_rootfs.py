# SPDX-License-Identifier: Apache-2.0
"""Root file systems: what they have is what they were given, and nothing of the host."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from capabilities import require

from bima.errors import RootError
from bima.rootfs import Settings, make
from bima.tree import Data, Directory, Entry, File, Link, Node, Packed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LONG = "n" * 200
PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"


def entries(folder: Path) -> dict[str, Entry]:
    """A little of everything; what is of the host differs from call to call."""
    folder.mkdir()
    for number, name in enumerate(("zz", "program", "aa")):
        (folder / name).write_bytes(b"program" * 9999)
        os.utime(folder / name, (1000 + number, 2000 + number))
    os.chmod(folder / "program", 0o700)
    (folder / "archive").write_bytes(b"....packed....")
    packed = Packed(folder / "archive", 4, 6, 0o600, 7, 8, mtime=50)
    return {
        "": Directory(),
        "bin": Directory(0o700, 1, 2),
        "bin/program": File(folder / "program"),
        'bin/q"uote x': Data(b"", 0o4755, 100000, 70000),
        "bin/twin": packed,
        "bin/twin2": packed,
        "dev": Directory(),
        "dev/null": Node("c", 0o666, 1, 3),
        "dev/pipe": Node("p", 0o600),
        "etc": Directory(mtime=60),
        "etc/link": Link("../../etc/passwd"),
        "etc/long": Link("/" + "t" * 300),
        LONG: Data(b"x" * 5000),
        "zero": Data(bytes(3 << 20)),
        "é": Directory(),
    }


def made(folder: Path, found: Mapping[str, Entry], settings: Settings) -> Path:
    (folder / "work").mkdir(parents=True)
    make(found, folder / "image", folder / "work", settings)
    return folder / "image"


@pytest.mark.parametrize(
    "settings",
    [
        Settings("initrd"),
        Settings("initrd", compression="gzip"),
        Settings("initrd", compression="zstd"),
        Settings("ext4"),
        Settings("ext2"),
        Settings("erofs"),
    ],
    ids=str,
)
def test_the_same_entries_make_the_same_bytes(tmp_path: Path, settings: Settings) -> None:
    programs = {"ext4": "e2fsprogs", "ext2": "e2fsprogs", "erofs": "erofs-utils", "initrd": "zstd"}
    require(programs[settings.kind])
    images = []
    for number, umask in enumerate((0o022, 0o077)):
        before = os.umask(umask)
        found = entries(tmp_path / f"host-{number}")
        if number:
            found = dict(reversed(found.items()))
        images.append(made(tmp_path / f"made-{number}", found, settings).read_bytes())
        os.umask(before)
    assert images[0] == images[1]


def test_an_initrd_has_what_it_was_given(tmp_path: Path) -> None:
    require("cpio")
    found = entries(tmp_path / "host")
    image = made(tmp_path / "made", found, Settings("initrd", epoch=55))
    listed = subprocess.run(
        ["cpio", "--list", "--verbose", "--numeric-uid-gid", "--quiet"],
        input=image.read_bytes(), capture_output=True, check=True, env={"TZ": "UTC", "PATH": PATH},
    ).stdout.decode().splitlines()  # fmt: skip
    facts = {line.rpartition(" 1970 ")[2]: line.split() for line in listed}
    assert len(facts) == len(found) - 1
    assert facts["bin"][0] == "drwx------"
    assert facts["bin"][2:4] == ["1", "2"]
    assert facts["bin/program"][0] == "-rwxr-xr-x"
    assert facts['bin/q"uote x'][0] == "-rwsr-xr-x"
    assert facts['bin/q"uote x'][2:4] == ["100000", "70000"]
    assert facts["dev/null"][0] == "crw-rw-rw-"
    assert facts["dev/pipe"][0] == "prw-------"
    assert "etc/link -> ../../etc/passwd" in facts
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    with image.open("rb") as file:
        argv = ["cpio", "--extract", "--make-directories", "--quiet", "bin/twin", "bin/twin2", "zero"]
        subprocess.run(argv, stdin=file, cwd=unpacked, check=True)
    assert (unpacked / "bin/twin").read_bytes() == (unpacked / "bin/twin2").read_bytes() == b"packed"
    assert (unpacked / "zero").read_bytes() == bytes(3 << 20)


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_a_compressed_initrd_is_the_same_inside(tmp_path: Path, compression: str) -> None:
    require("zstd")
    found = entries(tmp_path / "host")
    plain = made(tmp_path / "plain", found, Settings("initrd")).read_bytes()
    packed = made(tmp_path / "packed", found, Settings("initrd", compression=compression)).read_bytes()
    unpacked = (
        gzip.decompress(packed)
        if compression == "gzip"
        else subprocess.check_output(["zstd", "-dc"], input=packed)
    )
    assert unpacked == plain
    assert len(packed) < len(plain) // 9


def debugfs(image: Path, command: str) -> str:
    argv = ["debugfs", "-R", command, str(image)]
    return subprocess.run(
        argv, capture_output=True, text=True, check=True, env={"PATH": PATH, "TZ": "UTC"}
    ).stdout


@pytest.mark.parametrize("kind", ["ext4", "ext2"])
def test_a_disk_image_has_what_it_was_given(tmp_path: Path, kind: str) -> None:
    require("e2fsprogs")
    found = entries(tmp_path / "host")
    image = made(tmp_path / "made", found, Settings(kind, epoch=55))
    checked = subprocess.run(
        ["e2fsck", "-fn", str(image)], capture_output=True, text=True, check=False, env={"PATH": PATH}
    )
    assert checked.returncode == 0, checked.stdout
    for path, mode, owner, kind_of in (
        ("/bin", "0700", (1, 2), "directory"),
        ("/bin/program", "0755", (0, 0), "regular"),
        ('/bin/q""uote x', "04755", (100000, 70000), "regular"),
        ("/bin/twin", "0600", (7, 8), "regular"),
        ("/dev/null", "0666", (0, 0), "character special"),
        ("/dev/pipe", "0600", (0, 0), "FIFO"),
        ("/etc/link", "0777", (0, 0), "symlink"),
    ):
        said = debugfs(image, f'stat "{path}"')
        words = said.split()
        assert f"Type: {kind_of}" in said
        assert words[words.index("Mode:") + 1] == mode
        assert (words[words.index("User:") + 1], words[words.index("Group:") + 1]) == tuple(map(str, owner))
    assert "mtime: 0x00000032" in debugfs(image, "stat /bin/twin")
    assert "mtime: 0x00000037" in debugfs(image, "stat /bin/program")
    assert "../../etc/passwd" in debugfs(image, "stat /etc/link")
    assert debugfs(image, "cat /bin/twin2") == "packed"
    assert debugfs(image, f"cat /{LONG}") == "x" * 5000


def test_a_disk_image_that_is_too_small_is_refused(tmp_path: Path) -> None:
    require("e2fsprogs")
    with pytest.raises(RootError, match="debugfs cannot fill image") as refused:
        made(
            tmp_path / "made",
            {"": Directory(), "a": Data(os.urandom(3 << 20))},
            Settings("ext4", size=1 << 20),
        )
    assert refused.value.hint == "allow more with --rootfs-size"


def test_many_and_large_files_fit(tmp_path: Path) -> None:
    require("e2fsprogs")
    found: dict[str, Entry] = {"": Directory(), "d": Directory()}
    found |= {f"d/{number}": Data(b"x" * 4097) for number in range(3000)}
    (tmp_path / "large").write_bytes(os.urandom(40 << 20))
    found["large"] = File(tmp_path / "large")
    for kind in ("ext4", "ext2"):
        image = made(tmp_path / kind, found, Settings(kind))
        assert (
            subprocess.run(
                ["e2fsck", "-fn", str(image)], capture_output=True, check=False, env={"PATH": PATH}
            ).returncode
            == 0
        )


def test_an_erofs_image_has_what_it_was_given(tmp_path: Path) -> None:
    require("erofs-utils", "root")
    image = made(tmp_path / "made", entries(tmp_path / "host"), Settings("erofs"))
    checked = subprocess.run(
        ["fsck.erofs", str(image)], capture_output=True, text=True, check=False, env={"PATH": PATH}
    )
    assert checked.returncode == 0, checked.stderr
    said = subprocess.check_output(
        ["dump.erofs", "--path=/bin/twin", str(image)], text=True, env={"PATH": PATH}
    )
    assert "Uid: 7" in said
    assert "Gid: 8" in said
    assert "Access: 0600" in said


@pytest.mark.parametrize(
    ("settings", "message"), [(Settings("ext4"), "takes mke2fs"), (Settings("erofs"), "takes mkfs.erofs")]
)
def test_a_missing_tool_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings, message: str
) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_words, **_options: None)
    with pytest.raises(RootError, match=message):
        made(tmp_path / "made", {"": Directory()}, settings)


@pytest.mark.parametrize("found", [{"a\nb": Data(b"")}, {"a": Link("x\nrm y")}])
def test_a_line_break_in_a_name_is_refused_by_a_disk_image(tmp_path: Path, found: dict[str, Entry]) -> None:
    with pytest.raises(RootError, match="line break"):
        made(tmp_path / "made", found, Settings("ext4"))
