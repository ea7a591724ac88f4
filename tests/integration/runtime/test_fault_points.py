# SPDX-License-Identifier: Apache-2.0
"""A verb that is killed before any of its system calls that change something loses no container."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections import Counter

import pytest
from capabilities import require

pytestmark = pytest.mark.last

# Other calls leave nothing behind, so what is between two of these is one place to be killed at.
CHANGES = (
    "bind", "chmod", "chown", "clone3", "exit_group", "fchmod", "fchown", "flock", "kill", "listen", "mkdir",
    "mknod", "mknodat", "pidfd_send_signal", "rename", "rmdir", "setns", "symlink", "unlink", "unlinkat",
    "write",
)  # fmt: skip
PATIENCE_S = 20
CALL = re.compile(r"^(\w+)\(")


def run(urunc, words, *options):
    """Under strace, which traces the verb and not the processes that it starts; how it ended."""
    command = ["strace", "-qq", "-o", str(urunc.root.parent / "trace"), *options, *urunc.argv(*words)]
    with urunc.output.open("ab") as output:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=urunc.environment,
            check=False, timeout=60,
        ).returncode  # fmt: skip


def points(urunc, words):
    """Each call from the first one on that concerns the state: its name, and the how-manieth it is."""
    assert run(urunc, words, "-e", "trace=" + ",".join(f"?{name}" for name in CHANGES)) == 0
    calls: Counter[str] = Counter()
    found = []
    for line in (urunc.root.parent / "trace").read_text().splitlines():
        if call := CALL.match(line):
            calls[call[1]] += 1
            if found or str(urunc.root) in line or call[1] == "flock":
                found.append((call[1], calls[call[1]]))
    return found


def left(urunc, before):
    """What is left; a first process that nobody waits for any more ends by itself, in its own time."""
    deadline = time.monotonic() + PATIENCE_S
    while (found := set(urunc.leftovers()) - before) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


def prepare(urunc, bundle, verb):
    """Whatever comes before the verb; the words of the verb."""
    bundle.write()
    if verb != "create":
        urunc.create(bundle)
    if verb == "delete":
        urunc("start", "c1")
        urunc("kill", "c1", "KILL")
        urunc.wait_for("stopped")
    return ("create", "--bundle", str(bundle.path), "c1") if verb == "create" else (verb, "c1")


@pytest.mark.parametrize("verb", ["create", "start", "delete"])
def test_a_verb_killed_anywhere_leaves_what_list_shows_and_delete_removes(urunc, bundle, verb):
    require("strace")
    urunc.ids.append("c1")
    urunc.use_shell_as_monitor()
    # While another one is there, so are the cgroups above, and each run makes the same calls.
    urunc.create(bundle, "c0")
    before = set(urunc.leftovers())
    found = points(urunc, prepare(urunc, bundle, verb))
    urunc("delete", "--force", "c1")
    assert len(found) > 3, "they are more than that"
    for name, number in found:
        words = prepare(urunc, bundle, verb)
        killed = run(urunc, words, "-e", f"trace={name}", "-e", f"inject={name}:signal=KILL:when={number}")
        assert killed == -signal.SIGKILL, (name, number)
        shown = urunc("list", "--quiet").stdout.split()
        visible = [path for path in urunc.root.iterdir() if not path.name.startswith(".")]
        assert sorted(path.name for path in visible) == shown, (name, number)
        if "c1" not in shown:
            halves = f"{urunc.root}/.c1."
            assert all(one.startswith(halves) for one in left(urunc, before)), (name, number)
        urunc("delete", "--force", "c1")
        assert left(urunc, before) == set(), (name, number)
