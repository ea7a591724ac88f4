# SPDX-License-Identifier: Apache-2.0
"""A small unikernel to package, a store of its own for each test, and bima itself."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bima.cli import main
from bima.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROOT = Path(__file__).resolve().parents[3]
# The first bytes of a 64-bit, little-endian ELF file for x86-64.
KERNEL = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\x3e\x00" + b"kernel" * 99
CONTAINERFILE = """\
FROM scratch
COPY kernel /boot/kernel
LABEL com.urunc.unikernel.unikernelType=generic com.urunc.unikernel.hypervisor=qemu
LABEL com.urunc.unikernel.binary=/boot/kernel
LABEL maintainer="someone else"
ENV NAME=value
CMD ["hello", "big world"]
"""


@dataclass(frozen=True)
class Outcome:
    """What a command did."""

    status: int
    out: str
    err: str


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A build directory with a kernel and a Containerfile."""
    return make_project(tmp_path / "project")


def make_project(path: Path, files: Mapping[str, bytes] | None = None) -> Path:
    """Write a build directory."""
    for name, content in {"Containerfile": CONTAINERFILE.encode(), "kernel": KERNEL, **(files or {})}.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """bima's own store, empty."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    return Layout(tmp_path / "data" / "bima")


@pytest.fixture
def bima(
    store: Layout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """Run the program in this process."""
    del store

    def run(*words: str | Path) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["bima", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return Outcome(int(ended.value.code or 0), out, err)

    return run


@pytest.fixture
def start(store: Layout) -> Callable[..., subprocess.Popen[str]]:
    """Run the program in a process of its own."""
    del store
    sources = [str(ROOT / "packages" / name / "src") for name in ("common", "bima")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sources)}

    def run(*words: str | Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "bima", *map(str, words)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return run


@pytest.fixture
def project_at() -> Callable[..., Path]:
    """Write a build directory somewhere."""
    return make_project


def leftovers(layout: Layout) -> list[str]:
    """Everything in a store that an empty one does not have."""
    usual = {".lock", "oci-layout", "index.json", "blobs", "blobs/sha256"}
    found = {str(path.relative_to(layout.path)) for path in layout.path.rglob("*")}
    return sorted(found - usual)


@pytest.fixture
def left(store: Layout) -> Callable[[], list[str]]:
    """What is in the store besides its frame."""
    return lambda: leftovers(store)
