# SPDX-License-Identifier: Apache-2.0
"""Linux guests under containerd: images that bima has built, and ordinary ones."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from capabilities import require
from e2e import examples, linux_image, network
from e2e.images import BUSYBOX
from e2e.linux_image import IMAGE
from e2e.terminal import terminal
from e2e.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from e2e.engine import Engine

pytestmark = [pytest.mark.vm, pytest.mark.root, pytest.mark.usefixtures("image", "bridge", "clean")]

CACHE = Path("/var/cache/urunc")
SERVE = ("httpd", "-f", "-h", "/data")
DUAL = "dual"
VM = ("--annotation", "run.urunc.vm=true")
STOPPABLE = ("sh", "-c", "trap 'echo got it; exit 5' TERM; echo ready; while :; do sleep 0.1; done")


@pytest.fixture(scope="module", name="image")
def image_fixture(engine: Engine, builder: examples.Builder) -> None:
    require("nerdctl", "linux-kernel", "virtiofsd")
    engine.ctr("images", "import", str(linux_image.archive(builder)))


@pytest.fixture(scope="module", name="runtime")
def runtime_fixture(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One that has a kernel for images without."""
    folder = tmp_path_factory.mktemp("default")
    folder.chmod(0o755)
    return str(examples.runtime(folder, linux_image.configuration(folder / "boot")) / "urunc")


@pytest.fixture(scope="module")
def dual(engine: Engine) -> Iterator[None]:
    with network.dual_network(DUAL, engine.directory / "addresses", engine.cni):
        yield


@pytest.fixture
def packed() -> Iterator[list[Path]]:
    """Files of the cache that have to go."""
    files: list[Path] = []
    yield files
    for path in files:
        shutil.rmtree(path.parent, ignore_errors=True)


def run(*words: str, runtime: str = "urunc") -> list[str]:
    return ["run", "--runtime", runtime, *words]


def addresses(engine: Engine, container: str) -> list[str]:
    """As they stand in a URL."""
    (found,) = json.loads(engine.nerdctl("inspect", container).stdout)
    settings = found["NetworkSettings"]
    return [settings["IPAddress"], f"[{settings['GlobalIPv6Address']}]"]


def is_logged(engine: Engine, container: str, text: str) -> None:
    eventually(lambda: text in engine.nerdctl("logs", container).stdout, text)


@pytest.mark.usefixtures("dual")
def test_a_page_that_the_host_wrote_is_served_by_both_versions_of_ip(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "page").write_text("first")
    options = ("--detach", "--name", "web", "--net", DUAL, "-v", f"{tmp_path}:/data")
    engine.nerdctl(*run(*options, IMAGE, *SERVE))
    for address in addresses(engine, "web"):
        assert network.page(address, "/page") == "first"
    (tmp_path / "page").write_text("second")
    for address in addresses(engine, "web"):
        assert network.page(address, "/page") == "second"
    engine.nerdctl("rm", "--force", "web")


def test_stop_reaches_the_program(engine: Engine) -> None:
    engine.nerdctl(*run("--detach", "--name", "stays", IMAGE, *STOPPABLE))
    is_logged(engine, "stays", "ready")
    engine.nerdctl("stop", "stays")
    is_logged(engine, "stays", "got it")
    assert f"Exited ({2 * 5 + 1})" in engine.nerdctl("ps", "--all", "--format", "{{.Status}}").stdout
    engine.nerdctl("rm", "stays")


@pytest.mark.parametrize(("signal", "status", "seen"), [("QUIT", 0, 0), ("TERM", 3, 2 * 3 + 1)])
def test_a_program_that_ends_on_its_stop_signal_is_seen_ending(
    engine: Engine, signal: str, status: int, seen: int
) -> None:
    script = f"trap 'echo bye; exit {status}' {signal}; echo ready; while :; do sleep 0.1; done"
    options = ("--detach", "--name", "leaves", "--stop-signal", signal)
    engine.nerdctl(*run(*options, IMAGE, "sh", "-c", script))
    is_logged(engine, "leaves", "ready")
    engine.nerdctl("stop", "--time", "60", "leaves")
    is_logged(engine, "leaves", "bye")
    assert f"Exited ({seen})" in engine.nerdctl("ps", "--all", "--format", "{{.Status}}").stdout
    engine.nerdctl("rm", "leaves")


