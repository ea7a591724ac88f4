# SPDX-License-Identifier: Apache-2.0
"""Whatever is killed, and whenever: `delete --force` and `doctor --clean` leave nothing of it."""

import json
import os
import random
import shutil
import signal
import subprocess
import threading
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from capabilities import require
from namespaces import ip, namespace, path, traces

from urunc.host import kvm
from urunc.host.cgroups import find

MANY, AT_ONCE = 100, 4


@contextmanager
def pod():
    """A namespace with an interface, as an engine makes it."""
    with namespace() as host, namespace() as name:
        ip("-n", host, "link", "add", "veth0", "type", "veth", "peer", "name", "eth0", "netns", name)
        ip("-n", name, "address", "add", "10.9.8.7/24", "dev", "eth0")
        ip("-n", name, "link", "set", "eth0", "up")
        yield name


def in_namespace(bundle, name, mode):
    """A bundle whose container joins it."""
    spaces = bundle.config["linux"]["namespaces"]
    spaces[:] = [one for one in spaces if one["type"] != "network"]
    spaces.append({"type": "network", "path": path(name)})
    bundle.config["annotations"] = {"run.urunc.network": mode}


def killed(urunc, container_id="c1"):
    os.kill(urunc.state(container_id)["pid"], signal.SIGKILL)
    urunc.wait_for("stopped", container_id)


def lines(done, name):
    """What is said of our namespace and containers; others may be about."""
    return [line for line in done.stdout.splitlines() if name in line]


@pytest.mark.parametrize("mode", ["own", "shared"])
def test_a_container_whose_monitor_was_killed_is_listed_and_removed(urunc, bundle, mode):
    with pod() as name:
        in_namespace(bundle, name, mode)
        urunc.create(bundle)
        urunc("start", "c1")
        assert lines(urunc("doctor", check=False), name) == []
        killed(urunc)
        listed = urunc("doctor", check=False)
        assert listed.returncode == 1
        assert lines(listed, str(urunc.root)) == [f"container c1 in {urunc.root}, which has no process"]
        assert len(lines(listed, name)) == 1
        assert traces(name), "listing changes nothing"
        urunc("doctor", "--clean", check=False)
        assert traces(name) == []
        assert urunc.leftovers() == []


@pytest.mark.parametrize("mode", ["own", "shared"])
def test_traces_without_a_container_are_removed(urunc, bundle, mode):
    with pod() as name:
        in_namespace(bundle, name, mode)
        urunc.create(bundle)
        urunc("start", "c1")
        file = urunc.root / "c1" / "container.json"
        pid, kept = urunc.state()["pid"], file.read_text()
        file.unlink()
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        assert traces(name)
        urunc("doctor", "--clean", check=False)
        assert traces(name) == []
        file.write_text(kept)


def test_a_running_container_is_no_leftover(urunc, bundle):
    with pod() as name:
        in_namespace(bundle, name, "shared")
        urunc.create(bundle)
        urunc("start", "c1")
        before = traces(name)
        urunc("doctor", "--clean", check=False)
        assert traces(name) == before
        assert urunc.state()["status"] == "running"


def test_a_container_that_waits_for_start_is_no_leftover(urunc, bundle):
    urunc.create(bundle)
    urunc("doctor", "--clean", check=False)
    assert urunc.state()["status"] == "created"


def test_an_old_empty_cgroup_is_removed(urunc):
    directory = Path(find()[0].mount_point) / "urunc" / f"test-{os.getpid()}"
    directory.mkdir(parents=True)
    try:
        assert lines(urunc("doctor", check=False), directory.name) == [], "it may be about to be entered"
        os.utime(directory, (1, 1))
        urunc("doctor", "--clean", check=False)
        assert not directory.exists()
    finally:
        if directory.exists():
            directory.rmdir()


def test_half_a_state_directory_is_removed(urunc):
    directory = urunc.root / ".c1.4194305"
    directory.mkdir(parents=True)
    urunc("doctor", "--clean", check=False)
    assert not directory.exists()


