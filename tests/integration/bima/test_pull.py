# SPDX-License-Identifier: Apache-2.0
"""Images come from registries, whole and checked, or not at all."""

from __future__ import annotations

import itertools
import json
import os
from typing import TYPE_CHECKING

import pytest
from capabilities import require
from daemons import run
from faults import Fault, faulty
from sample_image import FILES, make_image
from servers import registry
from tokens import token_service

from bima.choice import Choice
from bima.errors import ImageError, RegistryError
from bima.image import INDEX, Descriptor
from bima.layout import BuiltImage, Layout, render_index
from bima.outputs import Options
from bima.reference import Reference
from bima.registry.pull import pull
from bima.registry.push import push

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from faults import Proxy
    from servers import Registry

PLAIN = Options(plain_http=True)
LARGE = {**FILES, "large": os.urandom(3 << 20)}


@pytest.fixture
def server() -> Iterator[Registry]:
    require("registry")
    with registry() as server:
        yield server


@pytest.fixture
def proxy(server: Registry) -> Iterator[Proxy]:
    with faulty(server.host) as proxy:
        yield proxy


def fetch(name: str, directory: Path, choice: Choice | None = None) -> Descriptor:
    into = Layout(directory)
    with into.locked():
        return pull(Reference.parse(name), choice or Choice(), into, PLAIN, lambda _line: None)


def blobs(directory: Path) -> set[str]:
    return {path.name for path in (directory / "blobs/sha256").iterdir()}


def left(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir() if path.name.startswith("."))


def test_what_is_pulled_is_what_was_pushed(server: Registry, tmp_path: Path) -> None:
    image = make_image(tmp_path / "from", f"{server.host}/lab/hello:1", files=LARGE)
    push(image, PLAIN)
    for number, name in enumerate(
        (f"{server.host}/lab/hello:1", f"{server.host}/lab/hello@{image.descriptor.digest}")
    ):
        assert fetch(name, tmp_path / str(number)).digest == image.descriptor.digest
        assert blobs(tmp_path / str(number)) == blobs(tmp_path / "from")


def test_a_token_for_pulling_is_enough(login: Callable[..., None], tmp_path: Path) -> None:
    require("registry")
    with token_service() as tokens, registry(auth=tokens.auth) as server:
        login(server.host)
        push(make_image(tmp_path / "from", f"{server.host}/lab/hello:1"), PLAIN)
        fetch(f"{server.host}/lab/hello:1", tmp_path / "to")
        assert tokens.asked[-1].fields["scope"] == "repository:lab/hello:pull"


@pytest.mark.parametrize("cut", [1, 1 << 20, (3 << 20) - 1])
def test_a_broken_connection_is_taken_up_where_it_broke(
    server: Registry, proxy: Proxy, tmp_path: Path, cut: int
) -> None:
    image = make_image(tmp_path / "from", f"{server.host}/lab/hello:1", files={"large": LARGE["large"]})
    push(image, PLAIN)
    (layer,) = image.manifest["layers"]
    proxy.faults.append(Fault("GET", layer["digest"], cut=cut))
    fetch(f"{proxy.host}/lab/hello:1", tmp_path / "to")
    whole = cut // (1 << 16) * (1 << 16)
    expected = ["", f"bytes={whole}-" if whole else ""]
    assert [each.range for each in proxy.seen("GET", layer["digest"])] == expected
    assert blobs(tmp_path / "to") == blobs(tmp_path / "from")


def test_a_registry_that_begins_again_is_not_believed_twice(
    server: Registry, proxy: Proxy, tmp_path: Path
) -> None:
    image = make_image(tmp_path / "from", f"{server.host}/lab/hello:1")
    push(image, PLAIN)
    layer = image.manifest["layers"][0]["digest"]
    proxy.faults += [Fault("GET", layer, cut=10), Fault("GET", layer, cut=20)]
    proxy.ignores_ranges = True
    fetch(f"{proxy.host}/lab/hello:1", tmp_path / "to")
    assert blobs(tmp_path / "to") == blobs(tmp_path / "from")


@pytest.mark.parametrize("part", ["blobs", "manifests"])
def test_a_corrupted_download_is_refused_and_nothing_of_it_stays(
    server: Registry, proxy: Proxy, tmp_path: Path, part: str
) -> None:
    image = make_image(tmp_path / "from", f"{server.host}/lab/hello:1")
    push(image, PLAIN)
    wrong = image.manifest["layers"][1]["digest"] if part == "blobs" else image.descriptor.digest
    proxy.faults.append(Fault("GET", wrong, corrupt=True))
    with pytest.raises(ImageError, match=r"is not sha256|is damaged"):
        fetch(f"{proxy.host}/lab/hello@{image.descriptor.digest}", tmp_path / "to")
    assert wrong.removeprefix("sha256:") not in blobs(tmp_path / "to")
    assert left(tmp_path / "to") == [".lock"]


def test_what_is_not_there_is_told(
    server: Registry, bima: Callable[..., subprocess.CompletedProcess[str]], home: Path
) -> None:
    done = bima("pull", "--plain-http", f"{server.host}/lab/none:1")
    assert (done.returncode, done.stdout) == (1, "")
    assert "the answer is 404" in done.stderr
    assert not list((home / "data/bima/blobs/sha256").iterdir())


