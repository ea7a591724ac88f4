# SPDX-License-Identifier: Apache-2.0
"""The qcow2 overlay, as QEMU's own tools see it."""

from __future__ import annotations

import json
import subprocess

import pytest
from capabilities import require

from urunc import qcow2


def tool(*argv):
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(name="overlay", params=[1 << 20, (1 << 40) + 512, 5 << 40])
def overlay_fixture(request, tmp_path):
    """A sparse image of a size, and an overlay over it."""
    require("qemu-utils")
    with open(tmp_path / "base.img", "wb") as file:
        file.truncate(request.param)
    (tmp_path / "overlay").write_bytes(qcow2.render(request.param, str(tmp_path / "base.img")))
    return request.param, tmp_path / "base.img", tmp_path / "overlay"


def test_qemu_finds_nothing_wrong_with_it(overlay):
    size, base, path = overlay
    tool("qemu-img", "check", "-f", "qcow2", str(path))
    found = json.loads(tool("qemu-img", "info", "-f", "qcow2", "--output=json", str(path)))
    assert found["virtual-size"] == size
    assert found["backing-filename"] == str(base)
    assert found["backing-filename-format"] == "raw"


def test_a_write_goes_into_it_and_not_into_the_image(overlay):
    size, base, path = overlay
    with open(base, "r+b") as file:
        file.write(b"\x11" * 4096)
    last = size - 512
    commands = ("write -P 0x55 0 512", f"write -P 0x66 {last} 512", "read -P 0x55 0 512")
    commands += (f"read -P 0x66 {last} 512", "read -P 0x11 512 3584")
    text = tool(
        "qemu-io", "-f", "qcow2", *(word for command in commands for word in ("-c", command)), str(path)
    )
    assert "Pattern verification failed" not in text
    tool("qemu-img", "check", "-f", "qcow2", str(path))
    with open(base, "rb") as file:
        assert file.read(512) == b"\x11" * 512
        file.seek(last)
        assert file.read() == bytes(512)
