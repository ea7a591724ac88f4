# SPDX-License-Identifier: Apache-2.0
"""What the monitor is: whom it runs as, what it sees, and what it has inherited."""

import json
import os
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from capabilities import require
from private import OWN_CGROUP

from urunc import qcow2


def facts(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def mounts(pid):
    """Mount point -> options of the monitor's mounts."""
    lines = (line.split() for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines())
    return {fields[4].replace("\\040", " "): set(fields[5].split(",")) for fields in lines}


@pytest.fixture
def start(urunc, bundle):
    def start():
        urunc.create(bundle)
        urunc("start", "c1")
        return urunc.report(), urunc.state()["pid"]

    return start


def test_it_sees_a_small_root_with_the_image_under_fixed_names(start, urunc):
    report, pid = start()
    host_links = {
        name for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32") if os.path.lexists(f"/{name}")
    }
    tree = urunc.environment["PATH"].split("/")[1]  # where the fake one is installed
    assert set(report["root"]) == {"dev", "usr", "kernel", tree} | host_links
    assert report["devices"] == ["/dev/null", "/dev/urandom"]
    assert report["argv"][report["argv"].index("-kernel") + 1] == "/kernel"
    found = mounts(pid)
    assert {"ro", "nosuid", "nodev", "noexec"} <= found["/kernel"]
    assert {"ro", "nosuid", "nodev"} <= found["/usr"]
    assert "ro" in found["/"]


def test_a_monitor_outside_a_bin_directory_comes_alone(urunc, bundle, tmp_path):
    program = tmp_path / "odd place" / "monitor"
    program.parent.mkdir()
    Path(urunc.environment["PATH"].split(":")[0], "qemu-system-x86_64").rename(program)
    (tmp_path / "odd place" / "secret").touch()
    configuration = Path(urunc.environment["URUNC_CONFIG_FILE"])
    configuration.write_text(f'{configuration.read_text()}path = "{program}"\n')
    urunc.create(bundle)
    urunc("start", "c1")
    urunc.report()
    assert str(program) in mounts(urunc.state()["pid"])
    assert not Path(f"/proc/{urunc.state()['pid']}/root{program.with_name('secret')}").exists()


def test_nothing_of_the_host_is_mounted_below_it_but_usr(start, urunc):
    _, pid = start()
    tree = str(Path(urunc.environment["PATH"].split(":")[0]).parent)
    outside = [point for point in mounts(pid) if point not in ("/", "/usr", "/kernel", tree)]
    assert [point for point in outside if not point.startswith("/usr/")] == []


def test_it_inherits_nothing_but_its_streams_and_what_its_command_line_names(urunc, bundle):
    urunc.use_shell_as_monitor()
    read_end, write_end = os.pipe()
    urunc.create(bundle, pass_fds=(read_end, write_end), preexec_fn=_spoil_signals)
    urunc("start", "c1")
    pid = urunc.state()["pid"]
    found = facts(pid)
    assert (int(found["SigIgn"], 16), int(found["SigBlk"], 16)) == (0, 0)
    environment = Path(f"/proc/{pid}/environ").read_text().split("\0")
    assert [word.partition("=")[0] for word in environment if word] == ["PATH"]
    # The shell itself opens its script.
    descriptors = {entry.name for entry in Path(f"/proc/{pid}/fd").iterdir()} - {"10"}
    named = re.findall(r"\bfd=(\d+)", Path(f"/proc/{pid}/cmdline").read_text())
    assert descriptors == {"0", "1", "2", *named}
    assert len(named) < 2, "a guest without a first process of ours has a control socket at most"
    assert os.readlink(f"/proc/{pid}/cwd") == "/"


def _spoil_signals():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])


