# SPDX-License-Identifier: Apache-2.0
"""Linux guests whose monitor is in a user namespace."""

from __future__ import annotations

import os
import subprocess

import namespaces
import pytest
from capabilities import require
from e2e import linux_container
from e2e.linux_roots import ROOTS, in_initrd
from e2e.waiting import eventually

pytestmark = pytest.mark.vm

FIRST, SIZE = 300000, 65536
MAP = [{"containerID": 0, "hostID": FIRST, "size": SIZE}]


@pytest.fixture(name="container")
def container_fixture(tmp_path):
    require("root", "qemu")
    with linux_container.container(tmp_path) as container:
        container.linux.update(uidMappings=MAP, gidMappings=MAP)
        container.linux["namespaces"].append({"type": "user"})
        yield container


def give(container):
    """The image's files to the container's root, as engines do."""
    for folder, names, files in os.walk(container.rootfs):
        for name in (".", *names, *files):
            path = os.path.join(folder, name)
            if name not in files or os.lstat(path).st_nlink == 1:  # others use the kernel, too
                os.lchown(path, FIRST, FIRST)


@pytest.mark.parametrize("root", ROOTS)
@pytest.mark.parametrize("uid", [0, 1000])
def test_a_guest_boots_in_a_user_namespace_on_every_kind_of_root(root, uid, container):
    if uid and root == "9p":
        pytest.skip("by 9p only root serves files")
    ROOTS[root](container)
    give(container)
    container.process["user"] = {"uid": uid, "gid": uid}
    done = container.run("/bin/sh", "-c", "/bin/id -u; exit 3")
    assert done.stdout == f"{uid}\n"
    assert done.status == 2 * 3 + 1


def test_files_of_a_shared_root_are_the_guests_users_and_the_hosts_mapped_ones(container):
    ROOTS["virtiofs"](container)
    give(container)
    assert container.run("/bin/sh", "-c", "touch /made; chown 7:8 /made").status == 0
    made = (container.rootfs / "made").stat()
    assert (made.st_uid, made.st_gid) == (FIRST + 7, FIRST + 8)


@pytest.mark.parametrize("owner", ["the host", "the container"])
def test_a_guest_in_a_user_namespace_has_its_network(owner, container, tmp_path):
    in_initrd(container)
    give(container)
    with namespaces.namespace() as name:
        if owner == "the host":
            container.join(network=namespaces.path(name))
        with (tmp_path / "said").open("wb") as output:
            container.write("/bin/sh", "-c", "/bin/busybox ip -4 addr show eth0; sleep 600")
            words = ["create", "--bundle", str(container.rootfs.parent), container.folder.name]
            subprocess.run(
                container.argv(*words), check=True, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                env=container.environment,
            )  # fmt: skip
        inside = ["nsenter", f"--net=/proc/{container.pid}/ns/net", "ip"]
        for words in ("link add eth0 type veth peer name far", "address add 10.9.8.7/24 dev eth0"):
            subprocess.run([*inside, *words.split()], check=True)
        for name in ("far", "eth0"):
            subprocess.run([*inside, "link", "set", name, "up"], check=True)
        assert container("start").returncode == 0
        eventually(lambda: "inet 10.9.8.7/24" in (tmp_path / "said").read_text(), "the address")
        container("delete", "--force")


def test_a_guest_joins_the_user_namespace_of_another(container, tmp_path):
    in_initrd(container)
    give(container)
    container.start("/bin/sh", "-c", "echo here; sleep 600", output=tmp_path / "first")
    eventually(lambda: "here" in (tmp_path / "first").read_text(), "a word of the first")
    with linux_container.container(tmp_path) as other:
        in_initrd(other)
        give(other)
        other.linux["namespaces"].append({"type": "user"})
        names = {"user": "user", "ipc": "ipc", "uts": "uts", "network": "net"}
        other.join(**{kind: f"/proc/{container.pid}/ns/{name}" for kind, name in names.items()})
        other.process["user"] = {"uid": 5, "gid": 5}
        assert other.run("/bin/sh", "-c", "/bin/id -u").stdout == "5\n"
