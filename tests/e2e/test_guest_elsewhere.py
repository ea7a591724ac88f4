# SPDX-License-Identifier: Apache-2.0
"""Our first process without urunc's orders, in the place of another one, and on another architecture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import linux_kernel
import pytest
from capabilities import require
from e2e import linux_guest as guest

from urunc_common import cpio
from urunc_common.cpio import File
from urunc_common.guest import GuestConfig, init_file

if TYPE_CHECKING:
    from collections.abc import Iterable

    from e2e.linux_guest import Result

    from urunc_common.cpio import Entry

pytestmark = pytest.mark.vm

NIC = ["-netdev", "user,id=n,restrict=on", "-device", "virtio-net-device,netdev=n"]
ENDED = "init: /check ended with status 5"
ADDRESS = "ip=10.0.0.2::10.1.0.1:255.255.255.0:box:eth0:off"
CHECK = guest.script("""
for word; do echo "<$word>"; done
env; id -u; id -g; pwd; tty; hostname
ip -4 address show dev eth0; ip -4 route
exit 5
""")


@pytest.fixture(scope="module", autouse=True)
def _needs() -> None:
    require("qemu", "linux-kernel")


def boot(folder: Path, cmdline: str, extra: Iterable[Entry], *devices: str) -> Result:
    """Our program as /init, in an image of somebody else."""
    modules = linux_kernel.kernel("x86_64").modules("virtio_mmio", "virtio_net", "virtio_blk")
    init = File("/init", Path(init_file("x86_64")).read_bytes(), 0o755)
    entries = [*modules, *guest.busybox(), CHECK, init, *extra]
    with guest.start(
        folder, cpio.archive(entries), *NIC, *devices, cmdline=f"rdinit=/init {cmdline}"
    ) as running:
        return running.end()


def printed(result: Result) -> list[str]:
    """The lines on the console, without what pads them."""
    return [line.rstrip() for line in result.console.splitlines()]


def test_the_command_line_is_enough(tmp_path: Path) -> None:
    result = boot(tmp_path, f'{ADDRESS} A=1 -- /check word "two words"', ())
    lines = printed(result)
    for line in ("<word>", "<two words>", "A=1", "0", "/", "/dev/ttyS0", "box"):
        assert line in lines
    assert "    inet 10.0.0.2/24 scope global eth0" in lines
    assert "default via 10.1.0.1 dev eth0 onlink" in lines
    assert not [line for line in lines if line.startswith("ip=")]
    assert result.messages == [ENDED]


def test_an_address_for_no_interface_costs_a_line(tmp_path: Path) -> None:
    result = boot(tmp_path, f"{ADDRESS.replace('eth0', 'eth9')} -- /check", ())
    assert result.messages == ["init: find the interface eth9 (-): No such device", ENDED]


def test_without_a_program_there_is_a_line(tmp_path: Path) -> None:
    assert boot(tmp_path, "", ()).messages == ["init: no program to run"]


def test_the_file_of_another_runtime_is_read(tmp_path: Path) -> None:
    orders = (
        "UES\nPATH=/bin\nA=b c\nUEE\nUCS\nUID:1000\nGID: 1001\nWD:/tmp\nUCE\nUBS\nID:vol1\nMP:/data\nUBE\n"
    )
    image = tmp_path / "disk.img"
    linux_kernel.run("mke2fs", "-q", "-t", "ext4", str(image), "8M")
    disk = f"if=none,id=d,file={image},format=raw"
    devices = ["-drive", disk, "-device", "virtio-blk-device,drive=d,serial=vol1"]
    check = guest.script('grep ext4 /proc/mounts; exec /check "$@"', "/outer")
    cmdline = f"URUNIT_CONFIG=/urunit.conf {ADDRESS} -- /outer 'two words' plain 'three words here' 'open"
    result = boot(tmp_path, cmdline, [File("/urunit.conf", orders.encode()), check], *devices)
    lines = printed(result)
    for line in ("<two words>", "<plain>", "<three words here>", "<'open>"):
        assert line in lines
    for line in ("A=b c", "1000", "1001", "/tmp", "HOME=/home/user", "/dev/vda /data ext4 rw,relatime 0 0"):
        assert line in lines
    assert result.messages == [ENDED.replace("check", "outer")]


def test_a_program_runs_and_reports_on_aarch64(tmp_path: Path) -> None:
    require("qemu-arm")
    text = "cat; cat /proc/sys/kernel/arch; echo $((6 * 7)) >&2; exit 200"
    orders = GuestConfig(("/check",), env=("PATH=/bin",), stdio="ports", report="semihosting")
    entries = [*guest.busybox("aarch64"), guest.script(text)]
    result = guest.boot(tmp_path, orders, entries, stdin=b"given\n", arch="aarch64")
    assert (result.stdout, result.stderr, result.code) == (b"given\naarch64\n", b"42\n", 200), result.console
