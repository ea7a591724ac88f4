# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end tests share: images, a private containerd that has them, the check for leftovers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
import servers
from capabilities import SEARCH, require
from e2e import cri, examples, images, network
from e2e.engine import Engine
from e2e.processes import adopting_orphans

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from e2e.network import Network

LOG_LINES = 20


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Function) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure shows what the daemon said."""
    report = yield
    for daemon in item.funcargs.values():
        if not isinstance(daemon, Engine | servers.Dockerd | cri.Kubelet):
            continue
        log = daemon.directory / "log"
        # When it is the daemon's own end that fails, there is none any more.
        if report.failed and log.exists():
            lines = log.read_text(errors="replace").splitlines()
            told = [line for line in lines if "level=info" not in line][-LOG_LINES:]
            report.sections.append((f"log of {type(daemon).__name__.lower()}", "\n".join(told)))
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes minutes comes when everything else is known."""
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)


@pytest.fixture(scope="session")
def builder(tmp_path_factory: pytest.TempPathFactory) -> examples.Builder:
    """bima with an empty store."""
    require("gcc")
    return examples.Builder(tmp_path_factory.mktemp("bima"))


@pytest.fixture(scope="session")
def archives(builder: examples.Builder) -> list[Path]:
    """Every image that the tests run."""
    require("busybox")
    return [
        images.busybox(builder.folder / "busybox.tar"),
        builder.archive("hello", examples.HELLO),
        builder.archive("linux-httpd", examples.LINUX),
    ]


@pytest.fixture(scope="session")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where daemons look for programs: there, `urunc` is ours, configured for the tests."""
    return f"{examples.runtime(tmp_path_factory.mktemp('bin'))}:{SEARCH}"


@pytest.fixture(scope="session")
def engine(archives: list[Path], path: str) -> Iterator[Engine]:
    """A private containerd that has the images, and has run one of them with runc."""
    require("root", "qemu", "containerd")
    with adopting_orphans(), servers.containerd(path=path) as server:
        engine = Engine(server, f"e2e-{os.getpid()}")
        for folder in (engine.cni, engine.hosts):
            folder.mkdir()
        for archive in archives:
            engine.ctr("images", "import", str(archive))
        # The first container makes the namespace's parent cgroups, which stay until the end.
        engine.ctr("run", "--rm", images.BUSYBOX, "first", "true")
        yield engine
        engine.remove_all()
        engine.remove_parents()


@pytest.fixture(scope="module")
def kubelet(archives: list[Path], path: str) -> Iterator[cri.Kubelet]:
    """A private containerd as Kubernetes uses it, in a network of its own: not beside `engine`."""
    require("root", "qemu", "containerd", "cni")
    pause = images.pause(archives[0].with_name("pause.tar"))
    with cri.kubelet(images.PAUSE, [pause, *archives], path) as made:
        yield made


@pytest.fixture(scope="session")
def bridge(engine: Engine) -> Iterator[Network]:
    """The network of containers that nerdctl runs, and of those with a namespace made for them."""
    require("cni")
    with network.network(engine.directory / "addresses", engine.cni) as made:
        yield made


@pytest.fixture
def clean(engine: Engine) -> Iterator[None]:
    """The test leaves no process, mount, interface, network namespace, rule, cgroup or state behind."""
    before = engine.leftovers()
    yield
    try:
        before.check()
    finally:
        engine.remove_all()
