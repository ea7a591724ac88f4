# SPDX-License-Identifier: Apache-2.0
"""The image layout and bima's store."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest

from bima import image, store
from bima.errors import StoreError
from bima.image import Descriptor
from bima.layout import BuiltImage, Layout
from bima.reference import Reference


def add(layout: Layout, name: str, content: bytes) -> BuiltImage:
    """An image of one layer with this content."""
    with layout.locked():
        layer = image.Layer(layout.add_bytes(content, image.LAYER_GZIP), image.digest_of(content))
        config = layout.add_bytes(image.ImageConfig("amd64").render([layer], []), image.CONFIG)
        manifest = layout.add_bytes(image.render_manifest(config, [layer], {}), image.MANIFEST)
        reference = Reference.parse(name)
        layout.tag(reference, manifest)
    return BuiltImage(layout, manifest, reference)


def blobs(layout: Layout) -> set[str]:
    return {f"sha256:{path.name}" for path in layout.blobs.iterdir()}


def test_a_blob_is_stored_under_its_digest(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "a")
    with layout.locked():
        descriptor = layout.add_bytes(b"content", "type")
    assert descriptor == image.describe(b"content", "type")
    assert layout.read(descriptor.digest) == b"content"
    with layout.open(descriptor.digest) as file:
        assert file.read() == b"content"


def test_a_new_layout_is_valid_and_empty(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert layout.index == {}
    with layout.locked():
        pass
    assert json.loads((tmp_path / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    assert json.loads((tmp_path / "index.json").read_bytes())["manifests"] == []


def test_a_blob_whose_writing_fails_does_not_appear(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    with layout.locked(), suppress(KeyboardInterrupt), layout.writer() as writer:
        writer.write(b"half")
        raise KeyboardInterrupt
    assert blobs(layout) == set()
    assert not list(tmp_path.glob(".partial*"))


def test_the_next_writer_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    with layout.locked():
        (tmp_path / ".partial-0123").write_bytes(b"half")
    with layout.locked():
        assert not list(tmp_path.glob(".partial*"))


def test_a_second_writer_is_kept_out(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    with layout.locked(), pytest.raises(BlockingIOError), Layout(tmp_path).locked(wait=False):
        pass
    with Layout(tmp_path).locked(wait=False):
        pass


def test_a_name_moves_to_the_newest_image(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    add(layout, "a", b"1")
    second = add(layout, "a", b"2")
    other = add(layout, "b:x", b"3")
    found = {name: descriptor.digest for name, descriptor in layout.index.items()}
    assert found == {
        "docker.io/library/a:latest": second.descriptor.digest,
        "docker.io/library/b:x": other.descriptor.digest,
    }
    assert layout.index["docker.io/library/b:x"].annotations == {
        "io.containerd.image.name": "docker.io/library/b:x",
        "org.opencontainers.image.ref.name": "x",
    }


def test_a_damaged_document_is_refused(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    made = add(layout, "a", b"1")
    layout.blob_path(made.descriptor.digest).write_bytes(b"{}")
    with pytest.raises(StoreError, match=r"is damaged"):
        layout.read(made.descriptor.digest)


def test_a_missing_blob_is_named(tmp_path: Path) -> None:
    digest = image.digest_of(b"nothing")
    with pytest.raises(StoreError, match=digest):
        Layout(tmp_path).read(digest)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"manifests": 5}', '{"manifests": [1]}'])
def test_a_damaged_index_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "index.json").write_text(text)
    with pytest.raises(StoreError):
        _ = Layout(tmp_path).index


def test_a_manifest_of_absurd_size_is_not_read(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    with layout.locked():
        descriptor = layout.add_bytes(bytes((4 << 20) + 1), "type")
    with pytest.raises(StoreError, match="too large"):
        layout.read(descriptor.digest)


@pytest.mark.parametrize("link", [True, False])
def test_an_image_is_copied_whole_into_another_layout(tmp_path: Path, *, link: bool) -> None:
    source, target = Layout(tmp_path / "a"), Layout(tmp_path / "b")
    made = add(source, "x", b"layer")
    with target.locked():
        target.add_image(made, link=link)
    assert blobs(target) == blobs(source)
    assert target.index == source.index


def test_a_damaged_image_is_not_copied_at_all(tmp_path: Path) -> None:
    source, target = Layout(tmp_path / "a"), Layout(tmp_path / "b")
    made = add(source, "x", b"layer")
    source.blob_path(made.config_digest).write_bytes(b"other")  # it follows the layer
    with target.locked(), pytest.raises(StoreError, match="is damaged"):
        target.add_image(made)
    assert blobs(target) == set()
    assert target.index == {}


def test_removing_an_image_keeps_what_others_share(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    kept, gone = add(layout, "a", b"1"), add(layout, "b", b"2")
    add(layout, "c", b"1")
    store.remove(layout, ["b", "c"])
    assert blobs(layout) == set(layout.reachable(kept.descriptor))
    assert not layout.has(gone.descriptor.digest)
    assert list(layout.index) == ["docker.io/library/a:latest"]


def test_nothing_is_removed_if_one_name_is_unknown(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    add(layout, "a", b"1")
    before = blobs(layout)
    with pytest.raises(StoreError, match="no image b:latest"):
        store.remove(layout, ["a", "b"])
    assert blobs(layout) == before
    assert list(layout.index) == ["docker.io/library/a:latest"]


def test_an_index_inside_an_index_keeps_its_images(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    made = add(layout, "a", b"1")
    with layout.locked():
        inner = image.canonical({"manifests": [made.descriptor.to_json()]})
        layout.untag(str(made.reference))
        layout.tag(Reference.parse("many"), layout.add_bytes(inner, image.INDEX))
        layout.collect()
    assert blobs(layout) >= set(layout.reachable(made.descriptor))


def test_a_draft_is_gone_at_the_end_and_nobody_removes_it_before(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    with store.draft(layout) as first, store.draft(layout) as second:
        assert first.path.is_dir()
        assert second.path.is_dir()
    assert not list(tmp_path.glob(".draft*"))


def test_an_abandoned_draft_is_removed_by_the_next_build(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    abandoned = Layout(tmp_path / ".draft-0")
    with abandoned.locked():
        abandoned.add_bytes(b"half an image", "type")
    with store.draft(layout):
        assert not abandoned.path.exists()


def test_a_descriptor_without_a_name_stays_in_the_index(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    made = add(layout, "a", b"1")
    nameless = Descriptor(image.MANIFEST, made.descriptor.digest, made.descriptor.size)
    (tmp_path / "index.json").write_bytes(image.canonical({"manifests": [nameless.to_json()]}))
    with layout.locked():
        layout.tag(Reference.parse("b"), made.descriptor)
        layout.untag("docker.io/library/b:latest")
    assert json.loads((tmp_path / "index.json").read_bytes())["manifests"] == [nameless.to_json()]


def test_the_store_is_where_xdg_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert store.default({"XDG_DATA_HOME": "/data"}).path == Path("/data/bima")
    assert store.default({}).path == Path("/home/me/.local/share/bima")
    assert store.default({"XDG_DATA_HOME": "relative"}).path == Path("/home/me/.local/share/bima")
