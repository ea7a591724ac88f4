# SPDX-License-Identifier: Apache-2.0
"""What `exec` is asked for, from a file or from the command line."""

from __future__ import annotations

import json

import pytest

from urunc import bundle, cli, program
from urunc.errors import BundleError, UsageError
from urunc.machine import App

PROCESS = {
    "args": ["/bin/sh", "-c", "exit 3"],
    "env": ["A=1"],
    "cwd": "/tmp",
    "user": {"uid": 5, "gid": 6, "additionalGids": [7], "umask": 23},
    "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 10, "hard": 20}],
}
CONFIG = {"root": {"path": "rootfs"}, "process": PROCESS}


def test_a_file_says_all_of_the_program():
    app = program.from_text(json.dumps(PROCESS), "file")
    assert app == App(
        ("/bin/sh", "-c", "exit 3"), ("A=1",), "/tmp", 5, 6, (7,), 0o27, (("RLIMIT_NOFILE", 10, 20),)
    )


def test_a_terminal_has_the_size_that_the_file_says_or_none_yet():
    size = {"consoleSize": {"height": 30, "width": 90}}
    assert program.from_text(json.dumps({**PROCESS, "terminal": True, **size}), "f").terminal == (30, 90)
    assert program.from_text(json.dumps({**PROCESS, "terminal": True}), "f").terminal == (0, 0)
    assert program.from_text(json.dumps({**PROCESS, **size}), "f").terminal is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "f is not valid JSON"),
        ("[]", "f is not a JSON object"),
        ("{}", "f: args is missing"),
        ('{"args": ["a"], "cwd": 1}', "f: cwd must be of type str"),
        ('{"args": ["a"], "user": {"uid": -1}}', "f: user.uid is -1"),
    ],
)
def test_a_file_that_is_wrong_is_refused_by_the_name_of_its_key(text, message):
    with pytest.raises(BundleError, match=message.replace("[", r"\[")):
        program.from_text(text, "f")


def test_options_change_what_the_container_has():
    own = bundle.from_text(json.dumps(CONFIG), "/bundle")
    app = program.from_options(own, ("id",))
    assert (app.env, app.cwd, app.uid, app.gid, app.groups, app.umask) == (("A=1",), "/tmp", 5, 6, (7,), 0o27)
    app = program.from_options(own, ("id",), env=("B=2",), cwd="/", user="8:9", groups=("1",), terminal=True)
    assert (app.env, app.cwd, app.uid, app.gid, app.groups) == (("A=1", "B=2"), "/", 8, 9, (7, 1))
    assert app.terminal == (0, 0)


@pytest.mark.parametrize("user", ["root", "1:x", "-1", "4294967295", "9" * 5000])
def test_a_user_is_a_number(user):
    own = bundle.from_text(json.dumps(CONFIG), "/bundle")
    with pytest.raises(UsageError, match="--user"):
        program.from_options(own, ("id",), user=user)


def test_the_guest_is_told_of_the_program_and_nothing_else():
    text = program.render(program.from_text(json.dumps(PROCESS), "f")).decode()
    keys = [line.split(" ")[0] for line in text.splitlines() if line.split(" ")[0].isalpha()]
    assert text.startswith("urunc 2\narg 7\n/bin/sh\n")
    assert {"report", "stdio", "stopsignal", "control"}.isdisjoint(keys)


def test_the_command_line_ends_where_the_program_begins():
    call = cli.parse(["exec", "-t", "-e", "A=1", "--env", "B=2", "--user=1", "c1", "ls", "-l", "--detach"])
    assert call.options == {
        "tty": True, "env": ("A=1", "B=2"), "user": "1", "id": "c1", "args": ("ls", "-l", "--detach")
    }  # fmt: skip


def test_the_command_lines_of_engines_are_understood():
    words = [
        "exec",
        "--process",
        "/tmp/p",
        "--detach",
        "--pid-file",
        "/run/p",
        "--console-socket",
        "/s",
        "c1",
    ]
    call = cli.parse(words)
    assert call.options == {
        "process": "/tmp/p", "detach": True, "pid_file": "/run/p", "console_socket": "/s", "id": "c1",
        "args": (),
    }  # fmt: skip
