# SPDX-License-Identifier: Apache-2.0
"""Linux guests under urunc: roots of each kind, volumes, streams, signals, status, ordinary images."""

from __future__ import annotations

import os
import socket
import subprocess
import termios
from pathlib import Path

import linux_kernel
import pytest
from capabilities import require
from e2e import linux_container
from e2e.linux_roots import ROOTS, in_initrd, on_a_device
from e2e.terminal import terminal
from e2e.waiting import eventually

from urunc import capabilities

SHELL = ("/bin/sh", "-c")


@pytest.fixture(name="container")
def container_fixture(tmp_path):
    require("root", "qemu")
    with linux_container.container(tmp_path) as container:
        yield container


@pytest.mark.parametrize("root", ROOTS)
def test_the_program_runs_as_the_container_says_on_every_kind_of_root(root, container):
    ROOTS[root](container)
    container.process = {
        "user": {"uid": 0, "gid": 0, "additionalGids": [7]},
        "cwd": "/tmp",
        "env": ['A=it\'s "x"'],
    }
    done = container.run(*SHELL, 'echo "$A"; echo "$0"; pwd; /bin/id -G; echo wrong >&2; exit 3', "a  b\n'c'")
    assert done.stdout == "it's \"x\"\na  b\n'c'\n/tmp\n0 7\n"
    assert "wrong\n" in done.stderr
    assert done.status == 2 * 3 + 1


def test_the_root_by_virtiofs_is_the_containers_own(container):
    ROOTS["virtiofs"](container)
    assert container.run(*SHELL, "echo new > /made; touch /boot/x").status == 0
    assert (container.rootfs / "made").read_text() == "new\n"


def test_a_device_is_back_on_the_host_when_the_container_is_deleted(container):
    on_a_device(container)
    assert container.run(*SHELL, "echo new > /made").status == 0
    assert container.rootfs.is_mount()
    assert (container.rootfs / "made").read_text() == "new\n"


def test_a_device_that_the_host_still_uses_is_refused_and_stays(container):
    on_a_device(container)
    with (container.rootfs / "busy").open("w"):
        done = container.run("/bin/sh")
    assert done.status == 1
    assert f"unmount {container.rootfs} to give /dev/loop" in done.stderr
    assert container.rootfs.is_mount()


def test_virtiofsd_has_no_capability_but_those_of_a_file_server(container, tmp_path):
    ROOTS["virtiofs"](container)
    container.start("/bin/sh", "-c", "echo ready; sleep 1000", output=tmp_path / "output")
    eventually(lambda: "ready" in (tmp_path / "output").read_text(), "the guest is up")
    found = [path for path in Path("/proc").glob("[0-9]*/comm") if path.read_text() == "virtiofsd\n"]
    cgroups = [path.parent for path in found if container.folder.name in (path.parent / "cgroup").read_text()]
    assert cgroups
    allowed = capabilities.mask(capabilities.FILE_SERVER)
    for process in cgroups:
        lines = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines())
        assert int(lines["CapEff"], 16) & ~allowed == 0
        assert lines["NoNewPrivs"] == "1"
    container("kill", "KILL")
    eventually(lambda: not any(process.exists() for process in cgroups), "it ends with its guest")


@pytest.mark.parametrize("root", ["block", "virtiofs", "packed", "device"])
def test_a_read_only_root_stays_as_it_is(root, container):
    ROOTS[root](container)
    container.root = {"readonly": True}
    done = container.run(*SHELL, "echo new > /made")
    assert done.status == 3
    assert "Read-only file system" in done.stderr
    assert not (container.rootfs / "made").exists()


@pytest.mark.parametrize("root", ROOTS)
def test_volumes_reach_the_guest_on_every_kind_of_root(root, container):
    ROOTS[root](container)
    data, secret = container.folder / "data", container.folder / "secret"
    (data / "deep").mkdir(parents=True)
    (data / "deep/file").write_text("from the host")
    # As Kubernetes makes them: the name is a link into a directory that is replaced as a whole.
    (secret / "..data").mkdir(parents=True)
    (secret / "..data/key").write_text("secret")
    (secret / "key").symlink_to("..data/key")
    resolv = container.folder / "resolv.conf"
    resolv.write_text("nameserver 10.0.0.9\n")
    container.bind(data, "/srv/my data")
    container.bind(secret, "/run/secret", "ro")
    container.bind(resolv, "/etc/resolv.conf", "ro")
    done = container.run(
        *SHELL,
        "cat '/srv/my data/deep/file' /run/secret/key /etc/resolv.conf; echo back > '/srv/my data/new'; "
        "echo x > /run/secret/key; echo x > /etc/resolv.conf; exit 0",
    )
    assert done.stdout == "from the hostsecretnameserver 10.0.0.9\n"
    assert done.stderr.count("Read-only file system") == 2
    assert (data / "new").read_text() == "back\n"
    assert (secret / "key").read_text() == "secret"
    assert resolv.read_text() == "nameserver 10.0.0.9\n"


