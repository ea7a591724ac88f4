# SPDX-License-Identifier: Apache-2.0
"""An image goes from bima to a registry, from there to containerd, and runs as what was built."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import servers
from capabilities import require

if TYPE_CHECKING:
    from collections.abc import Iterator

    from e2e.engine import Engine
    from e2e.examples import Builder

pytestmark = [pytest.mark.vm, pytest.mark.root, pytest.mark.usefixtures("bridge", "clean")]


@pytest.fixture
def pushed(engine: Engine, builder: Builder) -> Iterator[tuple[str, str]]:
    """An image in a registry that containerd asks without TLS: its name, and the digest that bima printed."""
    require("registry")
    with servers.registry() as registry:
        hosts = engine.hosts / registry.host
        hosts.mkdir()
        (hosts / "hosts.toml").write_text(f'[host."http://{registry.host}"]\n')
        name = f"{registry.host}/hello:pushed"
        yield name, builder.build("hello", name, "--push")
        engine.ctr("images", "rm", name)


def digest_of(engine: Engine, image: str) -> str:
    """The digest that containerd knows the image by."""
    line = engine.ctr("images", "ls", f"name=={image}").stdout.splitlines()[1]
    return line.split()[2]


def test_ctr_pulls_and_runs_what_bima_pushed(engine: Engine, pushed: tuple[str, str]) -> None:
    name, digest = pushed
    engine.ctr("images", "pull", "--hosts-dir", str(engine.hosts), name)
    assert digest_of(engine, name) == digest
    answer = engine.ctr("run", "--rm", "--runc-binary", "urunc", name, "pulled")
    assert "command line: hello world" in answer.stdout


def test_nerdctl_pulls_and_runs_what_bima_pushed(engine: Engine, pushed: tuple[str, str]) -> None:
    require("nerdctl")
    name, digest = pushed
    engine.nerdctl("pull", name)
    assert digest_of(engine, name) == digest
    answer = engine.nerdctl("run", "--rm", "--runtime", "urunc", name)
    assert "command line: hello world" in answer.stdout
