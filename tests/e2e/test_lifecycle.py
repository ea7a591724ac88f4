# SPDX-License-Identifier: Apache-2.0
"""A container's life under containerd, asked for with ctr."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from e2e.images import BUSYBOX
from e2e.terminal import terminal

if TYPE_CHECKING:
    from e2e.engine import Engine

pytestmark = pytest.mark.usefixtures("clean")


def test_prints(engine: Engine) -> None:
    answer = engine.ctr("run", "--rm", "--runc-binary", "runc", BUSYBOX, "a", "echo", "hi")
    assert answer.stdout == "hi\n"


def test_status(engine: Engine) -> None:
    answer = engine.ctr(
        "run", "--rm", "--runc-binary", "runc", BUSYBOX, "a", "sh", "-c", "exit 7", check=False
    )
    assert answer.returncode == 7


def test_terminal(engine: Engine) -> None:
    argv = engine.ctr_argv("run", "--rm", "-t", "--runc-binary", "runc", BUSYBOX, "a", "sh", "-c", "tty; cat")
    with terminal(argv) as session:
        session.expect("/dev/pts/")
        session.send("hello\n")
        session.expect("hello\nhello\n")
        session.send("\x04")
        assert session.end() == 0
