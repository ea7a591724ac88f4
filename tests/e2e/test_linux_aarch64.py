# SPDX-License-Identifier: Apache-2.0
"""Linux guests for aarch64 under urunc, on a host of either architecture."""

from __future__ import annotations

import platform
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from capabilities import ROOT, require
from e2e.linux_container import container
from e2e.linux_roots import ROOTS
from e2e.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from e2e.linux_container import Container

pytestmark = [pytest.mark.vm, pytest.mark.root]

SHELL = ("/bin/sh", "-c")
# Asks for a file of the host by semihosting, and writes what it has read.
THIEF = r"""
static long call(long number, long a, long b, long c)
{
    register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
    return x0;
}
static long ask(long operation, long *block)
{
    register long x0 __asm__("x0") = operation, *x1 __asm__("x1") = block;
    __asm__ volatile("hlt #0xf000" : "+r"(x0) : "r"(x1) : "memory");
    return x0;
}
void _start(void)
{
    char path[] = "/kernel", content[5] = "none";
    long file = ask(1, (long[]){(long)path, 1, 7});
    ask(6, (long[]){file, (long)content, 4});
    call(64, 1, (long)content, 4);
    call(93, 7, 0, 0);
}
"""


@pytest.fixture(name="guest")
def guest_fixture(tmp_path: Path) -> Iterator[Container]:
    require("root", "qemu-arm", "linux-kernel", "virtiofsd")
    with container(tmp_path, arch="aarch64") as made:
        yield made


@pytest.mark.parametrize("root", ["initrd", "block", "virtiofs", "packed"])
def test_streams_status_and_volumes_are_those_of_the_container(root: str, guest: Container) -> None:
    ROOTS[root](guest)
    data = guest.folder / "data"
    data.mkdir()
    (data / "file").write_text("from the host\n")
    guest.bind(data, "/data")
    script = "cat; cat /proc/sys/kernel/arch /data/file; echo back >/data/new; echo wrong >&2; exit 200"
    done = guest.run(*SHELL, script, stdin=b"given\n")
    assert (done.status, done.stdout) == (200, "given\naarch64\nfrom the host\n")
    assert "wrong\n" in done.stderr
    assert (data / "new").read_text() == "back\n"


def test_a_signal_reaches_the_program(guest: Container, tmp_path: Path) -> None:
    ROOTS["initrd"](guest)
    output = tmp_path / "output"
    guest.start(
        *SHELL, "trap 'echo got it; exit 5' TERM; echo ready; while :; do sleep 0.1; done", output=output
    )
    eventually(lambda: "ready" in output.read_text(), "the guest is up")
    assert guest("kill", "TERM").returncode == 0
    eventually(lambda: '"stopped"' in guest("state").stdout, "the container ends")
    assert "got it" in output.read_text()


def test_a_program_reads_no_file_of_the_host(guest: Container) -> None:
    if platform.machine() == "aarch64":
        pytest.skip("with KVM there is no semihosting to be abused")
    ROOTS["virtiofs"](guest)
    source, program = guest.folder / "thief.c", guest.rootfs / "thief"
    source.write_text(THIEF)
    options = ("-target", "aarch64-freestanding", "-ffreestanding", "-nostdlib", "-static", "-O1")
    cache = str(ROOT / ".cache/zig")
    subprocess.run(
        [sys.executable, "-m", "ziglang", "cc", *options, "-o", str(program), str(source)],
        check=True, env={"PATH": "", "ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache},
    )  # fmt: skip
    guest.process = {"user": {"uid": 1000, "gid": 1000}}
    done = guest.run("/thief")
    assert (done.status, done.stdout) == (7, "none"), done.stderr
