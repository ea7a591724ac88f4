# SPDX-License-Identifier: Apache-2.0
"""A container's life under docker, whose network is a hook that the runtime runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import servers
from capabilities import require
from daemons import run
from e2e import images, network
from e2e.examples import LINUX
from e2e.leftovers import Leftovers
from e2e.processes import adopting_orphans
from e2e.subjects import HELLO_UNIKERNEL, READY, SERVERS, SHELL_SERVER, SUBJECTS
from e2e.terminal import terminal
from e2e.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from e2e.subjects import Server, Subject
    from servers import Dockerd

pytestmark = [pytest.mark.vm, pytest.mark.root, pytest.mark.usefixtures("clean_docker")]
BRIDGE = "e2edocker"
every_subject = pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)


@pytest.fixture(scope="module")
def docker(archives: list[Path], path: str) -> Iterator[Dockerd]:
    """dockerd with a bridge and packet filter rules in a network of its own."""
    require("root", "qemu", "docker", "containerd")
    with adopting_orphans(), network.private_network():
        run("ip", "link", "add", BRIDGE, "type", "bridge")
        run("ip", "address", "add", "10.88.0.1/24", "dev", BRIDGE)
        run("ip", "link", "set", BRIDGE, "up")
        runtimes = {"urunc": path.partition(":")[0] + "/urunc"}
        with servers.dockerd(bridge=BRIDGE, runtimes=runtimes, path=path) as server:
            for archive in archives:
                server.docker("load", "--input", str(archive))
            server.docker("run", "--rm", images.BUSYBOX, "true")  # makes the parent cgroups, which stay
            yield server


@pytest.fixture
def clean_docker(docker: Dockerd) -> Iterator[None]:
    """The test leaves nothing behind; the image's layers are there before."""
    states = ("exec/runtime-runc/moby", "root/containers", "root/overlay2")
    before = Leftovers("docker", docker.directory, [docker.directory / state for state in states])
    yield
    try:
        before.check()
    finally:
        if left := docker.docker("ps", "--all", "--quiet").stdout.split():
            docker.docker("rm", "--force", *left, check=False)


def run_argv(subject: Subject, *options: str) -> list[str]:
    return ["run", *options, "--runtime", subject.runtime, subject.image]


@every_subject
def test_docker_shows_what_a_container_prints(docker: Dockerd, subject: Subject) -> None:
    answer = docker.docker(*run_argv(subject, "--rm"), *subject.greet)
    assert "command line: hello world" in answer.stdout.splitlines()


@every_subject
def test_docker_ends_with_the_status_of_the_container(docker: Dockerd, subject: Subject) -> None:
    assert docker.docker(*run_argv(subject, "--rm"), *subject.fail, check=False).returncode == subject.failed


@every_subject
def test_docker_stops_starts_and_removes_a_container(docker: Dockerd, subject: Subject) -> None:
    docker.docker(*run_argv(subject, "--detach", "--name", "stays"), *subject.stay)
    eventually(lambda: READY in docker.docker("logs", "stays").stdout, "output")
    docker.docker("stop", "stays")
    docker.docker("start", "stays")
    eventually(lambda: docker.docker("logs", "stays").stdout.count(READY) == 2, "output of the second start")
    docker.docker("rm", "--force", "stays")


@pytest.mark.parametrize(("signal", "status", "seen"), [("QUIT", 0, 0), ("TERM", 3, 2 * 3 + 1)])
def test_a_linux_guest_ends_on_its_stop_signal_and_says_so(
    docker: Dockerd, signal: str, status: int, seen: int
) -> None:
    script = f"trap 'echo bye; exit {status}' {signal}; echo {READY}; while :; do busybox sleep 0.1; done"
    options = ("--detach", "--name", "leaves", "--runtime", "urunc", "--stop-signal", signal)
    docker.docker("run", *options, LINUX, "/bin/busybox", "sh", "-c", script)
    eventually(lambda: READY in docker.docker("logs", "leaves").stdout, "output")
    docker.docker("stop", "--time", "60", "leaves")
    assert "bye" in docker.docker("logs", "leaves").stdout
    ended = docker.docker("inspect", "--format", "{{.State.ExitCode}}", "leaves")
    assert ended.stdout.strip() == str(seen)
    docker.docker("rm", "leaves")


def test_docker_runs_further_programs_in_a_linux_guest(docker: Dockerd) -> None:
    docker.docker("run", "--detach", "--name", "web", "--runtime", "urunc", LINUX)
    shell = ("/bin/busybox", "sh", "-c")
    done = docker.docker(
        "exec", "--env", "A=1", "--workdir", "/bin", "web", *shell, "echo $A; pwd; exit 7", check=False
    )
    assert (done.returncode, done.stdout) == (7, "1\n/bin\n"), done.stderr
    docker.docker(
        "run", "--detach", "--name", "ordinary", images.BUSYBOX, "sh", "-c", "mkdir /www; sleep 600"
    )
    for word, reason in (("missing", "executable file not found in $PATH"), ("/www", "permission denied")):
        linux, ordinary = (docker.docker("exec", name, word, check=False) for name in ("web", "ordinary"))
        assert f'exec: "{word}": {reason}' in linux.stdout + linux.stderr
        assert linux.returncode == ordinary.returncode
    argv = ["docker", "--host", docker.host, "exec", "--interactive", "--tty", "web"]
    with terminal([*argv, "/bin/busybox", "sh"]) as session:
        session.expect("# ")
        session.send("busybox tty; exit 4\n")
        session.expect("/dev/pts/")
        assert session.end() == 4
    docker.docker("rm", "--force", "web", "ordinary")


@pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.name)
def test_a_server_on_dockers_bridge_answers_the_host(docker: Dockerd, server: Server) -> None:
    docker.docker(
        "run", "--detach", "--name", "web", "--runtime", server.runtime, server.image, *server.command
    )
    asked = docker.docker("inspect", "--format", "{{.NetworkSettings.IPAddress}}", "web")
    assert server.page in network.page(asked.stdout.strip())
    docker.docker("rm", "--force", "web")


@pytest.mark.parametrize(
    ("options", "found"), [((), "2 2"), (("--security-opt", "seccomp=unconfined"), "0 0")]
)
def test_docker_filters_the_monitor_unless_told_otherwise(
    docker: Dockerd, options: tuple[str, ...], found: str
) -> None:
    """Its default profile, and QEMU's own sandbox on top of it."""
    words = ("--detach", "--name", "stays", *options)
    docker.docker(*run_argv(HELLO_UNIKERNEL, *words), *HELLO_UNIKERNEL.stay)
    eventually(lambda: READY in docker.docker("logs", "stays").stdout, "output")
    pid = docker.docker("inspect", "--format", "{{.State.Pid}}", "stays").stdout.strip()
    status = Path(f"/proc/{pid}/status").read_text()
    assert " ".join(re.findall(r"Seccomp\w*:\t(\d+)", status)) == found
    docker.docker("rm", "--force", "stays")


@every_subject
def test_docker_pauses_measures_and_changes_a_container(docker: Dockerd, subject: Subject) -> None:
    docker.docker(*run_argv(subject, "--detach", "--name", "stays"), *subject.stay)
    eventually(lambda: READY in docker.docker("logs", "stays").stdout, "output")
    docker.docker("pause", "stays")
    status = ("inspect", "--format", "{{.State.Status}}", "stays")
    assert docker.docker(*status).stdout.strip() == "paused"
    docker.docker("unpause", "stays")
    assert docker.docker(*status).stdout.strip() == "running"
    docker.docker("update", "--memory", "300m", "--memory-swap", "300m", "--cpu-shares", "512", "stays")
    measured = docker.docker("stats", "--no-stream", "--format", "{{.MemUsage}}", "stays").stdout
    assert "/ 300MiB" in measured
    assert not measured.startswith("0B")
    docker.docker("rm", "--force", "stays")


def test_docker_knows_that_a_monitor_was_killed_for_want_of_memory(docker: Dockerd) -> None:
    """Its limit is lowered below what its guest may take, and the guest takes it when it is told to."""
    script = f"trap 'exec /bin/busybox tail /dev/zero' USR1; echo {READY}; while :; do sleep 0.05; done"
    options = (
        "--detach",
        "--name",
        "greedy",
        "--runtime",
        "urunc",
        "--memory",
        "512m",
        "--memory-swap",
        "512m",
    )
    docker.docker("run", *options, LINUX, "/bin/busybox", "sh", "-c", script)
    eventually(lambda: READY in docker.docker("logs", "greedy").stdout, "output")
    docker.docker("update", "--memory", "300m", "--memory-swap", "300m", "greedy")
    docker.docker("kill", "--signal", "USR1", "greedy")
    state = ("inspect", "--format", "{{.State.Status}} {{.State.OOMKilled}} {{.State.ExitCode}}", "greedy")
    eventually(lambda: docker.docker(*state).stdout.strip() == "exited true 137", "the end")
    docker.docker("rm", "greedy")


@pytest.fixture
def named(docker: Dockerd) -> Iterator[str]:
    """A network whose containers have names: a web server is there, called web."""
    docker.docker("network", "create", "named")
    try:
        options = ("--detach", "--name", "web", "--network", "named")
        docker.docker("run", *options, images.BUSYBOX, *SHELL_SERVER)
        yield "named"
    finally:
        left = docker.docker("ps", "--all", "--quiet").stdout.split()
        docker.docker("rm", "--force", *left, check=False)
        docker.docker("network", "rm", "named")


@pytest.mark.parametrize("shared", [False, True], ids=["alone", "beside another container"])
def test_a_guest_resolves_the_names_of_dockers_own_network(
    docker: Dockerd, named: str, *, shared: bool
) -> None:
    if shared:
        options = ("--detach", "--name", "first", "--network", named)
        docker.docker("run", *options, images.BUSYBOX, "sleep", "600")
    network = "container:first" if shared else named
    ask = ("/bin/busybox", "wget", "-q", "-O", "-", "http://web/")
    answer = docker.docker("run", "--rm", "--runtime", "urunc", "--network", network, LINUX, *ask)
    assert answer.stdout.strip() == "a page from a shell"
