# SPDX-License-Identifier: Apache-2.0
"""urunc, as bima calls it: found beside bima or in PATH, its state in a directory of our own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bima import places
from bima.errors import ContainerError

if TYPE_CHECKING:
    from bima.container import Container

PROGRAM = "urunc"
RUNNING = "running"
_UNKNOWN = "does not exist"


@dataclass(frozen=True)
class Runtime:
    """The program, by its path."""

    program: str

    def run_argv(self, container: Container, *options: str) -> list[str]:
        """The command that runs the container's bundle."""
        log = ["--log", str(container.path / "runtime.log")]
        bundle = ["--bundle", str(container.path)]
        return [self.program, "--root", str(places.state()), *log, "run", *bundle, *options, container.name]

    def status(self, name: str) -> str:
        """What state the runtime's container is in; empty if there is none."""
        if not (places.state() / name).is_dir():
            return ""
        try:
            status: str = json.loads(self._call("state", name))["status"]
        except ContainerError as error:
            if _UNKNOWN in str(error):
                return ""
            raise
        return status

    def kill(self, name: str, signal: str) -> None:
        """Send a signal."""
        self._call("kill", name, signal)

    def delete(self, name: str) -> None:
        """Remove what there is of the container, alive or not."""
        if (places.state() / name).is_dir():
            self._call("delete", "--force", name)

    def _call(self, *words: str) -> str:
        argv = [self.program, "--root", str(places.state()), "--log", "/dev/null", *words]
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ContainerError(done.stderr.strip() or f"{' '.join(argv)}: status {done.returncode}")
        return done.stdout


def find() -> Runtime:
    """The urunc that was installed with this bima, else the one in PATH."""
    beside = Path(sys.argv[0]).resolve().parent
    program = shutil.which(PROGRAM, path=str(beside)) or shutil.which(PROGRAM)
    if program is None:
        raise ContainerError(
            f"{PROGRAM}, which boots unikernels, is neither beside bima nor in PATH", hint="install it"
        )
    return Runtime(program)
