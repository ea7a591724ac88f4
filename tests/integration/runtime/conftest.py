# SPDX-License-Identifier: Apache-2.0
"""A bundle, a monitor that only reports, and the real runtime between them."""

from __future__ import annotations

import base64
import ctypes
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from capabilities import ROOT, require
from private import empty, private_cgroups

from urunc import monitors

PREFIX = "com.urunc.unikernel."
FAKE = Path(__file__).with_name("fake_monitor.py")
LAUNCHER = ROOT / ".venv/bin/urunc"
PR_SET_CHILD_SUBREAPER = 36
TIMEOUT_S = 30
NAMESPACES = ("pid", "ipc", "uts", "mount", "network")


class Bundle:
    """A directory with a config.json that a test can change before it is used."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rootfs = path / "rootfs"
        self.rootfs.mkdir(parents=True)
        (self.rootfs / "kernel.elf").write_bytes(b"\x7fELF")
        self.config = {
            "ociVersion": "1.0.2",
            "process": {"cwd": "/", "args": ["wait"], "env": ["SECRET=1"], "user": {"uid": 0, "gid": 0}},
            "root": {"path": "rootfs"},
            "linux": {"namespaces": [{"type": kind} for kind in NAMESPACES]},
        }
        self.image = {"unikernelType": "generic", "hypervisor": "qemu", "binary": "/kernel.elf"}

    def write(self) -> None:
        (self.path / "config.json").write_text(json.dumps(self.config))
        if self.image is not None:
            stored = {
                PREFIX + key: base64.b64encode(value.encode()).decode() for key, value in self.image.items()
            }
            (self.rootfs / "urunc.json").write_text(json.dumps(stored))


class Runtime:
    """The command, with a state root and a configuration of its own."""

    def __init__(self, folder: Path) -> None:
        self.launcher = LAUNCHER
        self.root = folder / "state"
        self.output = folder / "output"
        self.log = folder / "log.json"
        configuration = folder / "config.toml"
        configuration.write_text('[monitors.qemu]\naccel = "tcg"\n')
        # In a bin directory, like any program: its tree comes with it into the monitor's root.
        self.programs = folder / "monitor" / "bin"
        self.programs.mkdir(parents=True)
        self.install("qemu")
        folder.chmod(0o755)
        self.environment = {
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "URUNC_CONFIG_FILE": str(configuration),
        }
        self.ids: list[str] = []
        self.before = _cgroups()

    def install(self, monitor: str) -> None:
        """Put the fake one in the place of a monitor."""
        shutil.copy(FAKE, self.programs / monitors.load(monitor).BINARY["x86_64"])

    def use_shell_as_monitor(self) -> None:
        """For tests that look at the process itself: Python changes its signals, and we run in it, too."""
        monitor = self.programs / "qemu-system-x86_64"
        monitor.write_text("#!/bin/sh\nwhile :; do sleep 1; done\n")

    def argv(self, *words: str) -> list[str]:
        return [
            str(self.launcher),
            "--root",
            str(self.root),
            "--log",
            str(self.log),
            "--log-format",
            "json",
            *words,
        ]

    def __call__(self, *words: str, check: bool = True, **options) -> subprocess.CompletedProcess[str]:
        """Run one verb; its container's output goes to a file, as an engine would arrange it."""
        # Files, not pipes: the container keeps these streams.
        with self.output.open("ab") as output, (self.root.parent / "stderr").open("w+") as errors:
            done = subprocess.run(
                self.argv(*words),
                stdin=subprocess.DEVNULL,
                stdout=output if words[0] in ("create", "run") else subprocess.PIPE,
                stderr=errors,
                env=self.environment,
                text=True,
                timeout=TIMEOUT_S,
                check=False,
                **options,
            )
            errors.seek(0)
            done.stderr = errors.read()
        if check and done.returncode:
            raise AssertionError(f"{words}: {done.stderr}")
        return done

    def create(self, bundle: Bundle, container_id: str = "c1", *words: str, check: bool = True, **options):
        bundle.write()
        self.ids.append(container_id)
        return self("create", "--bundle", str(bundle.path), *words, container_id, check=check, **options)

    def fails(self, *words: str) -> str:
        """What a failing verb says, which must be one sentence, in the log and on stderr alike."""
        done = self(*words, check=False)
        return self.said(done)

    def said(self, done: subprocess.CompletedProcess[str]) -> str:
        assert done.returncode == 1, done
        assert "Traceback" not in done.stderr
        record = json.loads(self.log.read_text().splitlines()[-1])
        assert record["level"] == "error"
        assert done.stderr.strip().splitlines()[-1] == f"urunc: {record['msg']}"
        return record["msg"]

    def state(self, container_id: str = "c1") -> dict[str, object]:
        return json.loads(self("state", container_id).stdout)

    def report(self) -> dict[str, object]:
        """What the monitor found."""
        deadline = time.monotonic() + TIMEOUT_S
        while not (text := self.output.read_text()).endswith("\n"):
            assert time.monotonic() < deadline, f"the monitor says nothing: {text!r}"
            time.sleep(0.01)
        return json.loads(text.splitlines()[-1])

    def wait_for(self, status: str, container_id: str = "c1") -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while self.state(container_id)["status"] != status:
            assert time.monotonic() < deadline, f"{container_id} never becomes {status}"
            time.sleep(0.01)

    def leftovers(self) -> list[str]:
        """State directories, cgroups and processes of our containers that were not there before."""
        states = [str(path) for path in self.root.glob("*")] + [str(path) for path in self.root.glob(".*")]
        cgroups = [path for path in _cgroups() - self.before if Path(path).name in self.ids]
        return cgroups + states + _processes(str(self.root))


def _cgroups() -> set[str]:
    # os.walk does not mind when other cgroups go away meanwhile.
    return {path for path, _, _ in os.walk("/sys/fs/cgroup")}


def _processes(mark: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if mark in command:
            found.append(f"{path.parent.name}: {command}")
    return found


@pytest.fixture(autouse=True)
def _as_root():
    require("root")


@pytest.fixture(autouse=True, scope="module")
def _own_host():
    """Others run containers of the same names: these tests in another checkout, say."""
    require("root")
    with private_cgroups():
        empty(Path("/run/urunc"))
        yield


@pytest.fixture(autouse=True, scope="session")
def _subreaper():
    """Containers become our children when the runtime exits, as they become an engine's."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


@pytest.fixture
def bundle(tmp_path):
    return Bundle(tmp_path / "bundle")


@pytest.fixture
def urunc(tmp_path):
    runtime = Runtime(tmp_path)
    yield runtime
    for container_id in runtime.ids:
        runtime("delete", "--force", container_id, check=False)
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                break
        except ChildProcessError:
            break
    assert runtime.leftovers() == []
