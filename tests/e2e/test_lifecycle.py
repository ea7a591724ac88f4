# SPDX-License-Identifier: Apache-2.0
"""A container's life under containerd, asked for with ctr."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from daemons import run
from e2e.subjects import READY, SUBJECTS
from e2e.terminal import terminal
from e2e.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from e2e.engine import Engine
    from e2e.subjects import Subject

pytestmark = [
    pytest.mark.vm,
    pytest.mark.root,
    pytest.mark.usefixtures("clean"),
    pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name),
]
ID = "one"


def run_argv(subject: Subject, *options: str, name: str = ID) -> list[str]:
    return ["run", *options, "--runc-binary", subject.runtime, subject.image, name]


def start_detached(engine: Engine, subject: Subject, log: Path, name: str = ID) -> None:
    """Start a container that stays, and wait until what runs in it has said so."""
    engine.ctr(*run_argv(subject, "--detach", "--log-uri", f"file://{log}", name=name), *subject.stay)
    eventually(lambda: READY in log.read_text(errors="replace"), f"output of {name}")


def remove(engine: Engine, name: str = ID) -> int:
    """Remove a stopped task and its container; returns the task's exit status."""
    eventually(lambda: engine.tasks()[name] == "STOPPED", f"the end of {name}")
    said = engine.ctr("tasks", "rm", name).stderr
    engine.ctr("containers", "rm", name)
    found = re.search(r"non-zero exit code (\d+)", said)
    return int(found[1]) if found else 0


def test_a_container_prints_what_it_was_given_and_ends(engine: Engine, subject: Subject) -> None:
    answer = engine.ctr(*run_argv(subject, "--rm"), *subject.greet)
    assert "command line: hello world" in answer.stdout.splitlines()


def test_a_container_that_fails_gives_its_status(engine: Engine, subject: Subject) -> None:
    answer = engine.ctr(*run_argv(subject, "--rm"), *subject.fail, check=False)
    assert answer.returncode == subject.failed, answer.stderr


def test_a_container_without_terminal_has_no_terminal(engine: Engine, subject: Subject) -> None:
    with terminal(engine.ctr_argv(*run_argv(subject, "--rm"), *subject.greet)) as session:
        assert session.end() == 0
    assert "command line: hello world\n" in session.text


def test_a_terminal_carries_text_and_the_interrupt_to_the_container(engine: Engine, subject: Subject) -> None:
    with terminal(engine.ctr_argv(*run_argv(subject, "--rm", "--tty"), *subject.echo)) as session:
        session.expect(READY)
        session.send("abc\r")
        session.expect("abc\nabc\n" if "busybox" in subject.image else "abc\n")
        session.send("\x03")
        assert session.end() == 0
    assert subject.interrupted in session.text


def test_a_running_container_is_ended_by_term(engine: Engine, subject: Subject, tmp_path: Path) -> None:
    start_detached(engine, subject, tmp_path / "log")
    assert engine.tasks() == {ID: "RUNNING"}
    engine.ctr("tasks", "kill", "--signal", "SIGTERM", ID)
    assert remove(engine) == 0


def test_a_running_container_is_ended_by_kill(engine: Engine, subject: Subject, tmp_path: Path) -> None:
    start_detached(engine, subject, tmp_path / "log")
    engine.ctr("tasks", "kill", "--signal", "SIGKILL", ID)
    assert remove(engine) == 128 + 9


def test_a_running_container_is_not_removed_unless_forced(
    engine: Engine, subject: Subject, tmp_path: Path
) -> None:
    start_detached(engine, subject, tmp_path / "log")
    refused = engine.ctr("tasks", "rm", ID, check=False)
    assert refused.returncode != 0
    assert engine.tasks() == {ID: "RUNNING"}
    engine.ctr("tasks", "rm", "--force", ID, check=False)
    engine.ctr("containers", "rm", ID)


def test_a_stopped_container_cannot_be_killed(engine: Engine, subject: Subject, tmp_path: Path) -> None:
    start_detached(engine, subject, tmp_path / "log")
    engine.ctr("tasks", "kill", "--signal", "SIGKILL", ID)
    eventually(lambda: engine.tasks()[ID] == "STOPPED", "the end")
    late = engine.ctr("tasks", "kill", "--signal", "SIGKILL", ID, check=False)
    assert "process already finished" in late.stderr
    remove(engine)


def test_two_containers_of_one_image_live_apart(engine: Engine, subject: Subject, tmp_path: Path) -> None:
    start_detached(engine, subject, tmp_path / "first", "first")
    start_detached(engine, subject, tmp_path / "second", "second")
    engine.ctr("tasks", "kill", "--signal", "SIGKILL", "first")
    remove(engine, "first")
    assert engine.tasks() == {"second": "RUNNING"}
    engine.ctr("tasks", "kill", "--signal", "SIGKILL", "second")
    remove(engine, "second")


def test_a_container_outlives_a_killed_client(engine: Engine, subject: Subject) -> None:
    with terminal(engine.ctr_argv(*run_argv(subject, "--tty"), *subject.stay)) as session:
        session.expect(READY)
        run("kill", "-KILL", str(session.process.pid))
        session.process.wait()
        assert engine.tasks() == {ID: "RUNNING"}
    engine.ctr("tasks", "kill", "--signal", "SIGKILL", ID)
    remove(engine)
