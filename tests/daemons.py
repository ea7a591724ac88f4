# SPDX-License-Identifier: Apache-2.0
"""Programs and daemons for tests: a bare environment, their output in a log, ended by their pid."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from capabilities import SEARCH, program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

START_S = 30
STOP_S = 15
RUN_S = 120


@contextmanager
def daemon(
    name: str, *arguments: str, directory: Path, path: str = SEARCH
) -> Iterator[subprocess.Popen[bytes]]:
    """A process in its own session with a bare environment; its output goes to `log` in the directory."""
    executable = program(name)
    assert executable, f"{name} is not installed"
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [executable, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={"PATH": path, "HOME": str(directory)},
            start_new_session=True,
        )
    try:
        yield process
    finally:
        end(process)


def run(
    name: str, *arguments: str, check: bool = True, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; with `check`, fail and show what it said."""
    executable = program(name)
    assert executable, f"{name} is not installed"
    done = subprocess.run(
        [executable, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=env,
        check=False,
        timeout=RUN_S,
    )
    said = f"{name} {' '.join(arguments)}: exit status {done.returncode}\n{done.stdout}{done.stderr}"
    assert done.returncode == 0 or not check, said
    return done


def certificate(directory: Path, kind: str = "ec") -> tuple[Path, Path]:
    """A new certificate for 127.0.0.1 that is its own authority, and its key."""
    cert, key = directory / "ca.crt", directory / "key.pem"
    new = {"ec": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["rsa:2048"]}[kind]
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    files = ["-keyout", str(key), "-out", str(cert)]
    run("openssl", "req", "-x509", "-nodes", "-days", "30", "-newkey", *new, *names, *files)
    return cert, key


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def private_directory(name: str) -> Iterator[Path]:
    """A short path, because a socket's path has at most 107 bytes; unmounted and removed in the end."""
    directory = Path(tempfile.mkdtemp(prefix=f"{name}-"))
    try:
        yield directory
    finally:
        _unmount(directory)
        shutil.rmtree(directory)


def wait(process: subprocess.Popen[bytes], directory: Path, ready: Callable[[], bool]) -> None:
    """Until the server answers; if it does not, its log is the error."""
    end = time.monotonic() + START_S
    while not ready():
        gone = process.poll() is not None
        if gone or time.monotonic() > end:
            log = (directory / "log").read_text(errors="replace")
            raise AssertionError(f"{process.args!r} {'ended' if gone else 'does not answer'}:\n{log[-4000:]}")
        time.sleep(0.05)


def end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _unmount(directory: Path) -> None:
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for mount in reversed(mounts):
        if mount.startswith(f"{directory}/"):
            run("umount", "--lazy", mount, check=False)
