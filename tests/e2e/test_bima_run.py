# SPDX-License-Identifier: Apache-2.0
"""`bima run`: unikernels without any engine, in a network of the tests' own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import pytest
from capabilities import require
from daemons import free_port, run
from e2e import bima as helper
from e2e import network
from e2e.bima import HELLO, LINUX, ONE, Bima, read_until
from e2e.examples import expected
from e2e.processes import adopting_orphans, descendants
from e2e.terminal import terminal
from e2e.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.vm, pytest.mark.root, pytest.mark.usefixtures("clean")]
GREETING = "command line:"
NO_NETWORK = ("--network", "none")


@pytest.fixture(scope="module")
def bima(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bima]:
    require("root", "qemu", "gcc")
    made = helper.sample(tmp_path_factory.mktemp("bima"))
    made("run", *NO_NETWORK, HELLO)  # makes the control groups that stay
    with adopting_orphans():
        yield made


@pytest.fixture
def clean(bima: Bima) -> Iterator[None]:
    """The test leaves no process, mount, interface, network namespace, rule, cgroup or state behind."""
    with network.private_network(), helper.private_state():
        before = helper.leftovers()
        yield
        try:
            before.check()
        finally:
            bima.remove_all()


def text(done: subprocess.CompletedProcess[str]) -> str:
    return done.stdout.replace("\r", "")


def test_hello_prints_what_its_folder_says(bima: Bima) -> None:
    assert fnmatchcase(text(bima("run", "--rm", HELLO)), expected("hello"))


@pytest.mark.parametrize("words", [("one", "--two", "-t"), ("--", "one", "--two", "-t")])
def test_words_after_the_name_are_the_guests(bima: Bima, words: tuple[str, ...]) -> None:
    assert f"{GREETING} one --two -t\n" in text(bima("run", *NO_NETWORK, HELLO, *words))


def test_the_status_is_the_guests(bima: Bima) -> None:
    assert bima("run", *NO_NETWORK, HELLO, "exit=7", check=False).returncode == 7


def test_a_memory_limit_makes_the_guest_smaller(bima: Bima) -> None:
    found = re.search(r"memory: (\d+) MiB", text(bima("run", *NO_NETWORK, "-m", "200m", HELLO)))
    assert found
    assert 8 <= int(found[1]) < 200


def test_too_little_memory_is_refused_by_the_runtime(bima: Bima) -> None:
    done = bima("run", *NO_NETWORK, "-m", "4m", HELLO, check=False)
    assert done.returncode == 1
    assert "too small for this unikernel" in done.stderr


def test_input_reaches_the_guest_if_that_is_wanted(bima: Bima) -> None:
    with bima.started("run", *NO_NETWORK, "-i", HELLO, "echo", stdin=subprocess.PIPE) as process:
        read_until(process, "memory:")
        out, _ = process.communicate("abc\n\x04", timeout=60)
    assert "abc\n" in out.replace("\r", "")
    assert process.returncode == 0


def test_a_volume_of_the_host_is_in_the_guest(bima: Bima, tmp_path: Path) -> None:
    (tmp_path / "page").write_text("of the host\n")
    script = "busybox cat /data/page; echo back > /data/answer"
    done = bima(
        "run", *NO_NETWORK, "-v", f"{tmp_path}:/data", LINUX, "busybox", "sh", "-c", script, check=False
    )
    assert (done.returncode, text(done)) == (0, "of the host\n"), done.stderr
    assert (tmp_path / "answer").read_text() == "back\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_guest(bima: Bima, number: int) -> None:
    with bima.started("run", HELLO, "spin") as process:
        read_until(process, GREETING)
        process.send_signal(number)
        process.communicate(timeout=60)
    assert process.returncode == 0


def test_ctrl_c_ends_a_guest_without_terminal(bima: Bima) -> None:
    with terminal(["setsid", "--ctty", "--wait", *bima.argv("run", *NO_NETWORK, HELLO, "spin")]) as session:
        session.expect(GREETING)
        session.send("\x03")
        assert session.end() == 0


def test_a_terminal_carries_text_and_ctrl_c_to_the_guest(bima: Bima) -> None:
    with terminal(bima.argv("run", "-it", *NO_NETWORK, HELLO, "echo")) as session:
        session.expect(GREETING)
        session.send("abc\r")
        session.expect("abc\n")
        session.send("\x03")
        assert session.end() == 0
    assert "<03>" in session.text


def test_a_signal_gives_the_terminal_back(bima: Bima) -> None:
    with terminal(bima.argv("run", "-it", *NO_NETWORK, HELLO, "echo")) as session:
        before = run_stty(session.master)
        session.expect(GREETING)
        assert run_stty(session.master) != before
        session.process.send_signal(signal.SIGTERM)
        assert session.end() == 0
        assert run_stty(session.master) == before


def run_stty(terminal: int) -> bytes:
    return subprocess.run(["stty", "-a"], stdin=terminal, capture_output=True, check=True).stdout


@pytest.mark.parametrize("kind", ["bridge", "user"])
def test_a_published_port_leads_to_the_guest(bima: Bima, kind: str) -> None:
    port = free_port()
    name = bima("run", "-d", "--rm", "--network", kind, "-p", f"{port}:80", LINUX).stdout.strip()
    assert bima.running() == [name]
    assert expected("linux-httpd") in network.page(f"127.0.0.1:{port}")
    assert bima("stop", name).stdout == f"{name}\n"
    assert name not in bima("ps", "--all", "--quiet").stdout.split()


def test_a_container_in_the_background_is_kept_until_it_is_removed(bima: Bima) -> None:
    assert bima("run", "-d", "--name", ONE, HELLO, "exit=7").stdout == f"{ONE}\n"
    eventually(lambda: not bima.running(), "the end of one")
    assert re.search(rf"^{ONE} .*exited \(7\)", bima("ps", "--all").stdout, re.MULTILINE)
    assert f"{GREETING} exit=7" in bima("logs", ONE).stdout
    assert f"there is a container {ONE} already" in bima("run", "--name", ONE, HELLO, check=False).stderr
    assert bima("rm", ONE).stdout == f"{ONE}\n"
    assert f"there is no container {ONE}" in bima("logs", ONE, check=False).stderr


def test_a_container_that_runs_is_removed_only_by_force(bima: Bima) -> None:
    bima("run", "-d", "--name", ONE, HELLO, "spin")
    bima.logged(ONE, GREETING)
    assert f"container {ONE} is running" in bima("rm", ONE, check=False).stderr
    assert bima.running() == [ONE]
    bima("rm", "--force", ONE)
    assert bima.running() == []


def test_a_name_is_not_given_twice(bima: Bima) -> None:
    with bima.started("run", "--name", ONE, HELLO, "spin") as process:
        read_until(process, GREETING)
        done = bima("run", "--name", ONE, HELLO, check=False)
        assert done.returncode == 1
        assert f"there is a container {ONE} already" in done.stderr
        bima("stop", ONE)
        assert process.wait(60) == 0


def test_without_privileges_over_the_network_qemu_brings_its_own(bima: Bima) -> None:
    port = free_port()
    words = bima.argv("run", "-d", "--rm", "--name", ONE, "-p", f"{port}:80", LINUX)
    done = run("setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin", *words)
    assert "bima: using QEMU's user-mode network: " in done.stderr
    assert expected("linux-httpd") in network.page(f"127.0.0.1:{port}")
    bima("stop", ONE)


def test_a_missing_monitor_is_named(bima: Bima, tmp_path: Path) -> None:
    bare = Bima(bima.builder, helper.path_with(tmp_path / "bin", "env", "iptables", "iptables-restore"))
    for options in ((), ("-d",)):
        done = bare("run", *options, HELLO, check=False)
        assert done.returncode == 1
        assert "the monitor qemu-system-x86_64 is not installed; install qemu-system-x86" in done.stderr


def test_a_bima_that_was_killed_leaves_its_guest_until_it_ends(bima: Bima) -> None:
    with bima.started("run", "--name", ONE, HELLO, "spin") as process:
        read_until(process, GREETING)
        process.kill()
        process.wait()
        assert bima.running() == [ONE]
        bima("stop", ONE)


def test_what_was_left_when_all_were_killed_is_gone_with_the_next_run(bima: Bima) -> None:
    others = descendants()
    with bima.started("run", "--name", ONE, "-p", f"{free_port()}:80", HELLO, "spin") as process:
        read_until(process, GREETING)
        for found in descendants() - others:
            kill(found.pid)
    bima("run", "--name", ONE, *NO_NETWORK, HELLO)


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
