# SPDX-License-Identifier: Apache-2.0
"""Signals while a container runs, in processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

SOURCES = os.pathsep.join(path for path in sys.path if path.endswith("src"))
WAITS = """
import os, signal, sys
from bima import signals
with signals.held():
    child = os.posix_spawn("/bin/sh", ["sh", "-c", SCRIPT], os.environ, setsigmask=[])
    print(child, flush=True)
    print(signals.wait(child, lambda number: (print(signal.Signals(number).name), os.kill(child, 9))))
"""
FORKS = """
import os, signal, time
from bima import signals
signals.interrupt()
child = os.fork()
if child == 0:
    try:
        time.sleep(60)
    finally:
        os._exit(3)
os.kill(child, NUMBER)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
try:
    os.kill(os.getpid(), NUMBER)
    time.sleep(60)
except KeyboardInterrupt:
    print("interrupted")
"""


def start(program: str, **values: object) -> subprocess.Popen[str]:
    head = "".join(f"{name} = {value!r}\n" for name, value in values.items())
    return subprocess.Popen(
        [sys.executable, "-c", head + program],
        env={**os.environ, "PYTHONPATH": SOURCES},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(("script", "code"), [("exit 7", "7"), ("kill -9 $$", "-9")])
def test_the_end_of_the_child_ends_the_wait(script: str, code: str) -> None:
    with start(WAITS, SCRIPT=script) as process:
        assert process.communicate(timeout=60)[0].split()[1:] == [code]


@pytest.mark.parametrize(
    ("number", "forwarded"), [("INT", "SIGINT"), ("TERM", "SIGTERM"), ("HUP", "SIGTERM")]
)
def test_a_signal_is_forwarded_and_the_wait_goes_on(number: str, forwarded: str) -> None:
    with start(WAITS, SCRIPT="exec sleep 60") as process:
        assert process.stdout
        process.stdout.readline()
        process.send_signal(getattr(signal, f"SIG{number}"))
        assert process.communicate(timeout=60)[0].split() == [forwarded, "-9"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_interrupts_us_and_ends_a_forked_child_at_once(number: int) -> None:
    with start(FORKS, NUMBER=int(number)) as process:
        assert process.communicate(timeout=60)[0].split() == [str(-number), "interrupted"]