def test_it_has_no_capability_even_as_root(start):
    _, pid = start()
    found = facts(pid)
    assert {found[name].strip("0") for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {""}


def test_it_runs_as_the_containers_user(start, bundle):
    bundle.config["process"]["user"] = {"uid": 1234, "gid": 567, "additionalGids": [5, 6]}
    bundle.config["process"]["noNewPrivileges"] = True
    report, pid = start()
    found = facts(pid)
    assert found["Uid"].split() == ["1234"] * 4
    assert found["Gid"].split() == ["567"] * 4
    assert (report["groups"], found["NoNewPrivs"]) == ([5, 6], "1")


def test_it_is_in_the_cgroup_of_cgroups_path(start, bundle):
    bundle.config["linux"]["cgroupsPath"] = "/urunc-test/deep/c1"
    _, pid = start()
    paths = [line.split(":", 2)[2] for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines()]
    assert {path.removeprefix(OWN_CGROUP) for path in paths} == {"/urunc-test/deep/c1"}


def test_it_is_alone_in_its_namespaces(start):
    _, pid = start()
    for kind in ("pid", "ipc", "uts", "mnt", "net"):
        assert os.stat(f"/proc/{pid}/ns/{kind}").st_ino != os.stat(f"/proc/self/ns/{kind}").st_ino
    assert facts(pid)["NSpid"].split()[-1] == "1"


def test_it_joins_the_namespaces_that_have_a_path(start, bundle):
    other = subprocess.Popen(["unshare", "-nuip", "--fork", "--kill-child=KILL", "sleep", "60"])
    try:
        inner = int(Path(f"/proc/{other.pid}/task/{other.pid}/children").read_text() or 0)
        while not inner:
            inner = int(Path(f"/proc/{other.pid}/task/{other.pid}/children").read_text() or 0)
        kinds = {"network": "net", "ipc": "ipc", "uts": "uts", "pid": "pid"}
        bundle.config["linux"]["namespaces"] = [
            {"type": kind, "path": f"/proc/{inner}/ns/{name}"} for kind, name in kinds.items()
        ]
        _, pid = start()
        for name in kinds.values():
            assert os.stat(f"/proc/{pid}/ns/{name}").st_ino == os.stat(f"/proc/{inner}/ns/{name}").st_ino
    finally:
        other.kill()
        other.wait()


def test_its_terminal_is_handed_to_the_console_socket(urunc, bundle, tmp_path):
    bundle.config["process"]["terminal"] = True
    bundle.config["process"]["consoleSize"] = {"height": 20, "width": 70}
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "console"))
        listener.listen()
        urunc.create(bundle, "c1", "--console-socket", str(tmp_path / "console"))
        listener.settimeout(10)
        with listener.accept()[0] as connection:
            master = socket.recv_fds(connection, 100, 1)[1][0]
    assert os.get_terminal_size(master) == (70, 20)
    urunc("start", "c1")
    text = b""
    while b"\n" not in text:
        text += os.read(master, 65536)
    assert json.loads(text.splitlines()[0])["terminal"]
    os.close(master)


@pytest.mark.parametrize(("limit_mib", "guest_mib"), [(512, 432), (112, 48)])
def test_the_guest_gets_what_the_monitor_does_not_need_of_the_limit(start, bundle, limit_mib, guest_mib):
    bundle.config["linux"]["resources"] = {"memory": {"limit": limit_mib << 20}}
    report, _ = start()
    assert report["argv"][report["argv"].index("-m") + 1] == f"{guest_mib}M"


def test_a_guests_writes_stay_in_the_container_and_survive_a_new_start(urunc, bundle):
    require("qemu")
    (bundle.rootfs / "disk").write_bytes(b"image" * 1000)
    bundle.image.update(unikernelType="linux", block="/disk", blkMntPoint="/")
    bundle.config["process"]["args"] = ["/init", "wait"]
    urunc.create(bundle)
    urunc("start", "c1")
    argv = urunc.report()["argv"]
    assert any("file=/disk0" in word and "qcow2" in word for word in argv)
    overlay = bundle.rootfs / ".urunc-disk0.qcow2"
    first = overlay.stat().st_ino
    urunc("delete", "--force", "c1")
    urunc.create(bundle)
    assert overlay.stat().st_ino == first
    assert (bundle.rootfs / "disk").read_bytes() == b"image" * 1000


@pytest.mark.parametrize("backing", ["/usr/bin/true", "nbd:127.0.0.1:10809", 'json:{"driver":"null-co"}'])
def test_an_overlay_that_the_image_brings_along_opens_nothing(urunc, bundle, backing):
    (bundle.rootfs / "disk").write_bytes(bytes(1 << 20))
    bundle.image.update(block="/disk", blkMntPoint="/")
    (bundle.rootfs / ".urunc-disk0.qcow2").write_bytes(qcow2.render(1 << 20, backing))
    said = urunc.said(urunc.create(bundle, check=False))
    assert "/.urunc-disk0.qcow2 of the image is not a disk overlay that urunc made" in said


def test_an_overlay_that_qemu_has_written_to_is_still_ours(urunc, bundle, tmp_path):
    require("qemu-utils")
    base, overlay = tmp_path / "base", bundle.rootfs / ".urunc-disk0.qcow2"
    base.write_bytes(bytes(1 << 20))
    overlay.write_bytes(qcow2.render(1 << 20, "/disk0.image"))
    (bundle.rootfs / "disk").write_bytes(bytes(1 << 20))
    options = f"driver=qcow2,file.filename={overlay},backing.driver=raw,backing.file.filename={base}"
    command = ["qemu-io", "--image-opts", options, "-c", "write 0 256k"]
    subprocess.run(command, check=True, capture_output=True)
    bundle.image.update(block="/disk", blkMntPoint="/")
    urunc.create(bundle)
