# SPDX-License-Identifier: Apache-2.0
"""The engine's hooks: when they run, what they are given, and what their failure means."""

import json
import os
from pathlib import Path

import pytest

STAGES = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
# Those that run in the monitor's root cannot write to the host.
ON_THE_HOST = tuple(stage for stage in STAGES if stage != "startContainer")


def script(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def recording(bundle, tmp_path, **more):
    """A hook for each stage that writes its name, argv and state."""
    path = script(
        tmp_path / "hook", f'state=$(cat); echo "$1 $PWD ${{MARK-unset}} $state" >> {tmp_path}/record'
    )
    bundle.config["hooks"] = {
        stage: [{"path": path, "args": ["hook", stage], **more}] for stage in ON_THE_HOST
    }
    bundle.config["annotations"] = {"nerdctl/name": "me"}


def records(tmp_path):
    lines = (tmp_path / "record").read_text().splitlines()
    return [(*line.split(" ", 3)[:3], json.loads(line.split(" ", 3)[3])) for line in lines]


def test_they_run_in_order_with_the_state_on_stdin(urunc, bundle, tmp_path):
    recording(bundle, tmp_path)
    urunc.create(bundle)
    pid = urunc.state()["pid"]
    urunc("start", "c1")
    urunc("delete", "--force", "c1")
    found = records(tmp_path)
    assert [name for name, *_ in found] == list(ON_THE_HOST)
    assert {directory for _, directory, *_ in found} == {str(bundle.path)}
    assert [state["status"] for *_, state in found] == ["creating"] * 3 + ["running", "stopped"]
    assert {(state["id"], state["bundle"]) for *_, state in found} == {("c1", str(bundle.path))}
    assert all(state["annotations"]["nerdctl/name"] == "me" for *_, state in found)
    assert [state["pid"] for *_, state in found[:2]] == [pid, pid]


@pytest.mark.parametrize(
    ("more", "mark"),
    [
        ({}, "inherited"),
        ({"env": []}, "unset"),
        ({"env": ["MARK=x"]}, "x"),
        ({"env": ["=nameless", "MARK=x"]}, "x"),
        ({"timeout": 10**30}, "inherited"),
    ],
)
def test_an_absent_environment_is_inherited(urunc, bundle, tmp_path, more, mark):
    recording(bundle, tmp_path, **more)
    urunc.environment["MARK"] = "inherited"
    urunc.create(bundle)
    assert {found for _, _, found, _ in records(tmp_path)} == {mark}


def test_argv_is_taken_as_it_is_with_its_first_word(urunc, bundle, tmp_path):
    record = tmp_path / "argv"
    code = f"import sys; open({str(record)!r}, 'w').write(open('/proc/self/cmdline').read())"
    bundle.config["hooks"] = {"prestart": [{"path": "/usr/bin/python3", "args": ["setkey", "-c", code]}]}
    urunc.create(bundle)
    assert record.read_text().split("\0")[0] == "setkey"


def test_a_child_that_a_hook_leaves_behind_does_not_hold_the_verb_up(urunc, bundle, tmp_path):
    path = script(tmp_path / "hook", f"sleep 60 & echo $! > {tmp_path}/child")
    bundle.config["hooks"] = {"createRuntime": [{"path": path}]}
    urunc.create(bundle)
    os.kill(int((tmp_path / "child").read_text()), 9)


@pytest.mark.parametrize("stage", ["prestart", "createRuntime", "createContainer"])
def test_a_failing_hook_fails_create_and_leaves_nothing(urunc, bundle, tmp_path, stage):
    path = script(tmp_path / "hook", "echo no such network >&2; exit 3")
    bundle.config["hooks"] = {
        stage: [{"path": path}],
        "poststop": [{"path": script(tmp_path / "post", f"touch {tmp_path}/undone")}],
    }
    said = urunc.said(urunc.create(bundle, check=False))
    assert said == f"{stage} hook 0 ({path}) ended with status 3: no such network"
    assert (tmp_path / "undone").exists()
    assert urunc.leftovers() == []


def test_a_hook_that_hangs_is_killed_after_its_timeout(urunc, bundle, tmp_path):
    path = script(tmp_path / "hook", "sleep 60")
    bundle.config["hooks"] = {"createRuntime": [{"path": path, "timeout": 1}]}
    assert f"hook 0 ({path}) did not end within 1 s" in urunc.said(urunc.create(bundle, check=False))


def test_a_hook_that_is_not_there_is_named(urunc, bundle):
    bundle.config["hooks"] = {"prestart": [{"path": "/no/such/hook"}]}
    said = urunc.said(urunc.create(bundle, check=False))
    assert "prestart hook 0 (/no/such/hook) ended with status 127: cannot execute /no/such/hook" in said


def test_a_start_hook_runs_in_the_monitors_root(urunc, bundle):
    bundle.config["hooks"] = {
        "startContainer": [{"path": "/usr/bin/test", "args": ["test", "-f", "/kernel"]}]
    }
    urunc.create(bundle)
    urunc("start", "c1")


def test_a_start_hook_that_only_the_image_has_fails_start(urunc, bundle):
    script(bundle.rootfs / "hook", "exit 0")
    bundle.config["hooks"] = {"startContainer": [{"path": "/hook"}]}
    urunc.create(bundle)
    assert "startContainer hook 0 (/hook) ended with status 127" in urunc.fails("start", "c1")
    urunc.wait_for("stopped")


def test_failing_hooks_after_the_fact_are_only_logged(urunc, bundle, tmp_path):
    path = script(tmp_path / "hook", "exit 1")
    bundle.config["hooks"] = {"poststart": [{"path": path}], "poststop": [{"path": path}]}
    urunc.create(bundle)
    urunc("start", "c1")
    urunc("delete", "--force", "c1")
    levels = [json.loads(line)["level"] for line in Path(urunc.log).read_text().splitlines()]
    assert levels.count("warning") == 2
