# SPDX-License-Identifier: Apache-2.0
"""bima as its users run it, and what its containers may leave behind."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from capabilities import ROOT, SEARCH
from daemons import run
from e2e import examples
from e2e.leftovers import Leftovers
from e2e.waiting import eventually
from private import empty, private_mounts

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTAINERS = Path("/var/lib/bima/containers")
RUNTIME = Path("/run/bima/urunc")
NAMESPACES = Path("/run/netns")
# Control groups are the same for whoever else uses bima on this machine.
MARK = f"e2e{os.getpid()}"
ONE = f"{MARK}-one"
HELLO, LINUX = (f"docker.io/library/{MARK}-{name}:example" for name in ("hello", "linux-httpd"))


@dataclass(frozen=True)
class Bima:
    """The command with a store and a configuration of the tests' own."""

    builder: examples.Builder
    path: str = SEARCH

    def argv(self, *words: str) -> list[str]:
        variables = {
            "HOME": self.builder.folder,
            "XDG_DATA_HOME": self.builder.folder,
            "URUNC_CONFIG_FILE": self.builder.folder / "config.toml",
            "PATH": self.path,
        }
        settings = [f"{name}={value}" for name, value in variables.items()]
        return ["env", "-i", *settings, str(ROOT / ".venv/bin/bima"), *words]

    def __call__(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return run(*self.argv(*words), check=check)

    @contextmanager
    def started(self, *words: str, stdin: int = subprocess.DEVNULL) -> Iterator[subprocess.Popen[str]]:
        """Start it; it is ended by force if the test has not done so."""
        process = subprocess.Popen(
            self.argv(*words), stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe:
                    pipe.close()

    def logged(self, name: str, text: str) -> None:
        """Wait until a container in the background has printed something."""
        eventually(lambda: text in self("logs", name).stdout, f"output of {name}")

    def running(self) -> list[str]:
        """The names of the containers that run."""
        return self("ps", "--quiet").stdout.split()

    def remove_all(self) -> None:
        """Take away what a failed test left."""
        for name in self("ps", "--all", "--quiet").stdout.split():
            self("rm", "--force", name)


@contextmanager
def private_state() -> Iterator[None]:
    """This process, and what it starts, knows no container of bima but its own."""
    with private_mounts():
        for folder in (CONTAINERS.parent, RUNTIME.parent, NAMESPACES):
            empty(folder)
        CONTAINERS.mkdir()
        (CONTAINERS / ".lock").touch()  # stays
        yield


def leftovers() -> Leftovers:
    """A snapshot of the host."""
    return Leftovers("bima", CONTAINERS, (CONTAINERS, RUNTIME), MARK)


def sample(folder: Path) -> Bima:
    """bima with both examples in its store."""
    builder = examples.Builder(folder)
    (folder / "config.toml").write_text(examples.TCG)
    builder.build("hello", HELLO)
    builder.build("linux-httpd", LINUX)
    return Bima(builder)


def read_until(process: subprocess.Popen[str], text: str) -> None:
    """Read what it prints, up to the line with `text`."""
    assert process.stdout
    for line in process.stdout:
        if text in line:
            return
    raise AssertionError(f"it ended without {text!r}")


def path_with(folder: Path, *names: str) -> str:
    """A PATH that has nothing but these programs."""
    folder.mkdir()
    for name in names:
        found = next(path for path in SEARCH.split(os.pathsep) if os.access(f"{path}/{name}", os.X_OK))
        (folder / name).symlink_to(f"{found}/{name}")
    return str(folder)
