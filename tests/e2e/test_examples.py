# SPDX-License-Identifier: Apache-2.0
"""The examples print what they say they print, and the demonstrations show them."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import pytest
from capabilities import ROOT, require
from daemons import run
from e2e import examples

if TYPE_CHECKING:
    from pathlib import Path

    from e2e.engine import Engine

pytestmark = [pytest.mark.vm, pytest.mark.root, pytest.mark.usefixtures("clean")]
PAGE = examples.expected("linux-httpd")


def as_expected(printed: str) -> bool:
    """Whether it is what hello's file says, in which a star stands for any text."""
    return fnmatchcase(printed.replace("\r", ""), examples.expected("hello"))


def test_hello_prints_what_its_folder_says(engine: Engine) -> None:
    printed = engine.ctr("run", "--rm", "--runc-binary", "urunc", examples.HELLO, "hello").stdout
    assert as_expected(printed), printed


def test_the_demo_shows_hello(tmp_path: Path) -> None:
    require("qemu", "gcc")
    printed = run(str(ROOT / "scripts/demo"), env={**os.environ, "XDG_DATA_HOME": str(tmp_path)}).stdout
    greeting = examples.expected("hello").splitlines()[0]
    assert greeting in printed
    assert "boot" in printed.rpartition(greeting)[2], "no word on how long it took"


def test_the_demo_of_containerd_shows_both_examples_and_leaves_nothing() -> None:
    require("root", "qemu", "gcc", "containerd", "registry", "cni", "nerdctl")
    printed = run(str(ROOT / "scripts/demo-containerd")).stdout
    assert "command line: hello containerd" in printed.replace("\r", "")
    assert PAGE in printed
    assert printed.endswith("All is as it was before.\n")
