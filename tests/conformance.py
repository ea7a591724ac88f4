# SPDX-License-Identifier: Apache-2.0
"""Who makes a process out of a config.json: urunc with a monitor that only waits, and runc with an ordinary
program, so that a test of the first is known to test something.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

NAMESPACES = ("pid", "ipc", "uts", "mount", "network", "cgroup")
PATIENCE_S = 20


class Process:
    """What /proc says of a process."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def text(self, name: str) -> str:
        return Path(f"/proc/{self.pid}/{name}").read_text()

    def status(self, name: str) -> str:
        lines = (line.partition(":") for line in self.text("status").splitlines())
        return next(value.strip() for key, _, value in lines if key == name)

    def capabilities(self) -> dict[str, int]:
        return {name: int(self.status(f"Cap{name}"), 16) for name in ("Inh", "Prm", "Eff", "Bnd", "Amb")}

    def limit(self, name: str) -> list[str]:
        """Soft and hard."""
        line = next(line for line in self.text("limits").splitlines() if line.startswith(name))
        return line.removeprefix(name).split()[:2]

    def namespace(self, kind: str) -> str:
        return os.readlink(f"/proc/{self.pid}/ns/{kind}")

    def inside(self, kind: str, *command: str) -> str:
        """What a command of the host says in one of its namespaces."""
        words = ["nsenter", f"--{kind}=/proc/{self.pid}/ns/{kind}", *command]
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()

    def root_mount(self) -> str:
        """The line of its mount table for its root."""
        return next(line for line in self.text("mountinfo").splitlines() if line.split()[4] == "/")


class Runc:
    """The bundle of an ordinary container, and who runs it."""

    name = "runc"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bundle, self.rootfs = folder / "ordinary", folder / "ordinary/rootfs"
        (self.rootfs / "bin").mkdir(parents=True)
        (self.rootfs / "proc").mkdir()
        shutil.copy("/bin/busybox", self.rootfs / "bin/sleep")
        self.config = example(["sleep", "600"])
        self.config["mounts"] = [{"destination": "/proc", "type": "proc", "source": "proc"}]
        self.ids: list[str] = []
        self.command = ["runc"]

    def __call__(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        # Files, not pipes: the container keeps these streams.
        with (self.folder / "runc.log").open("w+") as said:
            argv = [*self.command, "--root", str(self.folder / "runc"), *words]
            done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=said, stderr=said, check=False)
            said.seek(0)
            output = said.read()
        assert not (check and done.returncode), output
        return subprocess.CompletedProcess(argv, done.returncode, output, output)

    def start(self, *, check: bool = True) -> Process | str:
        """The process, or what the runtime says instead."""
        (self.bundle / "config.json").write_text(json.dumps(self.config))
        container_id = f"test-{os.getpid()}-{time.monotonic_ns()}"
        self.ids.append(container_id)
        done = self("create", "--bundle", str(self.bundle), container_id, check=check)
        if done.returncode:
            return done.stdout
        self("start", container_id)
        return _settled(json.loads(self("state", container_id).stdout)["pid"], "sleep")

    def end(self) -> None:
        for container_id in self.ids:
            self("delete", "--force", container_id, check=False)


class Urunc:
    """The same for a unikernel."""

    name = "urunc"

    def __init__(self, runtime, bundle) -> None:
        self.runtime, self.bundle, self.rootfs = runtime, bundle, bundle.rootfs
        runtime.use_shell_as_monitor()
        bundle.config.update(example(["wait"]))
        self.config = bundle.config

    def start(self, *, check: bool = True) -> Process | str:
        done = self.runtime.create(self.bundle, check=check)
        if done.returncode:
            return self.runtime.said(done)
        done = self.runtime("start", "c1", check=check)
        if done.returncode:
            return self.runtime.said(done)
        return _settled(self.runtime.state()["pid"], "sh")

    def end(self) -> None:
        """The fixture of the runtime removes what there is."""


def example(args: list[str]) -> dict:
    return {
        "ociVersion": "1.0.2",
        "process": {"cwd": "/", "args": args, "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0}},
        "root": {"path": "rootfs"},
        "linux": {"namespaces": [{"type": kind} for kind in NAMESPACES]},
    }


def _settled(pid: int, program: str) -> Process:
    """Once it executes what it was made for."""
    deadline = time.monotonic() + PATIENCE_S
    while program not in Path(f"/proc/{pid}/cmdline").read_text().replace("urunc", ""):
        assert time.monotonic() < deadline, f"{pid} never becomes {program}"
        time.sleep(0.005)
    return Process(pid)