def test_without_a_share_a_directory_is_copied_and_that_is_said(container):
    in_initrd(container)
    container.annotations["run.urunc.volumes"] = "copy"
    data = container.folder / "data"
    (data / "deep").mkdir(parents=True)
    (data / "deep/file").write_text("from the host")
    container.bind(data, "/data")
    done = container.run(*SHELL, "cat /data/deep/file; echo more > /data/new")
    assert (done.status, done.stdout) == (0, "from the host")
    assert not (data / "new").exists()
    assert f"a copy of {data} at /data" in container.log


def test_a_volume_that_has_vanished_is_named(container):
    in_initrd(container)
    container.bind(container.folder / "gone", "/data")
    done = container.run("/bin/sh")
    assert done.status == 1
    assert f"open the volume {container.folder}/gone: No such file or directory" in done.stderr


def test_streams_arrive_byte_for_byte_and_input_has_an_end(container):
    in_initrd(container)
    content = bytes(range(256)) * 300
    container.write("/bin/cat")
    command = container.argv("run", "--bundle", str(container.rootfs.parent), container.folder.name)
    done = subprocess.run(
        command, input=content, capture_output=True, check=False, timeout=60, env=container.environment
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, content, b"")


def test_a_terminal_is_the_programs_own(container):
    in_initrd(container)
    container.process = {"terminal": True, "consoleSize": {"height": 30, "width": 90}}
    container.write("/bin/sh")
    argv = container.argv("run", "--bundle", str(container.rootfs.parent), container.folder.name)
    settings = [f"{name}={value}" for name, value in container.environment.items()]
    with terminal(["env", *settings, *argv]) as session:
        session.expect("# ")
        session.send("tty; stty size; sleep 100\n")
        session.expect("/dev/hvc0\n30 90\n")
        session.send("\x03")
        session.expect("# ")
        session.send("exit 4\n")
        assert session.end() == 2 * 4 + 1


def test_a_terminal_has_the_size_of_the_users_own(container):
    in_initrd(container)
    container.process = {"terminal": True}
    container.write(*SHELL, "stty size")
    argv = container.argv("run", "--bundle", str(container.rootfs.parent), container.folder.name)
    settings = [f"{name}={value}" for name, value in container.environment.items()]
    with terminal(["env", *settings, "sh", "-c", 'stty rows 41 cols 123; exec "$@"', "sh", *argv]) as session:
        session.expect("41 123\n")
        assert session.end() == 0


def test_an_engine_may_set_the_size_until_the_start(container, tmp_path):
    in_initrd(container)
    container.process = {"terminal": True, "consoleSize": {"height": 30, "width": 90}}
    container.write(*SHELL, "stty size")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "console"))
        listener.listen()
        options = ("--bundle", str(container.rootfs.parent), "--console-socket", str(tmp_path / "console"))
        argv = container.argv("create", *options, container.folder.name)
        subprocess.run(argv, check=True, env=container.environment)
        connection, _ = listener.accept()
        with connection:
            _, (master,), _, _ = socket.recv_fds(connection, 64, 1)
    termios.tcsetwinsize(master, (50, 70))
    assert container("start").returncode == 0
    with open(master, "rb") as output:
        assert output.readline().split() == [b"50", b"70"]


@pytest.mark.parametrize("name", ["TERM", "HUP", "USR1"])
def test_signals_reach_the_program(name, container, tmp_path):
    in_initrd(container)
    output = tmp_path / "output"
    script = "trap 'echo got it; exit 5' TERM HUP USR1; echo ready; while :; do sleep 0.1; done"
    container.start(*SHELL, script, output=output)
    eventually(lambda: "ready" in output.read_text(), "the guest is up")
    assert container("kill", name).returncode == 0
    eventually(lambda: "got it" in output.read_text(), "the program has the signal")
    eventually(lambda: '"stopped"' in container("state").stdout, "the container ends")


def test_a_guest_that_is_still_booting_is_waited_for(container, tmp_path):
    in_initrd(container)
    output = tmp_path / "output"
    container.start(*SHELL, "trap 'echo got it; exit 5' TERM; while :; do sleep 0.1; done", output=output)
    assert container("kill", "HUP").returncode == 0
    eventually(lambda: '"stopped"' in container("state").stdout, "the program has the signal, and dies of it")


def test_an_ordinary_image_boots_with_the_default_kernel(tmp_path):
    require("root", "qemu")
    kernel, boot = tmp_path / "vmlinux", tmp_path / "boot.img"
    os.link(linux_kernel.kernel("x86_64").image, kernel)
    with linux_container.container(
        tmp_path, f'[default]\nkernel = "{kernel}"\ninitrd = "{boot}"\n'
    ) as container:
        container.fill()
        container.boot_archive(boot)
        container.annotations = {"run.urunc.vm": "true"}
        container.process = {"user": {"uid": 1000, "gid": 1000}}
        done = container.run("sh", "-c", "id -u; cat /proc/version; exit 4")
    assert done.stdout.startswith("1000\nLinux version"), done.stderr
    assert done.status == 2 * 4 + 1
