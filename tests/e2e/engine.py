# SPDX-License-Identifier: Apache-2.0
"""One namespace of a private containerd, as its clients `ctr` and `nerdctl` see it."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from capabilities import cni_folder, program
from daemons import run
from e2e.leftovers import Leftovers

if TYPE_CHECKING:
    import subprocess

    from servers import Containerd

RUNTIME_ROOT = Path("/run/containerd/runc")  # where the shim has the runtime keep its state


@dataclass(frozen=True)
class Engine:
    """All commands speak of `namespace`, whose name nobody else on this machine uses."""

    server: Containerd
    namespace: str

    @property
    def directory(self) -> Path:
        """The server's folder."""
        return self.server.directory

    @property
    def cni(self) -> Path:
        """The folder of the network configurations that nerdctl knows."""
        return self.directory / "cni"

    @property
    def hosts(self) -> Path:
        """The folder that says how registries are reached: NAME/hosts.toml."""
        return self.directory / "hosts"

    def ctr_argv(self, *words: str) -> list[str]:
        return ["ctr", "--address", self.server.address, "--namespace", self.namespace, *words]

    def nerdctl_argv(self, *words: str) -> list[str]:
        options = {
            "address": self.server.address,
            "namespace": self.namespace,
            "data-root": self.directory / "nerdctl",
            "cni-netconfpath": self.cni,
            "cni-path": cni_folder(),
            "hosts-dir": self.hosts,
        }
        return [
            program("nerdctl") or "nerdctl",
            *(f"--{key}={value}" for key, value in options.items()),
            *words,
        ]

    def ctr(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return run(*self.ctr_argv(*words), check=check)

    def nerdctl(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return run(*self.nerdctl_argv(*words), check=check)

    def address_of(self, container: str) -> str:
        """A container's address on its bridge."""
        found = json.loads(self.nerdctl("inspect", container).stdout)[0]
        address: str = found["NetworkSettings"]["IPAddress"]
        return address

    def tasks(self) -> dict[str, str]:
        """Container id -> RUNNING, CREATED or STOPPED."""
        lines = self.ctr("tasks", "ls").stdout.splitlines()[1:]
        return {line.split()[0]: line.split()[2] for line in lines}

    def leftovers(self) -> Leftovers:
        """A snapshot of the host."""
        bundles = self.directory / "state/io.containerd.runtime.v2.task" / self.namespace
        return Leftovers(self.namespace, self.directory, (RUNTIME_ROOT / self.namespace, bundles))

    def remove_all(self) -> None:
        """Take away what a failed test left, so that the next one starts clean."""
        for name in self.tasks():
            self.ctr("tasks", "rm", "--force", name, check=False)
        for name in self.ctr("containers", "ls", "--quiet").stdout.split():
            self.ctr("containers", "rm", name, check=False)

    def remove_parents(self) -> None:
        """The empty folders that runc and the shim make once for a namespace, and keep."""
        top = Path("/sys/fs/cgroup")
        empty = (RUNTIME_ROOT / self.namespace, *top.glob(self.namespace), *top.glob(f"*/{self.namespace}"))
        for folder in empty:
            with suppress(FileNotFoundError):
                folder.rmdir()
