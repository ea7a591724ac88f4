# SPDX-License-Identifier: Apache-2.0
"""The seccomp profiles that engines really give: QEMU boots under each, and is shut in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from capabilities import require
from e2e.examples import HELLO, LINUX, expected
from e2e.network import page
from e2e.processes import descendants
from e2e.subjects import HELLO_UNIKERNEL, READY
from e2e.waiting import eventually

if TYPE_CHECKING:
    from e2e.engine import Engine

pytestmark = [pytest.mark.vm, pytest.mark.root, pytest.mark.usefixtures("clean")]
ID = "shut-in"
# The engine's profile, and QEMU's own sandbox on top of it.
FILTERED, UNFILTERED = ("2", "2"), ("0", "0")


def filters() -> tuple[str, str]:
    """The mode of the one monitor that runs, and how many filters it has."""
    (pid,) = (process.pid for process in descendants() if process.command.startswith("qemu-system"))
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    found = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    return found["Seccomp"], found["Seccomp_filters"]


@pytest.mark.parametrize(("options", "found"), [(("--seccomp",), FILTERED), ((), UNFILTERED)])
def test_ctr_filters_on_demand(
    engine: Engine, tmp_path: Path, options: tuple[str, ...], found: tuple[str, str]
) -> None:
    log = tmp_path / "log"
    words = ["run", *options, "--detach", "--log-uri", f"file://{log}", "--runc-binary", "urunc", HELLO, ID]
    engine.ctr(*words, *HELLO_UNIKERNEL.stay)
    eventually(lambda: READY in log.read_text(errors="replace"), "output")
    assert filters() == found
    engine.ctr("tasks", "rm", "--force", ID, check=False)
    engine.ctr("containers", "rm", ID)


def test_a_unikernel_says_hello_under_containerds_default_profile(engine: Engine) -> None:
    answer = engine.ctr(
        "run", "--rm", "--seccomp", "--runc-binary", "urunc", HELLO, ID, *HELLO_UNIKERNEL.greet
    )
    assert "command line: hello world" in answer.stdout.splitlines()


@pytest.mark.parametrize(
    ("options", "found"), [((), FILTERED), (("--security-opt", "seccomp=unconfined"), UNFILTERED)]
)
@pytest.mark.usefixtures("bridge")
def test_nerdctl_filters_unless_told_otherwise(
    engine: Engine, options: tuple[str, ...], found: tuple[str, str]
) -> None:
    require("nerdctl")
    engine.nerdctl(
        "run", "--detach", "--name", ID, *options, "--runtime", "urunc", HELLO, *HELLO_UNIKERNEL.stay
    )
    eventually(lambda: READY in engine.nerdctl("logs", ID).stdout, "output")
    assert filters() == found
    engine.nerdctl("rm", "--force", ID)


@pytest.mark.usefixtures("bridge")
def test_a_server_answers_under_containerds_default_profile(engine: Engine) -> None:
    require("nerdctl")
    engine.nerdctl("run", "--detach", "--name", ID, "--runtime", "urunc", LINUX)
    assert expected("linux-httpd") in page(engine.address_of(ID))
    assert filters() == FILTERED
    engine.nerdctl("rm", "--force", ID)


def test_a_profile_without_the_exec_is_refused_with_its_name(engine: Engine) -> None:
    profile = engine.directory / "profile.json"
    profile.write_text(
        '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["execve"],"action":"SCMP_ACT_KILL"}]}'
    )
    options = ("--seccomp", "--seccomp-profile", str(profile))
    said = engine.ctr("run", "--rm", *options, "--runc-binary", "urunc", HELLO, ID, check=False).stderr
    assert "the seccomp profile forbids what qemu needs: execve; allow" in said
    engine.ctr("containers", "rm", ID, check=False)
