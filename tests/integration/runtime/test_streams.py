# SPDX-License-Identifier: Apache-2.0
"""The container's output, opened for monitors that want it for writing only."""

from __future__ import annotations

import fcntl
import os
import pty
import socket
import subprocess
import sys

import pytest
from capabilities import ROOT

PROGRAM = """
import sys; sys.path[:0] = sys.argv[1:]
from urunc.host.streams import open_streams
found = open_streams()
import fcntl, os
for fd in (found.stdout, found.stderr):
    assert fd > 2 and not os.get_inheritable(fd)
    os.write(fd, b"%d %d %d\\n" % (os.path.sameopenfile(fd, 1) or os.path.sameopenfile(fd, 2),
             fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE, fd in found.sockets))
"""
SOURCES = [str(ROOT / f"packages/{name}/src") for name in ("common", "runtime")]
WRITES, READS_AND_WRITES = b"1 1 0\n", b"1 2 1\n"


def run(descriptor):
    subprocess.run(
        [sys.executable, "-c", PROGRAM, *SOURCES], stdout=descriptor, stderr=descriptor, check=True
    )


@pytest.mark.parametrize("mode", ["wb", "ab", "w+b"])
def test_a_file_is_written_by_both(mode, tmp_path):
    with open(tmp_path / "log", mode) as file:
        run(file)
        file.write(b"afterwards\n")
    lines = (tmp_path / "log").read_bytes().splitlines(keepends=True)
    assert lines[:2] == [WRITES] * 2 or mode == "w+b"
    assert b"afterwards\n" in lines


def test_a_pipe_is_handed_on():
    ours, its = os.pipe()
    run(its)
    assert os.read(ours, 100) == WRITES * 2
    os.close(ours)
    os.close(its)


def test_a_terminal_is_opened_for_writing():
    ours, its = pty.openpty()
    run(its)
    assert os.read(ours, 100).replace(b"\r", b"") == WRITES * 2
    assert not fcntl.fcntl(its, fcntl.F_GETFL) & os.O_APPEND, "its owner's own descriptor changed"
    os.close(ours)
    os.close(its)


def test_a_socket_is_named_as_one():
    ours, its = socket.socketpair()
    run(its)
    assert ours.recv(100) == READS_AND_WRITES * 2
    ours.close()
    its.close()
