# SPDX-License-Identifier: Apache-2.0
"""Pods of Kubernetes, made by containerd's own plugin, with virtual machines and ordinary containers."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from capabilities import program
from daemons import end
from e2e import images, network
from e2e.cri import EXITED, RUNNING
from e2e.examples import LINUX
from e2e.waiting import eventually
from namespaces import ip

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from e2e.cri import Container, Kubelet, Pod

pytestmark = [pytest.mark.vm, pytest.mark.root]
STATIC = "172.16.1.2"
LOOPBACK = ("127.0.0.1", "[::1]")
PORTS = {"one": 80, "two": 81, "sidecar": 8080}
# As a user of Kubernetes annotates a pod: all containers have it all.
SAYS = {
    "com.urunc.unikernel.hypervisor": "qemu",
    **{f"run.urunc.ports.{name}": str(PORTS[name]) for name in ("one", "two")},
}
ASK = "ask() { until $b wget -q -O - http://$1/; do $b sleep 0.2; done; }"


@pytest.fixture(autouse=True)
def clean(kubelet: Kubelet) -> Iterator[None]:
    """No process, mount, interface, namespace, rule, cgroup or state is left behind."""
    before = kubelet.leftovers()
    yield
    before.check()


@contextmanager
def outside(kubelet: Kubelet, folder: Path) -> Iterator[list[str]]:
    """A server beside the pods, by its addresses of both versions of IP."""
    (folder / "index.html").write_text("page of outside\n")
    busybox = program("busybox") or ""
    with kubelet.bridge.namespace("outside"):
        words = ["ip", "netns", "exec", "outside", busybox, "httpd", "-f", "-h", str(folder)]
        server = subprocess.Popen(words, stdin=subprocess.DEVNULL)
        try:
            yield addresses("outside")
        finally:
            end(server)


def addresses(namespace: str) -> list[str]:
    """As URLs have them, that of IPv4 first."""
    links = ip("-n", namespace, "address", "show", "dev", "eth0", "scope", "global")
    return [written(one["local"]) for one in links[0]["addr_info"] if one]


def written(address: str) -> str:
    """As it is in a URL."""
    return f"[{address}]" if ":" in address else address


def serving(name: str, *asked: str) -> tuple[str, ...]:
    """A program that serves a page with its name, and prints what it is told at these addresses."""
    serve = f"$b mkdir -p /www; echo page of {name} >/www/index.html; $b httpd -p {PORTS[name]} -h /www"
    steps = ("b=/bin/busybox", ASK, serve, *(f"ask {address}" for address in asked), "exec $b sleep 1000")
    return "/bin/busybox", "sh", "-c", "; ".join(steps)


def run(pod: Pod, name: str, *asked: str) -> Container:
    """An ordinary container is called sidecar; the others are virtual machines."""
    return pod.run(name, images.BUSYBOX if name == "sidecar" else LINUX, *serving(name, *asked))


def at(address: str, name: str) -> str:
    """Where a container of the pod is found."""
    return f"{address}:{PORTS[name]}"


def hears(container: Container, *names: str) -> None:
    """Wait until it has been told all of these pages."""
    for name in names:
        eventually(lambda name=name: f"page of {name}\n" in container.log(), f"the page of {name}")


@pytest.mark.parametrize("version", [0, 1], ids=["IPv4", "IPv6"])
def test_all_containers_of_a_pod_reach_each_other_and_outside(
    kubelet: Kubelet, tmp_path: Path, version: int
) -> None:
    with outside(kubelet, tmp_path) as servers, kubelet.pod("web", annotations=SAYS) as pod:
        address, server = written(pod.addresses[version]), servers[version]
        one = run(pod, "one", server, at(address, "two"), at(address, "sidecar"))
        two = run(pod, "two", server, at(address, "one"), at(address, "sidecar"))
        sidecar = run(pod, "sidecar", server, at(LOOPBACK[version], "one"), at(address, "two"))
        hears(one, "outside", "two", "sidecar")
        hears(two, "outside", "one", "sidecar")
        hears(sidecar, "outside", "one", "two")
        for name in PORTS:
            assert network.page(at(address, name)) == f"page of {name}\n", "from outside"


def test_one_container_of_a_pod_is_restarted_beside_the_others(kubelet: Kubelet) -> None:
    with kubelet.pod("web", annotations=SAYS) as pod:
        address = pod.addresses[0]
        containers = {name: run(pod, name) for name in PORTS}
        for name, container in containers.items():
            again = container.restart()
            assert again.id != container.id
            for other in PORTS:
                assert network.page(at(address, other)) == f"page of {other}\n", f"after {name}"


def test_a_stopped_container_says_so_and_a_removed_one_is_gone(kubelet: Kubelet) -> None:
    with kubelet.pod("web", annotations=SAYS) as pod:
        one, two = run(pod, "one"), run(pod, "two")
        assert network.page(at(pod.addresses[0], "one"))
        one.stop()
        assert one.status().state == EXITED
        one.remove()
        assert [found.id for found in pod.containers()] == [two.id]
        assert network.page(at(pod.addresses[0], "two")) == "page of two\n"


def test_knatives_queue_proxy_finds_its_container(kubelet: Kubelet) -> None:
    knative = {"K_REVISION": "web-1", "PORT": str(PORTS["one"])}
    with kubelet.pod("knative") as pod:
        guest = pod.run("user-container", LINUX, *serving("one"), environment=knative)
        proxy = pod.run(
            "queue-proxy", images.BUSYBOX, *serving("sidecar", at(LOOPBACK[0], "one"), at(STATIC, "one"))
        )
        eventually(lambda: proxy.log().count("page of one\n") == 2, "what the proxy is told, by either way")
        assert network.page(at(pod.addresses[0], "one")) == "page of one\n", "a probe of the kubelet's"
        assert guest.status().state == RUNNING
