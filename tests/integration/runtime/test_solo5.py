# SPDX-License-Identifier: Apache-2.0
"""Solo5's own test programs, on its real tenders, as containers.  SOLO5_HOME is its source tree, built."""

import os
import shutil
import socket
import subprocess
import time

import profiles
import pytest
from capabilities import require, solo5

ECHO_REQUEST = bytes((8, 0, 0xF7, 0xFF, 0, 0, 0, 0))


@pytest.fixture(params=["hvt", "spt"])
def program(request, urunc, bundle):
    """Puts one of the test programs into the image; the container prints what it prints."""
    require("solo5")
    monitor = request.param
    if monitor == "hvt" and not os.access("/dev/kvm", os.R_OK | os.W_OK):
        pytest.skip("no /dev/kvm")

    def program(name, *arguments, **image):
        kernel = f"{os.environ.get('SOLO5_HOME', '')}/tests/{name}/{name}.{monitor}"
        if not os.path.exists(kernel):
            pytest.skip(f"no {kernel}")
        shutil.copy(kernel, bundle.rootfs / "kernel.elf")
        bundle.image.update({"unikernelType": "mirage", "hypervisor": monitor, **image})
        bundle.config["process"]["args"] = list(arguments)
        # Under this, and under our list for hvt, they must be able to do all that they do.
        bundle.config["linux"]["seccomp"] = profiles.DOCKER
        folder = os.path.dirname(solo5(f"solo5-{monitor}"))
        urunc.environment["PATH"] = f"{folder}:{os.environ['PATH']}"

    return program


def test_hello_gets_its_words_and_ends_by_itself(program, urunc, bundle):
    program("test_hello", "Hello_Solo5")
    bundle.write()
    urunc.ids.append("c1")
    assert urunc("run", "--bundle", str(bundle.path), "c1").returncode == 0
    assert "Command line is: 'Hello_Solo5'" in urunc.output.read_text()
    assert "SUCCESS" in urunc.output.read_text()


def test_a_disk_is_written_in_the_containers_own_layer(program, urunc, bundle):
    (bundle.rootfs / "disk").write_bytes(bytes(1 << 20))
    program("test_blk", block="/disk", blkMntPoint="/data")
    bundle.write()
    urunc.ids.append("c1")
    assert urunc("run", "--bundle", str(bundle.path), "c1").returncode == 0
    assert "SUCCESS" in urunc.output.read_text()
    assert (bundle.rootfs / "disk").read_bytes().strip(b"\0")


def test_the_network_reaches_the_guest(program, urunc, bundle):
    program("test_net", "verbose", unikernelType="generic", solo5NetDev="service0")
    name = f"solo5-{os.getpid()}"
    for command in (
        f"ip netns add {name}",
        f"ip link add s5-host type veth peer name eth0 netns {name}",
        "ip address add 10.0.0.1/24 dev s5-host",
        "ip link set s5-host up",
        f"ip -n {name} address add 10.0.0.2/24 dev eth0",
        f"ip -n {name} link set eth0 up",
    ):
        subprocess.run(command.split(), check=True)
    try:
        bundle.config["linux"]["namespaces"][-1]["path"] = f"/run/netns/{name}"
        urunc.create(bundle)
        urunc("start", "c1")
        assert _answers_ping("10.0.0.2"), urunc.output.read_text() + str(urunc.state())
        urunc("delete", "--force", "c1")
        links = subprocess.run(
            ["ip", "-n", name, "-o", "link"], capture_output=True, text=True, check=True
        ).stdout
        assert "tap" not in links
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


def _answers_ping(address):
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as ping:
        ping.settimeout(0.5)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            ping.sendto(ECHO_REQUEST, (address, 0))
            try:
                answer, _ = ping.recvfrom(1500)
            except TimeoutError:
                continue
            if answer[20] == 0:  # an echo reply
                return True
    return False
