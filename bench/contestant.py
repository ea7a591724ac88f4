# SPDX-License-Identifier: Apache-2.0
"""A runtime in a race: its bundle, its state, and its command lines."""

from __future__ import annotations

import ctypes
import os
import time
from typing import TYPE_CHECKING

import bundles

if TYPE_CHECKING:
    from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
VERBS = ("create", "start", "state", "kill", "delete")
Timed = dict[str, dict[str, list[float]]]


def adopt_orphans() -> None:
    """Containers become children of this process, as they become the shim's."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Contestant:
    """A runtime with a bundle and a state root of its own."""

    def __init__(self, name: str, path: str, folder: Path, kind: str, program: str = "wait") -> None:
        self.name, self._folder = name, folder / f"{name}-{kind}"
        self._command = [path, "--root", str(self._folder / "state")]
        bundles.write(self._folder, folder, kind, name, program)
        self._environment = {"PATH": os.environ["PATH"], "URUNC_CONFIG_FILE": str(folder / "config.toml")}

    def run(self, verb: str, container: str) -> float:
        """Seconds that a command takes.  Raises RuntimeError if it fails."""
        begin = time.perf_counter()
        _, status = os.waitpid(self.begin(verb, container), 0)
        taken = time.perf_counter() - begin
        self.check(status)
        return taken

    def begin(self, verb: str, container: str) -> int:
        """The pid of a command that runs."""
        argv, said = [*self._command, *self._words(verb, container)], str(self._folder / f"said-{container}")
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
        ]
        return os.posix_spawn(argv[0], argv, self._environment, file_actions=actions)

    def check(self, status: int) -> None:
        """Raises RuntimeError for the wait status of a command that failed, with what it said."""
        if status:
            said = max(self._folder.glob("said-*"), key=lambda file: file.stat().st_mtime)
            raise RuntimeError(f"{self.name}: {said.read_text()}")

    def end(self, container: str) -> None:
        """Kill a container and delete it."""
        self.run("kill", container)
        os.waitpid(self.pid(container), 0)
        self.run("delete", container)

    def pid(self, container: str) -> int:
        """Of the container's process."""
        return int((self._folder / f"pid-{container}").read_text())

    def _words(self, verb: str, container: str) -> list[str]:
        if verb == "create":
            pid_file = str(self._folder / f"pid-{container}")
            return ["create", "--bundle", str(self._folder), "--pid-file", pid_file, container]
        return [verb, container, *(["KILL"] if verb == "kill" else [])]
