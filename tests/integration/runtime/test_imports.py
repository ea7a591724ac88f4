# SPDX-License-Identifier: Apache-2.0
"""What the verbs that an engine calls load: nothing that costs more than the verb."""

import subprocess
import sys

import profiles
import pytest
import sample_guests
from capabilities import ROOT

from urunc_common.rules import PAIRS

SOURCES = [str(ROOT / "packages" / name / "src") for name in ("runtime", "common")]
# C modules in files of their own that each cost a fraction of a millisecond.
CHEAP = {"_json", "_ctypes", "_blake2"}
OURS = ("urunc", "urunc_common")
# Every process reports what it has loaded when it ends or becomes the monitor.
RECORDING = f"""
import sys
sys.path[:0] = {SOURCES!r}
import posix
# Opened now: the first process reports from the monitor's root.
record = posix.open(posix.environ[b"RECORD"], posix.O_WRONLY | posix.O_APPEND | posix.O_CREAT, 0o644)
def reporting(function):
    def call(*arguments):
        posix.write(record, " ".join(sys.modules).encode() + bytes([10]))
        return function(*arguments)
    return call
posix._exit, posix.execve = reporting(posix._exit), reporting(posix.execve)
from urunc.cli import main
main()
"""


def fresh():
    command = [sys.executable, "-IS", "-c", "import sys; print(*sys.modules)"]
    return set(subprocess.check_output(command, text=True).split())


@pytest.mark.parametrize(
    ("monitor", "guest"), [(monitor, guest) for monitor, guests in PAIRS.items() for guest in guests]
)
def test_the_verbs_load_only_their_own_modules(urunc, bundle, tmp_path, monitor, guest):
    record = tmp_path / "record"
    launcher = tmp_path / "launcher"
    launcher.write_text(f"#!{sys.executable} -IS\n{RECORDING}")
    launcher.chmod(0o755)
    urunc.launcher = launcher
    urunc.environment["RECORD"] = str(record)
    urunc.install(monitor)
    bundle.image.update(unikernelType=guest, hypervisor=monitor)
    bundle.config["process"]["args"] = ["wait"]
    if sample_guests.root(guest):
        (bundle.rootfs / "app").write_bytes(b"application")
        bundle.image["initrd"] = "/app"
    bundle.config["linux"]["seccomp"] = profiles.DOCKER
    bundle.config["linux"]["resources"] = {
        "devices": [{"allow": False, "access": "rwm"}],
        "memory": {"limit": 1 << 31},
        "cpu": {"shares": 512},
    }
    urunc.create(bundle)
    urunc("delete", "--force", "c1")  # whoever is first compiles the configuration and the profile
    record.unlink()
    urunc.create(bundle)
    urunc("state", "c1")
    urunc("start", "c1")
    for words in (("pause",), ("resume",), ("update", "--pids-limit", "99")):
        urunc(*words, "c1", check=False)  # nor do they stand still there
    urunc("kill", "c1", "KILL", check=False)  # no interpreter lives under the list for hvt
    urunc.wait_for("stopped")
    urunc("delete", "c1")
    loaded = [set(line.split()) for line in record.read_text().splitlines()]
    assert len(loaded) >= 9, "create, its first process, state, start, pause, resume, update, kill and delete"
    allowed = fresh() | set(sys.builtin_module_names) | CHEAP | {"__future__"}
    foreign = {name for modules in loaded for name in modules - allowed if name.split(".")[0] not in OURS}
    assert foreign == set()


def test_the_recording_would_show_a_slow_module(urunc, tmp_path):
    record = tmp_path / "record"
    urunc.launcher = tmp_path / "launcher"
    urunc.launcher.write_text(
        f"#!{sys.executable} -IS\n{RECORDING.replace('import posix', 'import posix, re', 1)}"
    )
    urunc.launcher.chmod(0o755)
    urunc.environment["RECORD"] = str(record)
    urunc("delete", "--force", "nobody")
    assert "re" in record.read_text().split()
