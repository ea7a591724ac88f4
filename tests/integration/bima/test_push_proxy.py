# SPDX-License-Identifier: Apache-2.0
"""The proxies that the environment names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from capabilities import require
from daemons import free_port
from faults import faulty
from sample_image import make_image
from servers import registry

from bima.outputs import Options
from bima.registry.push import push

if TYPE_CHECKING:
    from pathlib import Path

PLAIN = Options(plain_http=True)


@pytest.fixture(autouse=True)
def _registry() -> None:
    require("registry")


def test_a_registry_is_reached_through_the_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with registry() as server, faulty(server.host) as proxy:
        monkeypatch.setenv("http_proxy", f"http://{proxy.host}")
        push(make_image(tmp_path / "layout", "registry.invalid/lab/hello:1"), PLAIN)
        assert proxy.seen("PUT", "http://registry.invalid/v2/lab/hello/manifests/1")


def test_a_registry_on_this_machine_is_reached_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    with registry() as server:
        push(make_image(tmp_path / "layout", f"{server.host}/lab/hello:1"), PLAIN)
