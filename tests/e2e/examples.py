# SPDX-License-Identifier: Apache-2.0
"""The repository's examples as a newcomer builds them: their build script, then bima."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from capabilities import ROOT
from daemons import run

if TYPE_CHECKING:
    from pathlib import Path

HELLO = "docker.io/library/hello:example"
LINUX = "docker.io/library/linux-httpd:example"
SHIM = "containerd-shim-urunc-v2"
TCG = '[monitors.qemu]\naccel = "tcg"\n'  # the same everywhere, and where /dev/kvm only pretends


def context(name: str) -> Path:
    """The folder of an example."""
    return ROOT / "examples" / name


def expected(name: str) -> str:
    """What the example prints or serves; a star stands for any text."""
    return (context(name) / "expected").read_text()


@dataclass(frozen=True)
class Builder:
    """bima, with a store of its own in `folder`."""

    folder: Path

    def bima(self, *words: str) -> str:
        """Run bima and return what it printed."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "XDG_DATA_HOME": str(self.folder),
        }
        return run(str(ROOT / ".venv/bin/bima"), *words, env=environment).stdout

    def build(self, name: str, image: str, *options: str) -> str:
        """Build an example, and return the digest of its image."""
        run(str(context(name) / "build"))
        return self.bima("build", "--tag", image, *options, str(context(name))).strip()

    def archive(self, name: str, image: str) -> Path:
        """Build an example as a file that containerd and docker load."""
        path = self.folder / f"{name}.tar"
        self.build(name, image, "--output", f"oci-archive:{path}")
        return path

    def exposing(self, image: str, *ports: str) -> Path:
        """The example's web server as an image that declares these ports, as a file."""
        file, path = self.folder / "Exposing", self.folder / "exposing.tar"
        lines = (context("linux-httpd") / "Containerfile").read_text()
        file.write_text(f"{lines}EXPOSE {' '.join(ports)}\n")
        words = ("--tag", image, "--output", f"oci-archive:{path}", "--file", str(file))
        self.bima("build", *words, str(context("linux-httpd")))
        return path


def runtime(folder: Path, settings: str = TCG) -> Path:
    """A folder with `urunc` and its shim as they are installed, but configured for the tests."""
    config, command = folder / "config.toml", folder / "urunc"
    config.write_text(settings)
    command.write_text(f'#!/bin/sh\nURUNC_CONFIG_FILE={config} exec {ROOT}/.venv/bin/urunc "$@"\n')
    command.chmod(0o755)
    run(str(ROOT / "scripts/shim"), str(folder / SHIM), str(command), str(folder / "shim"))
    return folder
