# SPDX-License-Identifier: Apache-2.0
"""An emulated clock is unsteady, and Linux may hang over it; told what urunc tells it, it does not."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import linux_kernel
import pytest
from capabilities import require
from e2e.linux import Image

from urunc import prepare
from urunc.machine import App, Streams
from urunc.plan import Given, Host, plan
from urunc.roots import Choice
from urunc_common.config import UnikernelConfig

if TYPE_CHECKING:
    from pathlib import Path

    from urunc.machine import LaunchPlan

pytestmark = [pytest.mark.vm, pytest.mark.last]

BOOTS, AT_ONCE, PATIENCE_S = 200, 2, 60
# Says that it is there, and switches the machine off.
FIRST_PROCESS = r"""
static long call(long number, long a, long b, long c)
{
    long result = number;
    __asm__ volatile("syscall" : "+a"(result) : "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}
void _start(void)
{
    call(1, 1, (long)"up\n", 3);
    call(169, 0xfee1dead, 0x28121969, 0x4321fedc);
}
"""


@pytest.fixture(name="init")
def init_fixture(tmp_path: Path) -> bytes:
    require("qemu", "linux-kernel", "gcc")
    source, program = tmp_path / "init.c", tmp_path / "init"
    source.write_text(FIRST_PROCESS)
    options = ("-static", "-nostdlib", "-ffreestanding", "-O1", "-fno-stack-protector")
    subprocess.run(["gcc", *options, "-o", str(program), str(source)], check=True)
    return program.read_bytes()


def planned(init: bytes, output: int) -> LaunchPlan:
    """As for any container, but for the first process and what it writes to."""
    host = Host(memory_mib=128, accel="tcg", tsc_khz=prepare._tsc_khz())
    config = UnikernelConfig("linux", "qemu", "/kernel")
    streams = Streams(output, output)
    return plan(config, App(("app",)), (), Choice(None), host=host, given=Given(init=init), streams=streams)


def boot(folder: Path, init: bytes) -> str:
    """What is wrong with it; nothing if it was up."""
    reader, writer = os.pipe()
    launch = planned(init, writer)
    initrd = folder / "initrd"
    initrd.write_bytes(launch.files[0].content)
    argv = Image(linux_kernel.kernel("x86_64").image, initrd).argv(launch)
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=writer, pass_fds=launch.fds) as monitor:
        os.close(writer)
        try:
            status = monitor.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            monitor.kill()
            status = -1
    with os.fdopen(reader) as pipe:
        said = pipe.read()
    return "" if status == 0 and "up" in said else f"status {status}: {said[-1000:]}"


def test_none_of_many_boots_hangs(tmp_path: Path, init: bytes) -> None:
    assert "microvm" in planned(init, 2).argv[planned(init, 2).argv.index("-machine") + 1]

    def number(index: int) -> str:
        folder = tmp_path / str(index)
        folder.mkdir()
        return boot(folder, init)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        failures = [failure for failure in pool.map(number, range(BOOTS)) if failure]
    assert not failures, f"{len(failures)} of {BOOTS}: {failures[0]}"
