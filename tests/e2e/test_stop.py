# SPDX-License-Identifier: Apache-2.0
"""What stops a guest: a signal to its program, a power button, or its monitor's end."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from capabilities import ROOT, require
from daemons import run
from e2e import linux_container
from e2e.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from e2e.linux_container import Container

pytestmark = pytest.mark.vm
HELLO = ROOT / "examples/hello"


@pytest.fixture(name="container")
def container_fixture(tmp_path: Path) -> Iterator[Container]:
    """Our smallest kernel, said to be of a type that listens to a power button."""
    require("root", "qemu", "gcc")
    run(str(HELLO / "build"))
    with linux_container.container(tmp_path) as container:
        container.rootfs.mkdir(parents=True)
        shutil.copy(HELLO / "out/hello", container.rootfs / "hello")
        prefix = "com.urunc.unikernel."
        said = {"unikernelType": "osv", "hypervisor": "qemu", "binary": "/hello"}
        container.annotations = {prefix + key: value for key, value in said.items()}
        yield container


def test_a_guest_with_a_power_button_is_asked_to_shut_down(container: Container, tmp_path: Path) -> None:
    output = tmp_path / "output"
    container.start("button", output=output)
    eventually(lambda: "waiting for the power button" in output.read_text(), "the guest listens")
    assert container("kill", "HUP").returncode == 0
    assert "asked" not in output.read_text()
    assert container("kill", "TERM").returncode == 0
    eventually(lambda: '"stopped"' in container("state").stdout, "the guest has shut down")
    assert "asked to shut down" in output.read_text()


def test_a_guest_without_one_is_ended_at_once(container: Container, tmp_path: Path) -> None:
    container.annotations["com.urunc.unikernel.unikernelType"] = "generic"
    output = tmp_path / "output"
    container.start("button", output=output)
    eventually(lambda: "waiting for the power button" in output.read_text(), "the guest listens")
    assert container("kill", "TERM").returncode == 0
    eventually(lambda: '"stopped"' in container("state").stdout, "its monitor has ended")
    assert "asked" not in output.read_text()
