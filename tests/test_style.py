# SPDX-License-Identifier: Apache-2.0
"""The import rules of the runtime, as tests.

The core touches nothing, guests and monitors do not know each other, and what runs for every container loads
no slow module.  Loading is looked at in a fresh interpreter, which is deterministic, unlike a timing.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from sample_guests import arguments, root

from urunc_common import rules

ROOT = Path(__file__).parents[1]
RUNTIME = ROOT / "packages/runtime/src/urunc"
COMMON = ROOT / "packages/common/src/urunc_common"
SOURCES = [str(COMMON.parent), str(RUNTIME.parent)]

PURE = (
    "capabilities.py", "dbus.py", "device_filter.py", "devices.py", "diagnosis.py", "formats.py", "frames.py",
    "guests",
    "hierarchy.py", "isolation.py", "limits", "machine.py", "monitors", "mountinfo.py", "operation.py",
    "plan.py", "program.py", "qcow2.py", "resources.py", "rlimits.py", "rootfs.py", "rootless.py",
    "roots.py", "seccomp.py", "sizing.py", "stats", "systemd.py", "table.py", "virtiofsd.py", "volumes.py",
)  # fmt: skip
TOUCHES_THE_WORLD = {
    "_ctypes", "_posixsubprocess", "_socket", "ctypes", "fcntl", "io", "mmap", "os", "pathlib", "posix",
    "random", "select", "shutil", "signal", "socket", "subprocess", "time", "urunc.host", "urunc.log",
}  # fmt: skip
OPENS = {"open", "print", "input"}

# What an interpreter started with -IS may load on top: our own modules, and small ones in C.
QUICK = {
    "__future__", "_blake2", "_ctypes", "_json", "_posixsubprocess", "_signal", "_socket", "_stat", "_struct",
    "binascii", "errno", "fcntl", "gc", "itertools", "mmap", "posix", "select", "termios", "time",
    "urunc", "urunc_common",
}  # fmt: skip

# What every container pays for: a name, and code that loads what it needs.  A hot verb is one more line.
HOT = {
    "overlay": "import urunc.qcow2",
    "kvm": "import urunc.host.kvm",
    "guest": "import urunc_common.guest",
    "exec": "import urunc.commands.exec",
    "seccomp": "import urunc.host.seccomp",
    "users": "import urunc.host.users",
    "properties": "import urunc.host.properties, urunc.host.labels",
}


def files(name: str) -> list[Path]:
    path = RUNTIME / name
    return sorted(path.glob("*.py")) if path.is_dir() else [path] if path.exists() else []


def imported(nodes: list[ast.stmt]) -> set[str]:
    """The modules that these statements import when they run; not those for a type checker."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            found |= imported(node.orelse)
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
        found |= imported([child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)])
    return found


def imports(file: Path) -> set[str]:
    return imported(ast.parse(file.read_text()).body)


def is_in(name: str, packages: set[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def calls(file: Path) -> set[str]:
    nodes = ast.walk(ast.parse(file.read_text()))
    return {node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}


def loaded_by(code: str) -> set[str]:
    """What `code` makes a fresh interpreter load, without that which it has at its start."""
    first = f"import sys; sys.path[:0] = {SOURCES!r}; start = set(sys.modules)"
    program = f"{first}\n{code}\nprint(*set(sys.modules) - start)"
    return set(subprocess.check_output([sys.executable, "-IS", "-c", program], text=True).split())


def slow(modules: set[str]) -> set[str]:
    return {name for name in modules if not is_in(name, QUICK)}


@pytest.mark.parametrize("file", [file for name in PURE for file in files(name)], ids=lambda file: file.name)
def test_the_core_is_pure(file):
    assert not {name for name in imports(file) if is_in(name, TOUCHES_THE_WORLD)}
    assert not calls(file) & OPENS


@pytest.mark.parametrize(("package", "other"), [("guests", "urunc.monitors"), ("monitors", "urunc.guests")])
def test_guests_and_monitors_do_not_know_each_other(package, other):
    assert files(package)
    for file in files(package):
        assert not {name for name in imports(file) if is_in(name, {other})}, file


@pytest.mark.parametrize(
    "file", sorted({*RUNTIME.rglob("*.py"), *COMMON.rglob("*.py")}), ids=lambda file: file.name
)
def test_every_module_says_what_it_is(file):
    text = file.read_text()
    assert text.startswith("# SPDX-License-Identifier: Apache-2.0\n")
    assert ast.get_docstring(ast.parse(text))


@pytest.mark.parametrize(("monitor", "guest"), [(m, g) for m, able in rules.PAIRS.items() for g in able])
def test_planning_loads_nothing_slow(monitor, guest):
    code = f"""
from urunc.machine import App, Network
from urunc.plan import Host, plan
from urunc.roots import Candidates, choose
from urunc_common.config import UnikernelConfig
config = UnikernelConfig({guest!r}, {monitor!r}, "/kernel", initrd={"/initrd" if root(guest) else ""!r})
network = Network("tap0", "02:00:00:00:00:01", "10.0.0.2", 24, "10.0.0.1", 1500)
plan(config, App({arguments(guest)!r}, ("A=1",)), (network,), choose(config, Candidates()), host=Host())
"""
    loaded = loaded_by(code)
    assert {f"urunc.guests.{guest}", f"urunc.monitors.{monitor.replace('-', '_')}"} <= loaded
    assert not slow(loaded)


@pytest.mark.parametrize("code", HOT.values(), ids=HOT.keys())
def test_what_is_hot_loads_nothing_slow(code):
    assert not slow(loaded_by(code))


def test_a_slow_module_would_be_noticed():
    assert "typing" in slow(loaded_by("import typing"))


def test_only_imports_that_run_count():
    text = "if TYPE_CHECKING:\n import os\nelse:\n import re\nif x:\n from a import b"
    assert imported(ast.parse(text).body) == {"re", "a", "a.b"}
