# SPDX-License-Identifier: Apache-2.0
"""exec: further programs in a Linux guest, as urunc itself and as a shim calls it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from capabilities import require
from e2e import linux_container
from e2e.linux_roots import in_initrd
from e2e.processes import adopting_orphans
from e2e.terminal import terminal
from e2e.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from e2e.linux_container import Container

pytestmark = pytest.mark.vm

EVERY_BYTE = bytes(range(256)) * 20_000
SHELL = ("/bin/sh", "-c")
LONG = 40  # programs one after the other, more than there are ports


@pytest.fixture(scope="module", name="up")
def up_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    """A container whose program only waits."""
    require("root", "qemu")
    folder = tmp_path_factory.mktemp("exec")
    with linux_container.container(folder) as container:
        in_initrd(container)
        start(container, folder, "sleep 100000")
        yield container


@pytest.fixture(name="other")
def other_fixture(tmp_path: Path) -> Iterator[Container]:
    """A container of this test's own."""
    require("root", "qemu")
    with linux_container.container(tmp_path) as container:
        in_initrd(container)
        yield container


def start(container: Container, folder: Path, script: str) -> None:
    output = folder / "output"
    container.start(*SHELL, f"echo ready; {script}", output=output)
    eventually(lambda: "ready" in output.read_text(), "the guest is up")


def argv(container: Container, *words: str, options: tuple[str, ...] = ()) -> list[str]:
    return container.argv("exec", *options, container.folder.name, *words)