def test_a_pulled_image_is_in_the_store(
    server: Registry,
    bima: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
) -> None:
    image = make_image(tmp_path / "from", f"{server.host}/lab/hello:1")
    push(image, PLAIN)
    done = bima("pull", "--plain-http", "--quiet", f"{server.host}/lab/hello:1")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{image.descriptor.digest}\n", "")
    assert f"{server.host}/lab/hello:1" in bima("images", "--quiet").stdout


@pytest.fixture
def index(server: Registry, tmp_path: Path) -> dict[str, BuiltImage]:
    """An index with images for two architectures, a monitor, and what is no image at all."""
    found = {}
    for architecture in ("amd64", "arm64"):
        name = f"{server.host}/lab/multi:{architecture}"
        found[architecture] = make_image(tmp_path / architecture, name, architecture=architecture)
        push(found[architecture], PLAIN)
    children = [
        Descriptor(each.descriptor.media_type, each.descriptor.digest, each.descriptor.size, {}, platform)
        for each, platform in (
            (found["amd64"], {"os": "unknown", "architecture": "unknown"}),
            (found["arm64"], {"os": "linux", "architecture": "arm64", "variant": "v8"}),
            (found["amd64"], {"os": "qemu", "architecture": "x86_64"}),
        )
    ]
    (tmp_path / "index").write_bytes(render_index(children))
    run(
        "curl", "-sSf", "-X", "PUT", "-H", f"Content-Type: {INDEX}", "--data-binary", f"@{tmp_path}/index",
        f"http://{server.host}/v2/lab/multi/manifests/all",
    )  # fmt: skip
    return found


@pytest.mark.parametrize(
    ("choice", "architecture"),
    [
        (Choice("linux/arm64"), "arm64"),
        (Choice("linux/arm64/v8"), "arm64"),
        (Choice("qemu/amd64"), "amd64"),
        (Choice("linux/amd64", "qemu"), "amd64"),
        (Choice("arm64", "qemu"), "arm64"),
    ],
)
def test_an_index_is_chosen_from_by_platform_and_monitor(
    server: Registry, index: dict[str, BuiltImage], tmp_path: Path, choice: Choice, architecture: str
) -> None:
    found = fetch(f"{server.host}/lab/multi:all", tmp_path / "to", choice)
    assert found.digest == index[architecture].descriptor.digest


def test_a_platform_that_an_index_lacks_is_told_with_those_that_it_has(
    server: Registry, index: dict[str, BuiltImage], tmp_path: Path
) -> None:
    assert index
    with pytest.raises(ImageError, match="no image for linux/riscv64") as refused:
        fetch(f"{server.host}/lab/multi:all", tmp_path / "to", Choice("linux/riscv64"))
    assert "linux/arm64/v8, qemu/amd64" in refused.value.hint


@pytest.mark.parametrize(
    ("kind", "data", "message"),
    [
        ("application/json", b"[]", "is not a JSON object"),
        (INDEX, b"{" + b" " * (5 << 20), "has over 4 MiB"),
        (INDEX, b"no json", "is not JSON"),
        (INDEX, json.dumps({"mediaType": "x/y"}).encode(), "which is no image"),
    ],
)
def test_a_manifest_that_is_none_is_refused(tmp_path: Path, kind: str, data: bytes, message: str) -> None:
    with faulty() as proxy:
        proxy.faults += [
            Fault("GET", "/manifests/", status=200, headers={"Content-Type": kind}, body=data, times=9),
            Fault("GET", "/v2/", status=200, times=9),
        ]
        with pytest.raises((ImageError, RegistryError), match=message):
            fetch(f"{proxy.host}/lab/hello:1", tmp_path / "to")


def test_copies_between_all_kinds_of_places_are_the_same_image(
    server: Registry, bima: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    image = make_image(tmp_path / "from", f"{server.host}/lab/hello:1")
    push(image, PLAIN)
    places = [
        f"registry:{server.host}/lab/hello:1",
        f"oci:{tmp_path}/dir",
        f"oci-archive:{tmp_path}/file.tar",
        "store",
    ]
    for source, target in itertools.pairwise(places):
        done = bima("copy", "--plain-http", "-q", source, target)
        assert (done.stdout, done.stderr) == (f"{image.descriptor.digest}\n", "")
    done = bima("copy", "--plain-http", f"{server.host}/lab/hello:1", f"{server.host}/other/name:2")
    assert done.stdout == f"{image.descriptor.digest}\n"
    assert fetch(f"{server.host}/other/name:2", tmp_path / "to").digest == image.descriptor.digest


def test_what_skopeo_writes_is_read(
    server: Registry, bima: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path, home: Path
) -> None:
    require("skopeo")
    image = make_image(tmp_path / "from", f"{server.host}/lab/hello:1")
    push(image, PLAIN)
    for target in (
        f"oci:{tmp_path}/dir:x",
        f"oci-archive:{tmp_path}/o.tar:x",
        f"docker-archive:{tmp_path}/d.tar:x:1",
    ):
        run("skopeo", "copy", "--src-tls-verify=false", f"docker://{server.host}/lab/hello:1", target)
        done = bima("copy", "-t", "y", target.removesuffix(":x:1"), "store")
        assert done.returncode == 0, done.stderr
        store = Layout(home / "data/bima")
        copied = BuiltImage(store, store.index["docker.io/library/y:latest"], image.reference)
        config = store.document(copied.config_digest)
        assert (
            config["rootfs"]["diff_ids"] == image.layout.document(image.config_digest)["rootfs"]["diff_ids"]
        )
