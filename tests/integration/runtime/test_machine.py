# SPDX-License-Identifier: Apache-2.0
"""The machine that a container gets: its architecture, kind and size."""

from __future__ import annotations

import json
import os
import platform
import shutil
from pathlib import Path

import pytest

from urunc.host import kvm

MIB = 1 << 20
ARM = b"\x7fELF\x02\x01\x01" + bytes(11) + (183).to_bytes(2, "little")
X86 = b"\x7fELF\x02\x01\x01" + bytes(11) + (62).to_bytes(2, "little")
FOREIGN = {"x86_64": ("aarch64", ARM), "aarch64": ("x86_64", X86)}[platform.machine()]


@pytest.fixture
def start(urunc, bundle):
    def start():
        urunc.create(bundle)
        urunc("start", "c1")
        return " ".join(urunc.report()["argv"])

    return start


def configure(urunc, text):
    Path(urunc.environment["URUNC_CONFIG_FILE"]).write_text(text)


def test_a_kernel_of_another_architecture_is_emulated_on_the_qemu_for_it(start, urunc, bundle):
    arch, kernel = FOREIGN
    (bundle.rootfs / "kernel.elf").write_bytes(kernel)
    programs = urunc.programs
    shutil.copy(programs / f"qemu-system-{platform.machine()}", programs / f"qemu-system-{arch}")
    configure(urunc, '[monitors.qemu]\naccel = "kvm"\npath = "/nowhere"\n')
    assert "-accel tcg," in start()
    command = Path(f"/proc/{urunc.state()['pid']}/cmdline").read_bytes()
    assert f"qemu-system-{arch}".encode() in command


@pytest.mark.parametrize("monitor", ["firecracker", "spt"])
def test_a_monitor_that_does_not_emulate_refuses_it(urunc, bundle, monitor):
    (bundle.rootfs / "kernel.elf").write_bytes(FOREIGN[1])
    bundle.image["hypervisor"] = monitor
    said = urunc.said(urunc.create(bundle, check=False))
    arch, ours = FOREIGN[0], platform.machine()
    assert (
        f"the kernel /kernel.elf is built for {arch}, and {monitor} boots only those for this host's {ours}"
        in said
    )
    assert f"or qemu, which emulates {arch}" in said


@pytest.mark.parametrize(
    ("kernel", "arch"),
    [
        (b"\x7fELF\x02\x01\x01" + bytes(11) + (243).to_bytes(2, "little"), "riscv64"),
        (bytes(48) + b"RISCV\0\0\0RSC\x05", "riscv64"),
        (b"\x7fELF\x01\x01\x01" + bytes(11) + (40).to_bytes(2, "little"), "arm"),
    ],
)
def test_a_kernel_that_the_monitor_has_no_machine_for_is_refused(urunc, bundle, kernel, arch):
    (bundle.rootfs / "kernel.elf").write_bytes(kernel)
    said = urunc.said(urunc.create(bundle, check=False))
    assert f"the kernel /kernel.elf is built for {arch}, and qemu boots those for x86_64 and aarch64" in said


def test_the_log_warns_when_a_guest_is_emulated_for_lack_of_kvm(start, urunc):
    configure(urunc, "")
    start()
    warnings = [json.loads(line)["msg"] for line in urunc.log.read_text().splitlines() if '"warning"' in line]
    assert warnings == (
        [] if kvm.measure() else ["KVM is not usable on this host, so the guest is emulated, which is slow"]
    )


def test_nobody_is_warned_of_what_they_chose(start, urunc):
    start()
    assert not urunc.log.exists() or "warning" not in urunc.log.read_text()


def test_the_engine_s_limits_size_the_guest(start, bundle):
    bundle.config["linux"]["resources"] = {
        "memory": {"limit": 200 * MIB},
        "cpu": {"quota": 150000, "period": 100000},
    }
    argv = start()
    assert f"-smp {min(2, os.cpu_count())} " in argv
    assert "-m 136M " in argv
    assert "tb-size=16 " in argv


def test_a_cpuset_limits_the_processors(start, urunc, bundle):
    configure(urunc, '[monitors.qemu]\naccel = "tcg"\ndefault_vcpus = 2\n')
    bundle.config["linux"]["resources"] = {"cpu": {"cpus": "0"}}
    assert "-smp 1 " in start()


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the machines are those of x86_64")
@pytest.mark.parametrize(
    ("configured", "annotation", "machine"),
    [("auto", None, "pc"), ("q35", None, "q35"), ("q35", "microvm", "microvm"), ("microvm", "auto", "pc")],
)
def test_the_kind_of_machine_can_be_chosen(start, urunc, bundle, configured, annotation, machine):
    configure(urunc, f'[monitors.qemu]\naccel = "tcg"\nmachine = "{configured}"\n')
    if annotation:
        bundle.config["annotations"] = {"run.urunc.machine": annotation}
    assert f"-machine {machine} " in start()


def test_a_kind_of_machine_that_is_not_there_is_refused(urunc, bundle):
    bundle.config["annotations"] = {"run.urunc.machine": "isapc"}
    assert "qemu has no machine 'isapc'; use one of auto" in urunc.said(urunc.create(bundle, check=False))
    bundle.config["annotations"] = {}
    configure(urunc, '[monitors.hvt]\nmachine = "pc"\n')
    assert "monitors.hvt.machine is 'pc'; use auto" in urunc.said(urunc.create(bundle, check=False))
