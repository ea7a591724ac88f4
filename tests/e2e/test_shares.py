# SPDX-License-Identifier: Apache-2.0
"""A booted Linux guest reads and writes a directory of the host through QEMU and virtiofsd."""

from __future__ import annotations

import shutil
import socket
import subprocess

import pytest
from capabilities import require
from e2e import linux

from urunc.machine import NO_PCI, Guest, Machine, Share
from urunc.monitors import qemu

KERNEL = "panic=-1 console=ttyS0 quiet loglevel=1 cryptomgr.notests tsc_early_khz=2600000"
SCRIPT = """
mount -t virtiofs fs0 /mnt && cat /mnt/question >/mnt/answer
poweroff -f
"""


def virtiofsd(share, listener):
    """Either program's common options; ours is the C one, which comes with QEMU."""
    path = shutil.which("virtiofsd", path="/usr/libexec:/usr/lib/qemu")
    assert path, "virtiofsd comes with QEMU 7.2"
    return [path, f"--fd={listener.fileno()}", "-o", f"source={share}", "--rlimit-nofile=1024"]


@pytest.mark.parametrize("wishes", [(), (NO_PCI,)], ids=["pc", "microvm"])
def test_a_guest_mounts_a_shared_directory(wishes, tmp_path):
    require("qemu", "root", "gcc")
    folder = tmp_path / "share"
    folder.mkdir()
    (folder / "question").write_text("what?\n")
    made = linux.image(SCRIPT, tmp_path)
    share = Share("fs0", str(folder))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(share.socket)
        listener.listen()
        daemon = subprocess.Popen(virtiofsd(folder, listener), pass_fds=(listener.fileno(),))
    guest = Guest(KERNEL, initrd="/initrd", shares=(share,), wishes=frozenset(wishes))
    launch = qemu.launch(Machine("/kernel", guest, accel="tcg", memory_mib=192))
    subprocess.run(made.argv(launch), stdin=subprocess.DEVNULL, check=True, timeout=60)
    assert daemon.wait(10) == 0
    assert (folder / "answer").read_text() == "what?\n"
