# SPDX-License-Identifier: Apache-2.0
"""What an ordinary user's container is for the kernel."""

import os
from contextlib import contextmanager
from pathlib import Path

import ordinary_user
import pytest
from capabilities import require
from conformance import Process, Runc, Urunc
from daemons import run
from ordinary_user import GID, UID, open_folder
from private import private_mounts

OWN = {
    "uidMappings": [{"containerID": 0, "hostID": UID, "size": 1}],
    "gidMappings": [{"containerID": 0, "hostID": GID, "size": 1}],
}
FIRST, COUNT = 700000, 5000


@pytest.fixture(params=[Urunc, Runc], ids=["urunc", "runc"])
def subject(request):
    if request.param is Urunc:
        yield request.getfixturevalue("ours")
        return
    with open_folder() as folder:
        require("runc", "busybox")
        runc = Runc(folder)
        runc.config["linux"]["namespaces"].append({"type": "user"})
        runc.config["linux"].update(OWN)
        runc.command = [*ordinary_user.COMMAND, "env", "XDG_RUNTIME_DIR=/nowhere", "runc"]
        ordinary_user.give(folder)
        yield runc
        runc.end()


@pytest.fixture
def ours(urunc, bundle):
    """Everything of it in a folder of an ordinary user."""
    with open_folder() as folder:
        runtime, files = type(urunc)(folder), type(bundle)(folder / "bundle")
        subject = Urunc(runtime, files)
        files.write()
        for file in (runtime.output, folder / "stderr"):
            file.touch()
        runtime.environment.update(ordinary_user.environment(folder))
        ordinary_user.give(folder)
        argv = runtime.argv
        runtime.argv = lambda *words: [*ordinary_user.COMMAND, *argv(*words)]
        yield subject
        runtime("delete", "--force", "c1", check=False)
        assert runtime.leftovers() == []


def test_the_process_is_that_users_and_root_of_its_own_namespace(subject):
    found = subject.start()
    assert found.status("Uid").split() == [str(UID)] * 4
    assert found.text("uid_map").split() == ["0", str(UID), "1"]
    assert found.text("gid_map").split() == ["0", str(GID), "1"]


@pytest.mark.parametrize("kind", ["pid", "ipc", "uts", "mnt", "net"])
def test_its_namespaces_are_new(subject, kind):
    assert subject.start().namespace(kind) != Process(os.getpid()).namespace(kind)


def test_it_has_no_capability(subject):
    assert set(subject.start().capabilities().values()) == {0}


def test_its_hostname_is_its_own(subject):
    subject.config["hostname"] = "mine"
    found = subject.start()
    assert found.inside("uts", "hostname") == "mine"


def test_ids_of_the_users_range_are_mapped_where_there_is_one(ours, tmp_path):
    require("uidmap")
    urunc = ours.runtime
    with ranges(tmp_path):
        # A program with the right to map needs a set that it could be in.
        command = [word for word in ordinary_user.COMMAND if not word.startswith("--bounding-set")]
        argv = urunc.argv
        urunc.argv = lambda *words: [*command, *argv(*words)[len(ordinary_user.COMMAND) :]]
        ours.config["process"]["user"] = {"uid": 5, "gid": 6, "additionalGids": [7]}
        found = ours.start()
        assert found.text("uid_map").split() == ["0", str(UID), "1", "1", str(FIRST), str(COUNT)]
        assert found.status("Uid").split() == [str(FIRST + 4)] * 4
        assert found.status("Gid").split() == [str(FIRST + 5)] * 4
        assert found.status("Groups").split() == [str(FIRST + 6)]
        urunc("kill", "c1", "KILL")
        urunc.wait_for("stopped")
        urunc("delete", "c1")


@contextmanager
def ranges(folder):
    """These are the user's, for us and our children."""
    table, users = folder / "ranges", folder / "passwd"
    table.write_text(f"nobody-else:{FIRST}:{COUNT}\n")
    users.write_text(Path("/etc/passwd").read_text() + f"nobody-else:x:{UID}:{GID}::/:/bin/sh\n")
    with private_mounts():
        for file, place in ((table, "subuid"), (table, "subgid"), (users, "passwd")):
            run("mount", "--bind", str(file), f"/etc/{place}")
        yield


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"uidMappings": [{"containerID": 0, "hostID": 0, "size": 5}], "gidMappings": OWN["gidMappings"]},
            "set linux.uidMappings",
        ),
        ({"namespaces": [{"type": "user", "path": "/proc/self/ns/user"}]}, "cannot join the user namespace"),
        ({"namespaces": [{"type": "time"}]}, "make a time namespace: Operation not permitted"),
        ({"resources": {"memory": {"limit": 1 << 30}}}, "linux.resources.memory.limit cannot hold"),
        ({"resources": {"cpu": {"quota": 1000, "period": 1000}}}, "linux.resources.cpu.period cannot hold"),
    ],
)
def test_what_an_ordinary_user_cannot_have_is_refused_by_name(ours, change, said):
    if "uidMappings" in change:
        ours.config["linux"]["namespaces"].append({"type": "user"})
    ours.config["linux"].update(change)
    assert said in ours.start(check=False)
    assert list(ours.runtime.root.glob("*")) == []


def test_a_user_without_a_place_for_state_is_told(ours):
    argv, root = ours.runtime.argv, str(ours.runtime.root)
    there = "/run/urunc-of-nobody"
    ours.runtime.argv = lambda *words: [there if word == root else word for word in argv(*words)]
    said = ours.start(check=False)
    assert said.startswith(f"make the state directory {there}/")
    assert said.endswith("Permission denied")
