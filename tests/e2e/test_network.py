# SPDX-License-Identifier: Apache-2.0
"""Web servers on a bridge, in containers and in virtual machines, answer the host and leave nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from capabilities import require
from e2e import network
from e2e.subjects import SERVERS

if TYPE_CHECKING:
    from e2e.engine import Engine
    from e2e.network import Network
    from e2e.subjects import Server

pytestmark = [
    pytest.mark.vm,
    pytest.mark.root,
    pytest.mark.usefixtures("bridge", "clean"),
    pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.name),
]


def test_a_server_on_a_cni_bridge_answers_the_host(engine: Engine, server: Server) -> None:
    require("nerdctl")
    options = ("--detach", "--name", "web", "--runtime", server.runtime)
    engine.nerdctl("run", *options, server.image, *server.command)
    assert server.page in network.page(engine.address_of("web"))
    engine.nerdctl("stop", "--time", "2", "web")
    engine.nerdctl("rm", "web")


def test_a_server_in_a_given_network_namespace_answers_the_host(
    engine: Engine, bridge: Network, server: Server
) -> None:
    with bridge.namespace("e2e-given") as (path, address):
        options = ("--detach", "--with-ns", f"network:{path}", "--runc-binary", server.runtime)
        engine.ctr("run", *options, server.image, "web", *server.command)
        assert server.page in network.page(address)
        engine.ctr("tasks", "rm", "--force", "web", check=False)
        engine.ctr("containers", "rm", "web")
