# SPDX-License-Identifier: Apache-2.0
"""A monitor in a user namespace: it is whom the container says, and what is the host's works all the same."""

import fcntl
import os
import subprocess
import time
from pathlib import Path

import pytest
from capabilities import require
from conformance import PATIENCE_S, Process, Runc, Urunc
from ordinary_user import open_folder

FIRST, SIZE = 300000, 65536
MAP = [{"containerID": 0, "hostID": FIRST, "size": SIZE}]
NS_GET_USERNS = 0xB701


@pytest.fixture(params=[Urunc, Runc], ids=["urunc", "runc"])
def subject(request):
    if request.param is Urunc:
        yield in_users(Urunc(request.getfixturevalue("urunc"), request.getfixturevalue("bundle")))
        return
    require("runc", "busybox")
    with open_folder() as folder:
        runc = in_users(Runc(folder))
        os.chown(runc.rootfs, FIRST, FIRST)  # it makes directories there
        yield runc
        runc.end()


def in_users(subject):
    linux = subject.config["linux"]
    linux.update(uidMappings=MAP, gidMappings=MAP)
    linux["namespaces"] = [{"type": "user"}, *linux["namespaces"]]
    return subject


def owner(process: Process, kind: str) -> int:
    """The user namespace that a namespace belongs to."""
    with open(f"/proc/{process.pid}/ns/{kind}") as file:
        found = fcntl.ioctl(file, NS_GET_USERNS)
    try:
        return os.fstat(found).st_ino
    finally:
        os.close(found)


def number(process: Process, kind: str) -> int:
    return Path(f"/proc/{process.pid}/ns/{kind}").stat().st_ino


@pytest.fixture
def elsewhere():
    """A process in namespaces of its own, for others to join."""
    parent = subprocess.Popen(["unshare", "--user", "--ipc", "--uts", "--net", "sleep", "600"])
    deadline = time.monotonic() + PATIENCE_S
    while Process(parent.pid).text("comm") != "sleep\n":
        assert time.monotonic() < deadline, "unshare makes no namespaces"
        time.sleep(0.005)
    for file in ("uid_map", "gid_map"):
        Path(f"/proc/{parent.pid}/{file}").write_text(f"0 {FIRST} {SIZE}")
    yield Process(parent.pid)
    parent.kill()
    parent.wait()


def join(subject, **paths: str) -> None:
    rest = [entry for entry in subject.config["linux"]["namespaces"] if entry["type"] not in paths]
    joined = [{"type": kind, "path": path} for kind, path in paths.items()]
    subject.config["linux"]["namespaces"] = [*rest, *joined]


def test_ids_are_mapped_as_is_asked_for(subject):
    found = subject.start()
    for file in ("uid_map", "gid_map"):
        assert found.text(file).split() == ["0", str(FIRST), str(SIZE)]
    assert found.namespace("user") != Process(os.getpid()).namespace("user")


@pytest.mark.parametrize("uid", [0, 7])
def test_the_user_is_that_of_the_host_that_is_mapped(subject, uid):
    subject.config["process"]["user"] = {"uid": uid, "gid": 8, "additionalGids": [9]}
    found = subject.start()
    assert found.status("Uid").split() == [str(FIRST + uid)] * 4
    assert found.status("Gid").split() == [str(FIRST + 8)] * 4
    assert str(FIRST + 9) in found.status("Groups").split()


@pytest.mark.parametrize("kind", ["net", "ipc", "uts"])
def test_new_namespaces_belong_to_the_user_namespace(subject, kind):
    found = subject.start()
    assert owner(found, kind) == number(found, "user")


def test_a_user_namespace_is_joined_and_so_is_what_belongs_to_it(subject, elsewhere):
    path = f"/proc/{elsewhere.pid}/ns"
    join(subject, user=f"{path}/user", network=f"{path}/net", ipc=f"{path}/ipc", uts=f"{path}/uts")
    if subject.name == "urunc":  # it finds the ids by itself
        del subject.config["linux"]["uidMappings"], subject.config["linux"]["gidMappings"]
    subject.config["process"]["user"] = {"uid": 3, "gid": 4}
    found = subject.start()
    for kind in ("user", "net", "ipc", "uts"):
        assert number(found, kind) == number(elsewhere, kind)
    assert found.status("Uid").split() == [str(FIRST + 3)] * 4


def test_a_namespace_of_the_hosts_can_be_joined_as_well(urunc, bundle):
    subject = in_users(Urunc(urunc, bundle))
    join(subject, ipc="/proc/self/ns/ipc")
    found = subject.start()
    assert number(found, "ipc") == number(Process(os.getpid()), "ipc")
    assert found.text("uid_map").split()[1] == str(FIRST)


def test_there_is_no_capability_there_either(subject):
    assert set(subject.start().capabilities().values()) == {0}


def test_a_hook_of_the_container_is_in_its_user_namespace(subject):
    with open_folder() as folder:
        said = folder / "said"
        said.touch()
        said.chmod(0o666)
        words = ["sh", "-c", f"cat /proc/self/uid_map > {said}"]
        subject.config["hooks"] = {"createContainer": [{"path": "/bin/sh", "args": words}]}
        subject.start()
        assert said.read_text().split() == ["0", str(FIRST), str(SIZE)]


def test_other_ids_than_those_of_the_namespace_that_is_joined_are_refused(urunc, bundle, elsewhere):
    subject = in_users(Urunc(urunc, bundle))
    join(subject, user=f"/proc/{elsewhere.pid}/ns/user")
    subject.config["linux"]["gidMappings"] = [{"containerID": 0, "hostID": 5, "size": 9}]
    expected = f"linux.gidMappings is not what the user namespace /proc/{elsewhere.pid}/ns/user has"
    assert subject.start(check=False) == expected
    assert urunc.leftovers() == []


def test_a_path_to_another_kind_of_namespace_is_no_user_namespace(urunc, bundle):
    subject = in_users(Urunc(urunc, bundle))
    join(subject, user="/proc/self/ns/net")
    assert subject.start(check=False) == "/proc/self/ns/net is not a user namespace"
    assert urunc.leftovers() == []


def test_a_kernel_that_allows_no_user_namespace_is_said(urunc, bundle):
    subject = in_users(Urunc(urunc, bundle))
    limit = Path("/proc/sys/user/max_user_namespaces")
    argv, before = urunc.argv, limit.read_text()
    # Of a user namespace of its own, so that nobody else feels it.
    shell = f'echo 0 > {limit}; exec "$@"'
    words = ["unshare", "--user", "--map-root-user", "sh", "-c", shell, "x"]
    urunc.argv = lambda *rest: [*words, *argv(*rest)]
    said = subject.start(check=False)
    urunc.argv = argv
    assert said == "make a user namespace: No space left on device"
    assert limit.read_text() == before
    assert urunc.leftovers() == []
