# SPDX-License-Identifier: Apache-2.0
"""Registries that are down, busy, wrong or slow; and a user who changes his mind."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from capabilities import require
from daemons import free_port
from faults import Fault, faulty
from sample_image import FILES, make_image
from servers import registry

from bima.errors import RegistryError
from bima.outputs import Options
from bima.registry.push import push

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from faults import Proxy
    from servers import Registry

    from bima.layout import BuiltImage

PLAIN = Options(plain_http=True)
UPLOADS = "/blobs/uploads/"


@pytest.fixture
def server() -> Iterator[Registry]:
    """A registry."""
    require("registry")
    with registry() as server:
        yield server


@pytest.fixture
def proxy(server: Registry) -> Iterator[Proxy]:
    """What stands before the registry."""
    with faulty(server.host) as proxy:
        yield proxy


def test_a_registry_that_is_down_is_one_sentence(
    stored: Callable[..., BuiltImage], bima: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    name = f"127.0.0.1:{free_port()}/lab/hello:1"
    stored(name)
    done = bima("push", name)
    assert (done.returncode, done.stdout) == (1, "")
    assert (
        done.stderr
        == f"bima: {name.partition('/')[0]} cannot be reached: connection refused; is it running?\n"
    )


def test_a_registry_that_is_busy_at_first_is_not_waited_for(proxy: Proxy, tmp_path: Path) -> None:
    proxy.faults.append(Fault("GET", "/v2/", status=503))
    with pytest.raises(RegistryError, match="the answer is 503"):
        push(make_image(tmp_path / "layout", f"{proxy.host}/lab/hello:1"), PLAIN)
    assert len(proxy.requests) == 1


def test_what_is_no_registry_is_told(tmp_path: Path) -> None:
    with faulty() as proxy, pytest.raises(RegistryError, match="the answer is 404") as raised:
        push(make_image(tmp_path / "layout", f"{proxy.host}/lab/hello:1"), PLAIN)
    assert raised.value.hint == "is it a registry?"


@pytest.mark.parametrize(
    "fault",
    [
        Fault("HEAD", "/blobs/", status=500, headers={"Retry-After": "0"}),
        Fault("POST", UPLOADS, status=503, headers={"Retry-After": "0"}),
        Fault("POST", UPLOADS, status=429, headers={"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"}),
        Fault("PUT", UPLOADS, status=502, headers={"Retry-After": "0"}),
        Fault("PUT", UPLOADS),
        Fault("PUT", "/manifests/", status=504, headers={"Retry-After": "0"}),
    ],
    ids=lambda fault: f"{fault.method}-{fault.status or 'reset'}",
)
def test_a_passing_failure_is_tried_again(
    fault: Fault, server: Registry, proxy: Proxy, tmp_path: Path
) -> None:
    proxy.faults.append(fault)
    push(make_image(tmp_path / "layout", f"{proxy.host}/lab/hello:1"), PLAIN)
    assert fault.times == 0
    assert proxy.seen("PUT", "/manifests/1")
    assert not _unfinished(server)


@pytest.mark.parametrize(("method", "path"), [("POST", UPLOADS), ("PUT", UPLOADS), ("PUT", "/manifests/")])
@pytest.mark.parametrize("status", [400, 403, 404, 413])
def test_a_refusal_is_not_tried_again(
    method: str, path: str, status: int, server: Registry, proxy: Proxy, tmp_path: Path
) -> None:
    proxy.faults.append(Fault(method, path, status=status, times=99))
    image = make_image(tmp_path / "layout", f"{proxy.host}/lab/hello:1")
    with pytest.raises(RegistryError, match=f"{method} http.*: the answer is {status}"):
        push(image, PLAIN)
    # Other blobs may be on their way when the first one is refused.
    assert 1 <= len(proxy.seen(method, path)) <= (1 if path == "/manifests/" else len(FILES) + 1)
    assert not _unfinished(server)


def test_a_registry_that_wants_to_be_left_alone_for_long_is_not_waited_for(
    proxy: Proxy, tmp_path: Path
) -> None:
    proxy.faults.append(Fault("PUT", "/manifests/", status=429, headers={"Retry-After": "21600"}))
    with pytest.raises(RegistryError, match="the answer is 429"):
        push(make_image(tmp_path / "layout", f"{proxy.host}/lab/hello:1"), PLAIN)
    assert len(proxy.seen("PUT", "/manifests/")) == 1


def test_a_registry_that_stored_something_else_is_found_out(proxy: Proxy, tmp_path: Path) -> None:
    other = {"Docker-Content-Digest": f"sha256:{64 * '0'}"}
    proxy.faults.append(Fault("PUT", "/manifests/", status=201, headers=other))
    with pytest.raises(RegistryError, match="has the digest sha256:0000"):
        push(make_image(tmp_path / "layout", f"{proxy.host}/lab/hello:1"), PLAIN)


def test_an_upload_that_leads_nowhere_is_an_error(proxy: Proxy, tmp_path: Path) -> None:
    proxy.faults.append(Fault("POST", UPLOADS, status=202, times=9))
    with pytest.raises(RegistryError, match="does not say where to upload"):
        push(make_image(tmp_path / "layout", f"{proxy.host}/lab/hello:1"), PLAIN)


def test_interrupted_in_an_upload_nothing_is_left_behind(
    server: Registry,
    proxy: Proxy,
    stored: Callable[..., BuiltImage],
    start: Callable[..., subprocess.Popen[str]],
) -> None:
    name = f"{proxy.host}/lab/hello:1"
    stored(name, files={"large": bytes(64 << 20), "small": b"1"})
    proxy.faults.append(Fault("PUT", UPLOADS, stall=True, times=9))
    with start("push", "--plain-http", name) as process:
        assert proxy.stalled.wait(30)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, "", "\nbima: interrupted\n")
    begun, cancelled = (
        {each.path.partition("?")[0] for each in proxy.seen(method, UPLOADS)} for method in ("PUT", "DELETE")
    )
    assert begun
    assert begun <= cancelled  # one that was only announced is cancelled, too
    assert not proxy.seen("PUT", "/manifests/")
    assert not _unfinished(server)


def _unfinished(server: Registry) -> list[Path]:
    """What was begun; the registry leaves empty directories of cancelled uploads."""
    return list(server.data.glob("repositories/*/*/_uploads/*/data"))