def test_nerdctl_runs_further_programs(engine: Engine) -> None:
    engine.nerdctl(*run("--detach", "--name", "serves", "--env", "A=1", IMAGE, *STOPPABLE))
    is_logged(engine, "serves", "ready")
    argv = engine.nerdctl_argv("exec", "-i", "serves", "sh", "-c", "cat; echo wrong >&2; exit 7")
    done = subprocess.run(argv, input=b"one\ntwo\n", capture_output=True, check=False, timeout=60)
    assert done.stdout == b"one\ntwo\n"
    assert b"wrong\n" in done.stderr
    assert b"exec failed with exit code 7" in done.stderr, "nerdctl itself ends with 1"
    options = ("--user", "1000:1000", "--workdir", "/tmp", "--env", "B=2")
    done_as = engine.nerdctl("exec", *options, "serves", "sh", "-c", "id -u; pwd; echo $A $B")
    assert done_as.stdout == "1000\n/tmp\n1 2\n"
    with terminal(engine.nerdctl_argv("exec", "-it", "serves", "sh")) as session:
        session.expect("# ")
        session.send("tty; exit 4\n")
        session.expect("/dev/pts/")
        session.expect("exec failed with exit code 4")
        session.end()
    missing = engine.nerdctl("exec", "serves", "missing", check=False)
    assert "executable file not found in $PATH" in missing.stderr
    engine.nerdctl("rm", "--force", "serves")


def test_ctr_runs_further_programs_and_sends_them_signals(engine: Engine) -> None:
    engine.ctr("run", "--detach", "--runc-binary", "urunc", IMAGE, "one", *STOPPABLE)
    eventually(lambda: engine.tasks().get("one") == "RUNNING", "the guest is up")
    script = ("sh", "-c", "trap 'exit 6' USR1; echo up; while :; do sleep 0.1; done")
    with subprocess.Popen(
        engine.ctr_argv("tasks", "exec", "--exec-id", "two", "one", *script),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout
        assert process.stdout.readline() == b"up\n"
        engine.ctr("tasks", "kill", "--exec-id", "two", "--signal", "SIGUSR1", "one")
        assert process.wait(60) == 6
    engine.ctr("tasks", "kill", "--signal", "SIGKILL", "one")
    eventually(lambda: engine.tasks()["one"] == "STOPPED", "the end")
    engine.ctr("tasks", "rm", "one", check=False)
    engine.ctr("containers", "rm", "one")


def test_input_output_and_status_arrive(engine: Engine) -> None:
    argv = engine.nerdctl_argv(*run("--rm", "-i", IMAGE, "sh", "-c", "cat; echo wrong >&2; exit 3"))
    done = subprocess.run(argv, input=b"one\ntwo\n", capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (2 * 3 + 1, b"one\ntwo\n"), done.stderr
    assert b"wrong\n" in done.stderr


def test_ctr_runs_a_guest(engine: Engine) -> None:
    script = ("sh", "-c", "cat /proc/sys/kernel/hostname; exit 4")
    done = engine.ctr("run", "--rm", "--runc-binary", "urunc", IMAGE, "one", *script, check=False)
    assert (done.returncode, done.stdout) == (2 * 4 + 1, "urunc\n"), done.stderr


def test_an_ordinary_image_is_a_machine_if_one_asks_for_it(engine: Engine, runtime: str) -> None:
    script = ("sh", "-c", "cat /proc/cmdline; exit 6")
    done = engine.nerdctl(*run("--rm", *VM, BUSYBOX, *script, runtime=runtime), check=False)
    assert done.returncode == 2 * 6 + 1, done.stderr
    assert "rdinit=/.urunc/init" in done.stdout


def test_a_packed_root_is_made_once(engine: Engine, runtime: str, packed: list[Path]) -> None:
    first, second = (packed_file(engine, runtime, name, packed) for name in ("first", "second"))
    assert first == second


def packed_file(engine: Engine, runtime: str, name: str, packed: list[Path]) -> Path:
    """The file of the cache that a guest has as its disk, while it runs."""
    options = ("--detach", "--name", name, *VM, "--annotation", "run.urunc.root=packed")
    script = ("sh", "-c", "echo written >/made; ls /bin/busybox; sleep 100")
    engine.nerdctl(*run(*options, BUSYBOX, *script, runtime=runtime))
    is_logged(engine, name, "/bin/busybox")
    pid = engine.nerdctl("inspect", "--format", "{{.State.Pid}}", name).stdout.strip()
    disk = os.stat(f"/proc/{pid}/root/disk0.image")
    (path,) = (file for file in CACHE.glob("*/image") if os.path.samestat(file.stat(), disk))
    packed.append(path)
    engine.nerdctl("rm", "--force", name)
    return path
