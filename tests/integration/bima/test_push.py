# SPDX-License-Identifier: Apache-2.0
"""What bima pushes arrives byte for byte, and other tools take it."""

from __future__ import annotations

import json
import os
import resource
import urllib.request
from typing import TYPE_CHECKING

import pytest
from capabilities import require
from daemons import run
from faults import faulty
from sample_image import FILES, make_image
from servers import containerd, dockerd, registry

from bima.errors import RegistryError, StoreError
from bima.image import MANIFEST, digest_of
from bima.outputs import Options
from bima.registry.push import push

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from servers import Registry

    from bima.layout import BuiltImage

PLAIN = Options()


@pytest.fixture
def server() -> Iterator[Registry]:
    """A registry without TLS and passwords."""
    require("registry")
    with registry() as server:
        yield server


def test_skopeo_shows_the_digest_that_bima_printed(
    server: Registry, stored: Callable[..., BuiltImage], bima: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    require("skopeo")
    name = f"{server.host}/lab/hello:1"
    stored(name)
    done = bima("push", name)
    assert (done.returncode, done.stderr) == (0, "")
    inspected = run("skopeo", "inspect", "--tls-verify=false", f"docker://{name}")
    assert json.loads(inspected.stdout)["Digest"] == done.stdout.strip()


def test_the_manifest_arrives_byte_for_byte(server: Registry, tmp_path: Path) -> None:
    image = make_image(tmp_path / "layout", f"{server.host}/lab/hello:1")
    digest = push(image, PLAIN)
    data, content_type = _manifest(server.host, "lab/hello", "1")
    assert data == image.layout.read(image.descriptor.digest)
    assert (digest_of(data), content_type) == (digest, image.descriptor.media_type)


def test_an_image_can_be_pushed_under_another_name(
    server: Registry, stored: Callable[..., BuiltImage], bima: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    stored("hello")
    done = bima("push", "hello", f"{server.host}/other/place:2")
    assert done.returncode == 0, done.stderr
    _manifest(server.host, "other/place", "2")


def test_an_image_can_be_pushed_by_its_digest(server: Registry, tmp_path: Path) -> None:
    digest = make_image(tmp_path / "a", "hello").descriptor.digest
    image = make_image(tmp_path / "b", f"{server.host}/lab/hello@{digest}")
    assert push(image, PLAIN) == digest
    _manifest(server.host, "lab/hello", digest)


def test_another_images_digest_is_refused(server: Registry, tmp_path: Path) -> None:
    image = make_image(tmp_path / "layout", f"{server.host}/lab/hello:1@sha256:{64 * 'a'}")
    with pytest.raises(RegistryError, match="is not the image sha256:"):
        push(image, PLAIN)


def test_what_is_there_is_not_sent_again(server: Registry, tmp_path: Path) -> None:
    with faulty(server.host) as proxy:
        image = make_image(tmp_path / "layout", f"{proxy.host}/lab/hello:1")
        push(image, PLAIN)
        sent = len(proxy.seen("PUT", "/blobs/uploads/"))
        push(image, PLAIN)
        assert len(proxy.seen("PUT", "/blobs/uploads/")) == sent == len(FILES) + 1


def test_a_large_blob_is_streamed(
    server: Registry,
    stored: Callable[..., BuiltImage],
    start: Callable[..., subprocess.Popen[str]],
) -> None:
    name = f"{server.host}/lab/large:1"
    large = 256 << 20
    stored(name, files={"large": bytes(large)})
    with start("push", name) as process:
        resource.prlimit(process.pid, resource.RLIMIT_DATA, (large // 2, large // 2))
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")


def test_a_truncated_blob_is_not_sent(server: Registry, tmp_path: Path) -> None:
    image = make_image(tmp_path / "layout", f"{server.host}/lab/hello:1")
    os.truncate(image.layout.blob_path(image.manifest["layers"][0]["digest"]), 10)
    with pytest.raises(StoreError, match="has 10 bytes"):
        push(image, PLAIN)


def test_a_damaged_blob_gets_no_manifest(server: Registry, tmp_path: Path) -> None:
    image = make_image(tmp_path / "layout", f"{server.host}/lab/hello:1")
    blob = image.layout.blob_path(image.manifest["layers"][0]["digest"])
    blob.write_bytes(bytes(blob.stat().st_size))
    with pytest.raises(RegistryError, match="DIGEST_INVALID"):
        push(image, PLAIN)
    assert not (server.data / "repositories/lab/hello/_manifests").exists()


def test_umoci_unpacks_what_skopeo_copies(server: Registry, tmp_path: Path) -> None:
    require("skopeo", "umoci", "root")
    name = f"{server.host}/lab/hello:1"
    push(make_image(tmp_path / "layout", name), PLAIN)
    run("skopeo", "copy", "--src-tls-verify=false", f"docker://{name}", f"oci:{tmp_path}/copy:1")
    run("umoci", "unpack", "--image", f"{tmp_path}/copy:1", f"{tmp_path}/bundle")
    for path, content in FILES.items():
        assert (tmp_path / "bundle/rootfs" / path).read_bytes() == content


def test_containerd_pulls_the_image(server: Registry, tmp_path: Path) -> None:
    require("containerd", "root")
    name = f"{server.host}/lab/hello:1"
    digest = push(make_image(tmp_path / "layout", name), PLAIN)
    with containerd() as engine:
        engine.ctr("images", "pull", "--plain-http", name)
        assert digest in engine.ctr("images", "ls").stdout


def test_docker_pulls_the_image(server: Registry, tmp_path: Path) -> None:
    require("docker", "root")
    name = f"{server.host}/lab/hello:1"
    digest = push(make_image(tmp_path / "layout", name), PLAIN)
    with dockerd() as engine:
        assert digest in engine.docker("pull", name).stdout


def _manifest(host: str, repository: str, name: str, accept: str = MANIFEST) -> tuple[bytes, str]:
    """The manifest as the registry has it, and its type."""
    url = f"http://{host}/v2/{repository}/manifests/{name}"
    request = urllib.request.Request(url, headers={"Accept": accept})
    with urllib.request.urlopen(request) as answer:
        return answer.read(), answer.headers["Content-Type"]