def run(
    container: Container, *words: str, options: tuple[str, ...] = (), stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    command = argv(container, *words, options=options)
    return subprocess.run(
        command, input=stdin, capture_output=True, check=False, timeout=60, env=container.environment
    )


def quiet(container: Container, *words: str) -> None:
    """A verb that leaves somebody with its streams."""
    null = subprocess.DEVNULL
    command = container.argv(*words, f"--bundle={container.rootfs.parent}", container.folder.name)
    subprocess.run(command, stdin=null, stdout=null, stderr=null, check=True, env=container.environment)


def processes(container: Container) -> str:
    """What runs in the guest."""
    return run(container, *SHELL, "grep -h Name: /proc/[0-9]*/status").stdout.decode()


def detach(container: Container, folder: Path, *words: str) -> int:
    """As a shim does it; the relay's pid."""
    process = {"args": list(words), "cwd": "/", "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0}}
    (folder / "process").write_text(json.dumps(process))
    options = ("--process", str(folder / "process"), "--detach", "--pid-file", str(folder / "pid"))
    with (folder / "out").open("wb") as out:
        subprocess.run(
            argv(container, options=options),
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=True, env=container.environment,
        )  # fmt: skip
    return int((folder / "pid").read_text())


def ended(pid: int) -> int:
    """Its status; it is a child that we have adopted."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_program_is_fed_and_heard_and_its_status_is_ours(up: Container) -> None:
    done = run(up, *SHELL, "cat; echo wrong >&2; exit 7", stdin=b"one\ntwo\n")
    assert (done.returncode, done.stdout, done.stderr) == (7, b"one\ntwo\n", b"wrong\n")


def test_every_byte_arrives_in_both_directions(up: Container) -> None:
    done = run(up, "/bin/cat", stdin=EVERY_BYTE)
    assert (done.returncode, done.stdout == EVERY_BYTE, done.stderr) == (0, True, b"")


def test_a_stream_that_nobody_reads_keeps_no_other_one_from_being_read(up: Container) -> None:
    command = argv(up, *SHELL, "cat /bin/busybox & echo still >&2; wait")
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=up.environment
    ) as process:
        assert process.stdout
        assert process.stderr
        assert process.stderr.readline() == b"still\n"
        assert process.stdout.read().startswith(b"\x7fELF")
        assert process.wait() == 0


def test_a_program_is_who_and_where_it_is_told(up: Container) -> None:
    options = ("--user", "1000:5", "--additional-gids", "7", "--cwd", "/tmp", "--env", 'A=it\'s "x"')
    done = run(up, *SHELL, 'id -u; id -G; pwd; echo "$A $HOME"; cat /proc/1/comm', options=options)
    assert done.stdout.decode() == '1000\n5 7\n/tmp\nit\'s "x" /home/user\ninit\n', done.stderr


def test_limits_and_umask_of_a_file_hold(up: Container, tmp_path: Path) -> None:
    process = {
        "args": [*SHELL, "ulimit -n; ulimit -Hn; umask"],
        "cwd": "/",
        "env": ["PATH=/bin"],
        "user": {"uid": 0, "gid": 0, "umask": 0o27},
        "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}],
    }
    (tmp_path / "process").write_text(json.dumps(process))
    done = run(up, options=("--process", str(tmp_path / "process")))
    assert done.stdout == b"100\n200\n0027\n"


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("missing", 'exec: "missing": executable file not found in $PATH'),
        ("/missing", 'exec: "/missing": no such file or directory'),
        ("/etc/passwd", 'exec: "/etc/passwd": permission denied'),
    ],
)
def test_a_program_that_does_not_start_is_said_in_the_words_of_engines(
    up: Container, word: str, message: str
) -> None:
    done = run(up, word)
    assert done.returncode == 255
    assert done.stderr.decode() == f"urunc: exec failed: {message}\n"


def test_many_run_at_once_and_many_more_one_after_the_other(up: Container) -> None:
    held = "ls /sys/class/virtio-ports /proc/1/fd | grep -c ."
    before = run(up, *SHELL, held).stdout
    command = argv(up, *SHELL, "read word; echo $word; sleep 1; exit $word")
    several = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=up.environment)
        for _ in range(8)
    ]
    outputs = [process.communicate(str(number).encode())[0] for number, process in enumerate(several)]
    assert outputs == [f"{number}\n".encode() for number in range(8)]
    assert [process.returncode for process in several] == list(range(8))
    assert {run(up, *SHELL, "exit 5").returncode for _ in range(LONG)} == {5}
    assert run(up, *SHELL, held).stdout == before, "nothing of them is left"


def test_signals_reach_the_program_and_a_killed_one_is_seen(up: Container, tmp_path: Path) -> None:
    script = "trap 'echo hup; exit 9' HUP; trap 'echo usr1' USR1; echo up; while :; do sleep 0.1; done"
    with adopting_orphans():
        pid = detach(up, tmp_path, *SHELL, script)
        output = tmp_path / "out"
        for number, word in ((0, "up"), (signal.SIGUSR1, "usr1"), (signal.SIGHUP, "hup")):
            os.kill(pid, number)
            eventually(lambda word=word: word in output.read_text(), word)  # type: ignore[misc]
        assert ended(pid) == 9
        pid = detach(up, tmp_path, "/bin/sleep", "1000")
        os.kill(pid, signal.SIGTERM)
        assert ended(pid) == 128 + signal.SIGTERM


def test_a_relay_that_is_killed_takes_its_program_and_all_its_descendants_along(
    up: Container, tmp_path: Path
) -> None:
    with adopting_orphans():
        pid = detach(up, tmp_path, *SHELL, "setsid sleep 12345 & sleep 23456 & sleep 34567")
        eventually(lambda: processes(up).count("sleep") == 4, "three more sleep")
        assert Path(f"/proc/{pid}/cgroup").read_text().count(up.folder.name)
        os.kill(pid, signal.SIGKILL)
        assert ended(pid) == -signal.SIGKILL
    eventually(lambda: processes(up).count("sleep") == 1, "they are gone, and the container's own is not")


def test_a_relay_has_no_rights_and_only_its_own_descriptors(up: Container, tmp_path: Path) -> None:
    with adopting_orphans():
        pid = detach(up, tmp_path, "/bin/sleep", "1000")
        found = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        assert (int(found["CapEff"], 16), int(found["CapBnd"], 16), found["NoNewPrivs"]) == (0, 0, "1")
        assert len(os.listdir(f"/proc/{pid}/fd")) == 6
        monitor = json.loads(up("state").stdout)["pid"]
        assert os.readlink(f"/proc/{pid}/ns/pid") == os.readlink(f"/proc/{monitor}/ns/pid")
        os.kill(pid, signal.SIGKILL)
        ended(pid)


def test_a_terminal_is_the_programs_own_and_follows_the_users(up: Container) -> None:
    settings = [f"{name}={value}" for name, value in up.environment.items()]
    with terminal(["env", *settings, *argv(up, "/bin/sh", options=("--tty",))]) as session:
        session.expect("# ")
        session.send("tty; echo $((1 + 1)); sleep 100\n")
        session.expect("/dev/pts/0\n2\n")
        session.resize(33, 99)
        session.send("\x03")
        session.expect("# ")
        session.send("stty size\n")
        session.expect("33 99")
        session.send("exit 4\n")
        assert session.end() == 4


def test_a_container_that_ends_ends_what_runs_in_it(other: Container, tmp_path: Path) -> None:
    start(other, tmp_path, "sleep 100000")
    with adopting_orphans():
        pid = detach(other, tmp_path, "/bin/sleep", "1000")
        assert other("kill", "KILL").returncode == 0
        assert ended(pid) in (-signal.SIGKILL, 128 + signal.SIGKILL)
    eventually(lambda: '"stopped"' in other("state").stdout, "it has stopped")
    assert "cannot exec in a stopped container" in run(other, "id").stderr.decode()


def test_a_created_container_and_an_unknown_one_are_refused(other: Container) -> None:
    assert b"does not exist" in run(other, "id").stderr
    other.write("/bin/sh")
    quiet(other, "create")
    done = run(other, "id")
    assert (done.returncode, "cannot exec in a created container" in done.stderr.decode()) == (1, True)


def test_a_unikernel_refuses_and_says_why(other: Container) -> None:
    other.annotations["com.urunc.unikernel.unikernelType"] = "generic"
    other.write("/bin/sh")
    quiet(other, "run", "--detach")
    assert "a generic unikernel is one program, and has no processes" in run(other, "id").stderr.decode()
