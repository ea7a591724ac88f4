# SPDX-License-Identifier: Apache-2.0
"""Many containers at the same time do not get in each other's way."""

from __future__ import annotations

import json
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

COUNT, WORKERS = 200, 16
PATIENCE_S = 60


def verb(urunc, *words):
    """Run one, like `urunc` itself, but with files that no other thread writes."""
    folder = urunc.root.parent / "crowd"
    with (folder / f"{words[-1]}.out").open("w+") as said:
        done = subprocess.run(
            urunc.argv(*words), stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=urunc.environment,
            check=False, timeout=PATIENCE_S,
        )  # fmt: skip
        said.seek(0)
        assert done.returncode == 0, (words, said.read())
        said.seek(0)
        return said.read()


def status(urunc, name):
    return json.loads(verb(urunc, "state", name))["status"]


def live(urunc, bundle, name):
    """The whole life of one container; what `state` says in between."""
    verb(urunc, "create", "--bundle", str(bundle.path), name)
    found = [status(urunc, name)]
    verb(urunc, "start", name)
    found.append(status(urunc, name))
    subprocess.run(urunc.argv("kill", name, "KILL"), env=urunc.environment, check=True)
    deadline = time.monotonic() + PATIENCE_S
    while status(urunc, name) != "stopped" and time.monotonic() < deadline:
        time.sleep(0.02)
    found.append(status(urunc, name))
    verb(urunc, "delete", name)
    return found


def test_two_hundred_lives_by_sixteen_workers_go_as_one_does(urunc, bundle):
    urunc.use_shell_as_monitor()
    bundle.write()
    (urunc.root.parent / "crowd").mkdir()
    urunc.ids += [f"crowd{number}" for number in range(COUNT)]
    urunc.create(bundle, "first")  # so that the cgroup above them stays
    before = set(urunc.leftovers())
    with ThreadPoolExecutor(WORKERS) as workers:
        lives = list(workers.map(lambda number: live(urunc, bundle, f"crowd{number}"), range(COUNT)))
    assert lives == [["created", "running", "stopped"]] * COUNT
    assert urunc("list", "--quiet").stdout.split() == ["first"]
    assert set(urunc.leftovers()) == before
