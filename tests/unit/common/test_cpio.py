# SPDX-License-Identifier: Apache-2.0
"""Archives: the real cpio lists and unpacks them."""

import os
import shutil
import stat
import subprocess

import pytest

from urunc_common.cpio import Directory, File, Symlink, archive, join, member
from urunc_common.errors import Error

EVERY_BYTE = bytes(range(256))
ENTRIES = [
    Directory("/top", 0o700),
    File("/top/file", EVERY_BYTE, 0o755),
    File("/top/empty", b"", 0o400),
    Symlink("/link", "top/file"),
    File("/new/deep/näme", b"x"),
]
NAMES = ["top", "top/file", "top/empty", "link", "new", "new/deep", "new/deep/näme"]


def cpio(*options, data, **others):
    if not shutil.which("cpio"):
        pytest.skip("cpio is not installed")
    done = subprocess.run(
        ["cpio", "--quiet", *options], input=data, capture_output=True, check=True, **others
    )
    assert done.stderr == b""
    return done.stdout.decode()


def test_cpio_lists_the_entries_in_their_order_with_the_directories_that_they_are_in():
    assert cpio("-t", data=archive(ENTRIES)).splitlines() == NAMES


def test_owners_times_and_modes_are_as_said():
    listed = [line.split() for line in cpio("-tvn", data=archive(ENTRIES)).splitlines()]
    assert {(words[2], words[3]) for words in listed} == {("0", "0")}
    assert {"1970" in words for words in listed} == {True}
    modes = ["drwx------", "-rwxr-xr-x", "-r--------", "lrwxrwxrwx", "drwxr-xr-x", "drwxr-xr-x", "-rw-r--r--"]
    assert [words[0] for words in listed] == modes


def test_cpio_unpacks_the_contents(tmp_path):
    cpio("-id", data=archive(ENTRIES), cwd=tmp_path)
    assert (tmp_path / "top/file").read_bytes() == EVERY_BYTE
    assert (tmp_path / "link").readlink() == (tmp_path / "top/file").relative_to(tmp_path)
    assert stat.S_IMODE(os.stat(tmp_path / "top").st_mode) == 0o700


def test_the_same_entries_give_the_same_bytes():
    assert archive(ENTRIES) == archive(list(ENTRIES))


def test_an_archive_behind_another_begins_at_a_multiple_of_four():
    assert join([b"12345", b"678", b"9abc"]) == b"12345\0\0\x00678\x009abc"


class Huge(bytes):
    """Content that only says that it is large."""

    def __len__(self):
        return 1 << 32


def test_a_file_of_four_gibibytes_is_refused():
    with pytest.raises(Error, match="/big is too large for an initramfs"):
        archive([File("/big", Huge())])


def test_an_archive_can_go_on_with_another_that_has_not_ended():
    begun = member(Directory("/top")) + member(Directory("/top/deep"))
    rest = archive([File("/top/deep/file", b"x")], parents=False)
    assert cpio("-t", data=begun + rest).splitlines() == ["top", "top/deep", "top/deep/file"]
