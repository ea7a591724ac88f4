# SPDX-License-Identifier: Apache-2.0
"""Guests on each of QEMU's kinds of machine for x86_64: with a PCI bus and without."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from capabilities import require
from daemons import run
from e2e import examples
from e2e.linux_container import container
from e2e.linux_roots import ROOTS

from urunc_common.config import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from e2e.linux_container import Container

pytestmark = [pytest.mark.vm, pytest.mark.root]

# The first device on the bus, which is the chipset.
CHIPSETS = {"microvm": "none", "pc": "0x1237", "q35": "0x29c0"}
LOOK = "cat /sys/bus/pci/devices/0000:00:00.0/device 2>/dev/null || echo none"


@pytest.fixture(name="guest", params=CHIPSETS)
def guest_fixture(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Container]:
    require("root", "qemu", "linux-kernel", "virtiofsd")
    with container(tmp_path) as made:
        made.annotations["run.urunc.machine"] = request.param
        yield made


@pytest.fixture(scope="module", name="hello")
def hello_fixture() -> Path:
    require("gcc")
    run(str(examples.context("hello") / "build"))
    return examples.context("hello") / "out/hello"


def test_a_unikernel_prints_and_ends_with_its_status(guest: Container, hello: Path) -> None:
    guest.rootfs.mkdir(parents=True)
    shutil.copy(hello, guest.rootfs / "hello")
    said = {"unikernelType": "generic", "hypervisor": "qemu", "binary": "/hello"}
    guest.annotations |= {PREFIX + key: value for key, value in said.items()}
    done = guest.run("hello", "exit=3")
    assert f"'-machine' '{guest.annotations['run.urunc.machine']}" in guest.log
    assert done.stdout.splitlines()[:2] == ["Hello from a unikernel!", "command line: hello exit=3"]
    assert done.status == 2 * 3 + 1


def boots(guest: Container, root: str) -> None:
    """With this root, a volume, its streams and its status, on the machine that is asked for."""
    ROOTS[root](guest)
    guest.annotations["run.urunc.volumes"] = "9p" if root == "9p" else "virtiofs"
    data = guest.folder / "data"
    data.mkdir()
    guest.bind(data, "/data")
    done = guest.run("/bin/sh", "-c", f"{LOOK}; cat; echo back >/data/new; exit 5", stdin=b"given\n")
    assert done.stdout == f"{CHIPSETS[guest.annotations['run.urunc.machine']]}\ngiven\n", done.stderr
    assert done.status == 2 * 5 + 1
    assert (data / "new").read_text() == "back\n"


def test_linux_boots(guest: Container) -> None:
    boots(guest, "initrd")


@pytest.mark.parametrize("guest", ["q35"], indirect=True)
@pytest.mark.parametrize("root", [kind for kind in ROOTS if kind != "initrd"])
def test_every_root_is_there_on_a_pci_bus(root: str, guest: Container) -> None:
    boots(guest, root)
