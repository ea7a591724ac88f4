# SPDX-License-Identifier: Apache-2.0
"""Virtual machines and ordinary containers in one network namespace, as in a pod, all reach each other."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from daemons import run
from e2e import images, network
from e2e.examples import LINUX, expected
from e2e.subjects import SHELL_SERVER
from e2e.waiting import eventually
from namespaces import inside

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from e2e.engine import Engine
    from e2e.examples import Builder
    from e2e.network import Network

pytestmark = [pytest.mark.vm, pytest.mark.root, pytest.mark.usefixtures("bridge", "clean")]
EXPOSING = "docker.io/library/linux-httpd:exposing"
PAGE, SHELL_PAGE = expected("linux-httpd"), "a page from a shell"
IN_A_POD = "io.kubernetes.cri.container-type=container"
HTTPD = ("/bin/busybox", "httpd", "-f", "-h", "/www", "-p")


@contextmanager
def pod(engine: Engine, bridge: Network) -> Iterator[tuple[Path, str]]:
    """A namespace, and in the end none of its containers."""
    with bridge.namespace("e2e-pod") as made:
        run("ip", "-n", "e2e-pod", "link", "set", "lo", "up")
        try:
            yield made
        finally:
            engine.remove_all()


def guest(engine: Engine, path: Path, name: str, port: int, *options: str, image: str = LINUX) -> None:
    """A virtual machine that serves the example's page."""
    words = ("--with-ns", f"network:{path}", "--runc-binary", "urunc", "--annotation", IN_A_POD)
    engine.ctr("run", "--detach", *words, *options, image, name, *HTTPD, str(port))


def asked_by_a_guest(engine: Engine, path: Path, name: str, address: str) -> str:
    """What another virtual machine of the pod gets from there."""
    words = ("--rm", "--with-ns", f"network:{path}", "--runc-binary", "urunc", "--annotation", IN_A_POD)
    ask = ("/bin/busybox", "wget", "-q", "-O", "-", f"http://{address}/")
    return engine.ctr("run", *words, LINUX, name, *ask).stdout


def test_two_guests_and_a_container_of_a_pod_reach_each_other(engine: Engine, bridge: Network) -> None:
    with pod(engine, bridge) as (path, address):
        guest(engine, path, "one", 80, "--annotation", "run.urunc.ports=80")
        guest(engine, path, "two", 81, "--annotation", "run.urunc.ports=81/tcp")
        sidecar = ("--detach", "--with-ns", f"network:{path}")
        server = (*SHELL_SERVER[:2], SHELL_SERVER[2].replace("httpd -f", "httpd -f -p 8080"))
        engine.ctr("run", *sidecar, images.BUSYBOX, "sidecar", *server)
        assert PAGE in network.page(address), "from outside, the first guest"
        assert PAGE in network.page(f"{address}:81"), "from outside, the second"
        assert SHELL_PAGE in network.page(f"{address}:8080"), "from outside, the container"
        with inside("e2e-pod"):
            assert PAGE in network.page(address), "a guest, from a container beside it"
            assert PAGE in network.page("127.0.0.1:81"), "a guest, from there through the loopback"
        for port, page in ((8080, SHELL_PAGE), (81, PAGE)):
            answer = asked_by_a_guest(engine, path, f"asks{port}", f"{address}:{port}")
            assert page in answer, f"port {port}, from a guest"


def test_a_guest_that_declares_nothing_serves_what_its_pod_does_not(engine: Engine, bridge: Network) -> None:
    with pod(engine, bridge) as (path, address):
        guest(engine, path, "one", 8088)
        engine.ctr(
            "run", "--detach", "--with-ns", f"network:{path}", images.BUSYBOX, "sidecar", *SHELL_SERVER
        )
        assert PAGE in network.page(f"{address}:8088")
        assert SHELL_PAGE in network.page(address)
        engine.ctr("tasks", "kill", "--signal", "KILL", "one")
        eventually(lambda: engine.tasks()["one"] == "STOPPED", "the end of the guest")
        assert SHELL_PAGE in network.page(address), "the pod goes on without it"


def test_what_an_image_exposes_is_declared_unless_its_container_says_otherwise(
    engine: Engine, bridge: Network, builder: Builder
) -> None:
    engine.ctr("images", "import", str(builder.exposing(EXPOSING, "80", "8000-8010/tcp", "53/udp")))
    with pod(engine, bridge) as (path, address):
        guest(engine, path, "exposes", 8005, image=EXPOSING)
        guest(engine, path, "says", 81, "--annotation", "run.urunc.ports=81-82", image=EXPOSING)
        for port in (8005, 81):
            assert PAGE in network.page(f"{address}:{port}")
            with inside("e2e-pod"):
                assert PAGE in network.page(f"127.0.0.1:{port}"), "where only a declared port is"
