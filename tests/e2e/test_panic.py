# SPDX-License-Identifier: Apache-2.0
"""A Linux guest that panics never ends with status 0, and says why; one that is switched off does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from capabilities import require
from e2e.linux_container import BOOT, container
from e2e.linux_guest import busybox, script
from e2e.linux_roots import ROOTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from e2e.linux_container import Container

pytestmark = [pytest.mark.vm, pytest.mark.root]

SHELL = ("/bin/sh", "-c")
MACHINES = ("microvm", "pc", "q35")
# What QEMU ends with: told by pvpanic, or when the kernel resets the machine by port 0x64.
TOLD, RESET = 1, 253


@pytest.fixture(name="guest", params=MACHINES)
def guest_fixture(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Container]:
    require("root", "qemu", "linux-kernel")
    with container(tmp_path) as made:
        made.annotations["run.urunc.machine"] = request.param
        yield made


def test_a_panic_is_a_failure(guest: Container) -> None:
    ROOTS["initrd"](guest)
    done = guest.run(*SHELL, "echo c >/proc/sysrq-trigger")
    assert (done.status, done.stdout) == (TOLD, "")
    assert "Kernel panic - not syncing: sysrq triggered crash" in done.stderr


@pytest.mark.parametrize("guest", ["microvm", "q35"], indirect=True)
def test_a_panic_without_its_driver_is_a_failure(guest: Container) -> None:
    guest.modules = tuple(module for module in guest.modules if "pvpanic" not in module)
    ROOTS["initrd"](guest)
    done = guest.run(*SHELL, "echo c >/proc/sysrq-trigger")
    assert (done.status, done.stdout) == (RESET, "")
    assert "Kernel panic - not syncing: sysrq triggered crash" in done.stderr


@pytest.mark.parametrize("guest", ["microvm", "q35"], indirect=True)
def test_a_kernel_that_does_not_find_its_first_process_is_a_failure(guest: Container) -> None:
    ROOTS["initrd"](guest)
    (guest.rootfs / BOOT[1:]).write_bytes(b"\x1f\x8bnot gzip at all..")
    done = guest.run("/bin/sh")
    assert (done.status, done.stdout) == (RESET, "")
    assert "Kernel panic - not syncing" in done.stderr


def test_the_end_of_the_first_process_is_a_failure(guest: Container) -> None:
    ROOTS["initrd"](guest)
    guest.boot_archive(guest.rootfs / BOOT[1:], *busybox(), script("exit 3", "/bin/init"))
    done = guest.run("/bin/init")
    assert (done.status, done.stdout) == (TOLD, "")
    assert "Attempted to kill init!" in done.stderr


@pytest.mark.parametrize(("script", "status"), [("exit 0", 0), ("exit 1", 3), ("poweroff -f", 0)])
def test_an_end_as_it_should_be_is_what_it_was(script: str, status: int, guest: Container) -> None:
    ROOTS["initrd"](guest)
    assert guest.run(*SHELL, script).status == status


# Seven bits get out: the number of the signal behind 128, and never that of a success.
@pytest.mark.parametrize("guest", ["microvm"], indirect=True)
@pytest.mark.parametrize(("status", "code"), [(127, 255), (128, 3), (137, 19), (255, 255)])
def test_a_status_above_127_is_no_success(status: int, code: int, guest: Container) -> None:
    ROOTS["initrd"](guest)
    assert guest.run(*SHELL, f"exit {status}").status == code
