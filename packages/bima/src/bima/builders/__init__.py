# SPDX-License-Identifier: Apache-2.0
"""Programs that can do what RUN says: a module with `build` per program, one line here; the first is best."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from bima.errors import BuilderError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bima.instruction import Line
    from bima.sources import Source

BUILDERS = ("buildah", "podman", "docker")


@dataclass(frozen=True)
class Job:
    """A file that ends with the stage to build, and what it needs; the image goes into `work`."""

    file: Path
    context: Path
    stage: str
    work: Path
    platform: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict)
    quiet: bool = False

    @property
    def options(self) -> list[str]:
        """What all of the programs call by the same name."""
        chosen = ["--platform", self.platform] if self.platform else []
        for name, value in self.arguments.items():
            chosen += ["--build-arg", f"{name}={value}"]
        return ["--file", str(self.file), "--iidfile", str(self.iidfile), *chosen, str(self.context)]

    @property
    def iidfile(self) -> Path:
        """Where the program writes which image it made."""
        return self.work / "iid"


class Build(Protocol):
    """Build the stage; where its image is then."""

    def __call__(self, job: Job) -> Source: ...


def find(wanted: str, line: Line) -> Build:
    """The program that is wanted, or the first that is installed."""
    for name in (wanted,) if wanted else BUILDERS:
        if shutil.which(name):
            build: Build = import_module(f"bima.builders.{name}").build
            return build
    names = wanted or f"{', '.join(BUILDERS[:-1])} or {BUILDERS[-1]}"
    raise line.error(
        f"RUN takes {names}, which is not installed",
        f"install it, or make beforehand what the line makes, and COPY it: {line.text.splitlines()[0][:60]}",
    )


def call(job: Job, *argv: str) -> None:
    """Run the program; what it says is progress, or else the reason why it failed."""
    output = subprocess.PIPE if job.quiet else sys.stderr.fileno()
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        said = (done.stdout or "").strip().splitlines()
        raise BuilderError(
            f"{argv[0]} cannot build stage {job.stage}{': ' if said else ''}{said[-1] if said else ''}",
            hint="it says above why" if not said else "",
        )


def image(job: Job) -> str:
    """The image that was made."""
    return job.iidfile.read_text().strip()
