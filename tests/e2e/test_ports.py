# SPDX-License-Identifier: Apache-2.0
"""A booted Linux guest finds QEMU's virtio-serial ports by their names, and its streams stay apart."""

from __future__ import annotations

import hashlib
import os
import pty
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from capabilities import require
from e2e import linux

from urunc.machine import NO_PCI, PORTS, TERMINAL, Guest, Machine, Streams
from urunc.monitors import qemu
from urunc_common.guest import CONTROL_PORT, STDERR_PORT, STDIN_PORT, STDOUT_PORT

KERNEL = "panic=-1 console=ttyS0 quiet loglevel=1 cryptomgr.notests tsc_early_khz=2600000"
COUNT = 150000
NUMBERS = b"".join(b"%d\n" % number for number in range(1, COUNT + 1))
WAIT = f"""
until grep -qs {CONTROL_PORT} /sys/class/virtio-ports/*/name; do :; done
for port in /sys/class/virtio-ports/*; do ln -s /dev/${{port##*/}} /dev/$(cat $port/name); done
"""
STREAMS = f"""{WAIT}
exec </dev/{STDIN_PORT} >/dev/{STDOUT_PORT} 2>/dev/{STDERR_PORT} 3<>/dev/{CONTROL_PORT}
cat; echo "input ended"; echo to stderr >&2
echo hello >&3; read word <&3; echo "was told $word"
seq {COUNT}
echo c >/proc/sysrq-trigger
"""
TYPIST = f"""{WAIT}
test -e /dev/org.urunc.console && exec </dev/hvc0 >/dev/hvc0 2>&1 3<>/dev/{CONTROL_PORT}
echo; echo hello >&3; read word; echo "read $word"
poweroff -f
"""


@pytest.fixture(scope="module", name="image")
def image_fixture(tmp_path_factory):
    require("qemu", "gcc")
    return lambda script: linux.image(script, tmp_path_factory.mktemp("guest"))


def machine(*wishes, **fields):
    guest = Guest(KERNEL, initrd="/initrd", wishes=frozenset({PORTS, *wishes}))
    return Machine("/kernel", guest, accel="tcg", memory_mib=128, **fields)


def start(image, machine, stdin, *inherited):
    argv = image.argv(qemu.launch(machine))
    return subprocess.Popen(argv, stdin=stdin, pass_fds=inherited)


def listen(folder):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{folder}/control")
    listener.listen()
    return listener


def talk(folder):
    control = socket.socket(socket.AF_UNIX)
    control.settimeout(60)
    control.connect(f"{folder}/control")
    assert control.recv(100) == b"hello\n"
    return control


def read_all(descriptor):
    chunks = iter(lambda: os.read(descriptor, 1 << 16), b"")
    return b"".join(chunks)


def read_both(*descriptors):
    """At the same time, or the guest waits with the one while we wait for the other."""
    with ThreadPoolExecutor() as pool:
        return pool.map(read_all, descriptors)


@pytest.mark.parametrize("wishes", [(NO_PCI,), ()], ids=["microvm", "pc"])
@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_streams_are_kept_apart_whole_and_the_kernel_panics_on_stderr(image, wishes, kind, tmp_path):
    made = image(STREAMS)
    pairs = [os.pipe() if kind == "pipe" else socket.socketpair() for _ in range(2)]
    if kind == "socket":
        pairs = [(ours.detach(), its.detach()) for ours, its in pairs]
    (ours_out, its_out), (ours_err, its_err) = pairs
    streams = Streams(its_out, its_err, frozenset({its_out, its_err} if kind == "socket" else ()))
    with listen(tmp_path) as listener:
        plan = machine(*wishes, streams=streams, control=listener.fileno())
        with start(made, plan, subprocess.PIPE, *streams.open, listener.fileno()) as process:
            os.close(its_out)
            os.close(its_err)
            process.stdin.write(b"from stdin\n")
            process.stdin.close()
            with talk(tmp_path) as control:
                control.sendall(b"TERM\n")
                output, errors = read_both(ours_out, ours_err)
    head, _, numbers = output.partition(b"was told TERM\n")
    assert head == b"from stdin\ninput ended\n"
    assert hashlib.sha256(numbers).digest() == hashlib.sha256(NUMBERS).digest(), numbers[-100:]
    assert errors.startswith(b"to stderr\n")
    assert b"Kernel panic - not syncing" in errors


def test_a_terminal_is_a_virtio_console(image, tmp_path):
    made = image(TYPIST)
    ours, its = pty.openpty()
    write_only = os.open(os.ttyname(its), os.O_WRONLY | os.O_NOCTTY)
    with listen(tmp_path) as listener:
        plan = machine(NO_PCI, TERMINAL, streams=Streams(-1, write_only), control=listener.fileno())
        argv = made.argv(qemu.launch(plan))
        with (
            subprocess.Popen(
                argv, stdin=its, stdout=its, stderr=its, pass_fds=(write_only, listener.fileno())
            ) as process,
            talk(tmp_path),
        ):
            os.write(ours, b"typed\r")
            process.wait(60)
    os.close(its)
    os.close(write_only)
    text = os.read(ours, 1000)
    os.close(ours)
    assert b"\r\ntyped\r" in text
    assert b"read typed\r" in text
