# SPDX-License-Identifier: Apache-2.0
"""Linux guests that an ordinary user runs, without anything that somebody would have had to set up."""

from __future__ import annotations

import json
import os
import socket

import ordinary_user
import pytest
from capabilities import require
from e2e import linux_container
from e2e.linux_container import Container
from e2e.linux_roots import ROOTS, in_initrd
from e2e.waiting import eventually

pytestmark = pytest.mark.vm


class Ordinary(Container):
    """One of an ordinary user, whose state is where such a user's is."""

    def argv(self, *words: str) -> list[str]:
        program, _, _, *rest = super().argv(*words)
        return [*ordinary_user.COMMAND, program, *rest]

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, **ordinary_user.environment(self.folder)}


@pytest.fixture(name="container")
def container_fixture():
    require("root", "qemu")
    with ordinary_user.open_folder() as folder, linux_container.container(folder, kind=Ordinary) as container:
        yield container


@pytest.mark.parametrize("root", [root for root in ROOTS if root != "device"])
def test_a_guest_of_an_ordinary_user_boots_on_every_kind_of_root(root, container):
    ROOTS[root](container)
    ordinary_user.give(container.folder)
    done = container.run("/bin/sh", "-c", "/bin/id -u; exit 3")
    assert (done.stdout, done.status) == ("0\n", 2 * 3 + 1), done.stderr


@pytest.mark.parametrize("uid", [0, 1000])
def test_its_monitor_is_a_process_of_that_user(uid, container, tmp_path):
    in_initrd(container)
    ordinary_user.give(container.folder)
    container.process["user"] = {"uid": uid, "gid": uid}
    container.start("/bin/sh", "-c", "/bin/id -u; sleep 600", output=tmp_path / "said")
    eventually(lambda: f"{uid}\n" in (tmp_path / "said").read_text(), "the guest's word")
    assert os.stat(f"/proc/{container.pid}").st_uid == ordinary_user.UID
    assert container("kill", "KILL").returncode == 0
    eventually(lambda: json.loads(container("state").stdout)["status"] == "stopped", "its end")
    assert container("delete").returncode == 0
    assert not [path for path in (container.folder / "run/urunc").iterdir() if path.is_dir()]


def test_a_port_of_the_host_leads_to_its_guest(container, tmp_path):
    in_initrd(container)
    ordinary_user.give(container.folder)
    port = free_port()
    container.annotations["run.urunc.network"] = f"user,tcp:{port}:8080"
    container.linux["namespaces"] = [one for one in container.linux["namespaces"] if one["type"] != "network"]
    served = 'while :; do echo "from the guest" | /bin/busybox nc -l -p 8080; done'
    container.start("/bin/sh", "-c", served, output=tmp_path / "said")
    # QEMU takes a connection before the guest does, and then hangs up.
    assert eventually(lambda: answer(port), "an answer") == b"from the guest\n"
    container("delete", "--force")


def test_a_limit_for_which_the_user_has_no_cgroup_is_refused_by_name(container):
    in_initrd(container)
    ordinary_user.give(container.folder)
    container.linux["resources"] = {"pids": {"limit": 100}}
    done = container.run("/bin/sh")
    assert (
        "linux.resources.pids.limit cannot hold: there is no cgroup controller pids for this" in done.stderr
    )
    assert done.status == 1
    assert not [path for path in (container.folder / "run/urunc").iterdir() if path.is_dir()]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def answer(port: int) -> bytes:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            return connection.makefile("rb").readline()
    except ConnectionError:
        return b""
