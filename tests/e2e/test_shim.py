# SPDX-License-Identifier: Apache-2.0
"""`--runtime io.containerd.urunc.v2`: containerd's own shim for runc, with urunc in the place of runc."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from capabilities import ROOT, require
from e2e import examples
from e2e.examples import HELLO
from e2e.images import BUSYBOX

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from e2e.engine import Engine

pytestmark = [pytest.mark.vm, pytest.mark.root]
RUNTIME = "io.containerd.urunc.v2"
GREETING = "command line: hello world"
WORDS = {HELLO: ("hello", "world"), BUSYBOX: ("echo", GREETING)}


def by_ctr(engine: Engine, image: str) -> str:
    return engine.ctr("run", "--rm", "--runtime", RUNTIME, image, "shimmed", *WORDS[image]).stdout


def by_nerdctl(engine: Engine, image: str) -> str:
    require("nerdctl")
    return engine.nerdctl(
        "run", "--rm", "--network", "none", "--runtime", RUNTIME, image, *WORDS[image]
    ).stdout


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("image", [HELLO, BUSYBOX], ids=["unikernel", "ordinary"])
@pytest.mark.parametrize("run", [by_ctr, by_nerdctl])
def test_containers_of_both_kinds_run_by_the_name_of_the_shim(
    engine: Engine, run: Callable[[Engine, str], str], image: str
) -> None:
    assert GREETING in run(engine, image).splitlines()


@pytest.mark.usefixtures("clean")
def test_a_command_runs_in_an_ordinary_container_of_the_shim(engine: Engine) -> None:
    engine.ctr("run", "--detach", "--null-io", "--runtime", RUNTIME, BUSYBOX, "shimmed", "sleep", "1000")
    try:
        answer = engine.ctr("tasks", "exec", "--exec-id", "e", "shimmed", "echo", "from inside")
        assert answer.stdout == "from inside\n"
    finally:
        engine.ctr("tasks", "rm", "--force", "shimmed", check=False)
        engine.ctr("containers", "rm", "shimmed")


def test_the_shim_says_so_where_containerds_own_is_not_there(tmp_path: Path) -> None:
    shim = examples.runtime(tmp_path) / examples.SHIM
    words = ["/bin/sh", str(shim), "-info"]
    done = subprocess.run(words, env={"PATH": "/nowhere"}, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "cannot find containerd-shim-runc-v2" in done.stderr


def test_an_installation_brings_the_shim() -> None:
    assert 'scripts/shim "$prefix/bin/containerd-shim-urunc-v2"' in (ROOT / "scripts/install").read_text()
