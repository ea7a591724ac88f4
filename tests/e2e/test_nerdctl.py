# SPDX-License-Identifier: Apache-2.0
"""A container's life under containerd, asked for with nerdctl, as a person at a keyboard does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from capabilities import require
from e2e.subjects import READY, SUBJECTS
from e2e.terminal import terminal
from e2e.waiting import eventually

if TYPE_CHECKING:
    from e2e.engine import Engine
    from e2e.subjects import Subject

pytestmark = [
    pytest.mark.vm,
    pytest.mark.root,
    pytest.mark.usefixtures("nerdctl", "bridge", "clean"),
    pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name),
]


@pytest.fixture(scope="module")
def nerdctl() -> None:
    require("nerdctl")


def run_argv(subject: Subject, *options: str) -> list[str]:
    return ["run", *options, "--runtime", subject.runtime, subject.image]


def test_nerdctl_shows_what_a_container_prints(engine: Engine, subject: Subject) -> None:
    answer = engine.nerdctl(*run_argv(subject, "--rm"), *subject.greet)
    assert "command line: hello world" in answer.stdout.splitlines()


def test_nerdctl_ends_with_the_status_of_the_container(engine: Engine, subject: Subject) -> None:
    assert engine.nerdctl(*run_argv(subject, "--rm"), *subject.fail, check=False).returncode == subject.failed


def test_nerdctl_connects_the_users_terminal(engine: Engine, subject: Subject) -> None:
    with terminal(engine.nerdctl_argv(*run_argv(subject, "--rm", "-it"), *subject.echo)) as session:
        session.expect(READY)
        session.send("abc\r")
        session.expect("abc\n")
        session.send("\x03")
        assert session.end() == 0
    assert subject.interrupted in session.text


def test_nerdctl_stops_and_removes_a_detached_container(engine: Engine, subject: Subject) -> None:
    engine.nerdctl(*run_argv(subject, "--detach", "--name", "stays"), *subject.stay)
    eventually(lambda: READY in engine.nerdctl("logs", "stays").stdout, "output")
    engine.nerdctl("stop", "stays")
    listed = engine.nerdctl("ps", "--all", "--format", "{{.Names}} {{.Status}}").stdout
    assert "stays Exited (0)" in listed
    engine.nerdctl("rm", "stays")


def test_nerdctl_pauses_and_measures_a_container(engine: Engine, subject: Subject) -> None:
    options = ("--detach", "--name", "stays", "--memory", "512m")
    engine.nerdctl(*run_argv(subject, *options), *subject.stay)
    eventually(lambda: READY in engine.nerdctl("logs", "stays").stdout, "output")
    engine.nerdctl("pause", "stays")
    listed = ("ps", "--all", "--format", "{{.Names}} {{.Status}}")
    assert "stays Paused" in engine.nerdctl(*listed).stdout
    engine.nerdctl("unpause", "stays")
    assert "stays Up" in engine.nerdctl(*listed).stdout
    measured = engine.nerdctl("stats", "--no-stream", "--format", "{{.MemUsage}}", "stays").stdout
    assert "/ 512MiB" in measured
    assert not measured.startswith("0B")
    engine.nerdctl("rm", "--force", "stays")
