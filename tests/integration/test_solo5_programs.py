# SPDX-License-Identifier: Apache-2.0
"""The real tenders take what we plan.  Needs Solo5's own test programs: SOLO5_HOME is its source tree."""

from __future__ import annotations

import os
import subprocess

import pytest
from capabilities import require, solo5

from urunc.machine import App, Block
from urunc.plan import Host, plan
from urunc.roots import Choice
from urunc_common.config import UnikernelConfig

pytestmark = pytest.mark.parametrize("monitor", ["hvt", "spt"])


def run(monitor, name, app, root=None, outside=None):
    """Run a test program of Solo5 as planned, with the names that its files have here."""
    require("solo5")
    kernel = f"{os.environ.get('SOLO5_HOME', '')}/tests/{name}/{name}.{monitor}"
    if not os.path.exists(kernel):
        pytest.skip(f"no {kernel}")
    if monitor == "hvt" and not os.access("/dev/kvm", os.R_OK | os.W_OK):
        pytest.skip("no /dev/kvm")
    config = UnikernelConfig("mirage", monitor, "/boot/k")
    argv = [*plan(config, app, (), Choice(root), host=Host(memory_mib=16)).argv]
    argv[0] = solo5(argv[0])
    argv[argv.index("/kernel")] = kernel
    argv = [word.replace("=/disk0", f"={outside}") for word in argv]
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "SUCCESS" in done.stdout
    return done.stdout


def test_a_program_gets_its_words_as_one_line(monitor):
    assert "Command line is: 'Hello_Solo5'" in run(monitor, "test_hello", App(("Hello_Solo5",)))


def test_a_program_finds_its_disk_by_name(monitor, tmp_path):
    disk = tmp_path / "disk.img"
    disk.write_bytes(bytes(1 << 20))
    run(monitor, "test_blk", App(()), Block("/boot/d"), disk)
    assert disk.read_bytes().strip(b"\0")