class Chaos:
    """Containers in a namespace, each of whose commands may be killed half way."""

    def __init__(self, urunc, bundle, name, seed):
        self.urunc, self.bundle, self.name, self.random = urunc, bundle, name, random.Random(seed)
        self.number = 0

    def live(self, container_id):
        mode = self.random.choice(["own", "shared", "shared"])
        in_namespace(self.bundle, self.name, mode)
        self.bundle.write()
        self.run("create", "--bundle", str(self.bundle.path), container_id)
        self.run("start", container_id)
        if self.random.random() < 0.5:
            self.run("kill", container_id, "KILL")
        if self.random.random() < 0.5:
            self.run("delete", "--force", container_id)

    def run(self, *words):
        process = subprocess.Popen(
            self.urunc.argv(*words), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, env=self.urunc.environment,
        )  # fmt: skip
        if self.random.random() < 0.4:
            time.sleep(self.random.uniform(0, 0.08))
            process.kill()
        process.wait(timeout=60)


def test_a_hundred_containers_killed_at_random_leave_nothing(urunc, bundle, tmp_path):
    urunc.use_shell_as_monitor()
    ids = [f"chaos{number}" for number in range(MANY)]
    urunc.ids += ids
    seed = time.time_ns()
    print("seed", seed)
    with ExitStack() as stack:
        names = [stack.enter_context(pod()) for _ in range(AT_ONCE)]
        chaos = [
            Chaos(urunc, type(bundle)(tmp_path / f"bundle{number}"), name, seed + number)
            for number, name in enumerate(names)
        ]
        threads = [
            threading.Thread(target=lambda one=one, own=ids[number::AT_ONCE]: [one.live(id) for id in own])
            for number, one in enumerate(chaos)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for container_id in ids:
            urunc("delete", "--force", container_id)
        urunc("doctor", "--clean", check=False)
        assert [trace for name in names for trace in traces(name)] == []
        assert urunc.leftovers() == []
        assert str(urunc.root) not in Path("/proc/self/mountinfo").read_text()


def test_a_packed_root_without_an_image_is_listed_and_removed(urunc):
    folder = Path("/var/cache/urunc") / f"doctor-{os.getpid()}.ext4"
    folder.mkdir(parents=True)
    try:
        (folder / "image").write_bytes(os.urandom(3 << 20))
        (folder / "layers").write_text("1.2 /nowhere/at/all")
        assert lines(urunc("doctor", check=False), folder.name) == [
            f"the packed root {folder} of 3 MiB, whose image is gone"
        ]
        urunc("doctor", "--clean", check=False)
        assert not folder.exists()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def findings(urunc):
    """By name, and whether a script is told that all is well."""
    done = urunc("doctor", "--format", "json", check=False)
    said = json.loads(done.stdout)
    lacks = any(one["needed"] and not one["ok"] for one in said["findings"])
    assert done.returncode == int(lacks or bool(said["leftovers"]))
    return {one["name"]: one for one in said["findings"]}


def test_the_truth_is_told_about_kvm_and_the_kernel(urunc):
    found = findings(urunc)
    assert found["kvm"]["ok"] is kvm.measure()
    assert found["kvm"]["ok"] or found["kvm"]["remedy"]
    assert found["kernel"]["found"] == os.uname().release
    assert found["tun"]["ok"] is os.path.exists("/dev/net/tun")
    assert found["vhost-net"]["ok"] is os.path.exists("/dev/vhost-net")
    assert found["nftables"]["ok"]


def test_programs_are_named_with_their_versions(urunc):
    require("runc")
    version = subprocess.check_output(["runc", "--version"], text=True).splitlines()[0]
    found = findings(urunc)
    assert version in found["ordinary containers"]["found"]
    assert found["monitor qemu"]["ok"]


def test_an_unknown_format_is_refused(urunc):
    assert "invalid format 'xml'; use table or json" in urunc("doctor", "--format", "xml", check=False).stderr
