# SPDX-License-Identifier: Apache-2.0
"""Files that are made for the monitor: what the image has comes first, and no name stays behind."""

from __future__ import annotations

import os

import pytest
from capabilities import require

from urunc.bundle import User
from urunc.host import files, image, new_file, syscalls
from urunc.operation import ImageFile, NewFile
from urunc_common.errors import ConfigError


@pytest.fixture(name="place")
def place_fixture(tmp_path):
    """An image and a monitor's root, in a mount namespace that ends with the test's process."""
    require("root")
    (tmp_path / "image").mkdir()
    (tmp_path / "root").mkdir()
    (tmp_path / "image/boot").write_bytes(b"abcde")
    return tmp_path


def in_child(work):
    """Run it in a mount namespace of its own; the exception's text, or nothing."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        text = b""
        try:
            syscalls.unshare(syscalls.CLONE_NEWNS)
            syscalls.mount("", "/", "", syscalls.MS_REC | syscalls.MS_SLAVE)
            work()
        except BaseException as error:
            text = f"{type(error).__name__}: {error}".encode()
        os.write(write_end, text)
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as told:
        text = told.read()
    os.waitpid(child, 0)
    return text


def make(place, base):
    root, writable = image.open_root(str(place / "image")), image.open_root(str(place / "root"))
    wanted = ImageFile(base, "/initrd", "initrd") if base else None
    return new_file.make(NewFile("/initrd", wanted), str(place / "root"), writable, root, User())


def test_the_images_file_is_padded_and_followed_by_the_rest(place):
    def work():
        made = make(place, "/boot")
        files.write_all(made, b"more")
        assert (place / "root/initrd").read_bytes() == b"abcde\0\0\0more"
        with pytest.raises(OSError, match="Read-only"):
            (place / "root/initrd").write_bytes(b"")

    assert in_child(work) == ""
    assert [file.name for file in (place / "image").iterdir()] == ["boot"]
    assert (place / "image/boot").read_bytes() == b"abcde"


def test_on_a_read_only_image_it_is_made_in_the_monitors_root(place):
    def work():
        path = str(place / "image")
        syscalls.mount(path, path, "", syscalls.MS_BIND)
        syscalls.mount("", path, "", syscalls.MS_REMOUNT | syscalls.MS_BIND | syscalls.MS_RDONLY)
        make(place, "/boot")
        assert (place / "root/initrd").read_bytes() == b"abcde\0\0\0"

    assert in_child(work) == ""


def test_without_a_base_it_is_empty_and_not_readable_by_others(place):
    made = make(place, "")
    assert os.fstat(made).st_mode & 0o777 == 0o400
    assert (place / "root/initrd").read_bytes() == b""
    os.close(made)


def test_a_base_that_the_image_lacks_is_named(place):
    with pytest.raises(ConfigError, match="the initrd /nowhere is not in the image"):
        make(place, "/nowhere")
    assert list((place / "root").iterdir()) == []
