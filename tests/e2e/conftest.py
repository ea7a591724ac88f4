# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end tests share: a private containerd, its images, and the check for leftovers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
import servers
from capabilities import require
from e2e import images
from e2e.engine import Engine
from e2e.processes import adopting_orphans

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A private containerd that has the busybox image, and has run it once with runc."""
    require("root", "containerd", "busybox")
    with adopting_orphans(), servers.containerd() as server:
        engine = Engine(server, f"e2e-{os.getpid()}")
        engine.cni.mkdir()
        engine.hosts.mkdir()
        engine.ctr("images", "import", str(images.busybox(tmp_path_factory.mktemp("images") / "busybox.tar")))
        # The first container makes the namespace's parent cgroups, which stay until the end.
        engine.ctr("run", "--rm", images.BUSYBOX, "first", "true")
        yield engine
        engine.remove_all()
        engine.remove_parents()


@pytest.fixture
def clean(engine: Engine) -> Iterator[None]:
    """The test leaves no process, mount, interface, network namespace, rule, cgroup or state behind."""
    before = engine.leftovers()
    yield
    try:
        before.check()
    finally:
        engine.remove_all()
