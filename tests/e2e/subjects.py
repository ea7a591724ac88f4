# SPDX-License-Identifier: Apache-2.0
"""What the lifecycle tests run: a runtime with an image, and the words that make it do something.

The same tests run with a shell on plain runc, which checks the tests; with a shell that urunc hands over to
runc; and with a unikernel.
"""

from __future__ import annotations

from dataclasses import dataclass

from e2e.examples import HELLO, LINUX, expected
from e2e.images import BUSYBOX

READY = "command line:"  # what every subject prints when it listens


@dataclass(frozen=True)
class Subject:
    """Words are what follows the image's name; `failed` is the status that `fail` ends with."""

    name: str
    runtime: str
    image: str
    greet: tuple[str, ...]
    fail: tuple[str, ...]
    failed: int
    stay: tuple[str, ...]
    echo: tuple[str, ...]
    interrupted: str


def _shell(script: str) -> tuple[str, ...]:
    return ("sh", "-c", script)


def _busybox(name: str, runtime: str) -> Subject:
    return Subject(
        name, runtime, BUSYBOX,
        greet=("echo", "command line: hello world"),
        fail=_shell("exit 7"),
        failed=7,
        stay=_shell(f"trap 'exit 0' TERM; echo {READY}; while :; do sleep 0.05; done"),
        echo=_shell(f"trap 'echo \"<03>\"; exit 0' INT; echo {READY}; while :; do read x; echo $x; done"),
        interrupted="<03>",
    )  # fmt: skip


HELLO_UNIKERNEL = Subject(
    "hello", "urunc", HELLO,
    greet=("hello", "world"),
    fail=("hello", "exit=3"),
    failed=7,  # QEMU's debug exit device makes an odd number of it: 2 * 3 + 1
    stay=("hello", "spin"),
    echo=("hello", "echo"),
    interrupted="<03>",
)  # fmt: skip

SUBJECTS = (_busybox("runc", "runc"), _busybox("handed over", "urunc"), HELLO_UNIKERNEL)


@dataclass(frozen=True)
class Server:
    """A runtime with an image that serves a page at port 80; `page` is a part of it."""

    name: str
    runtime: str
    image: str
    command: tuple[str, ...]
    page: str


SHELL_SERVER = _shell("mkdir /www; echo a page from a shell >/www/index.html; exec httpd -f -h /www")
SERVERS = (
    Server("runc", "runc", BUSYBOX, SHELL_SERVER, "a page from a shell"),
    Server("linux", "urunc", LINUX, (), expected("linux-httpd")),
)
