# SPDX-License-Identifier: Apache-2.0
"""`oci-archive:FILE[:TAG]`, `docker-archive:FILE`: a tar that is an OCI layout, or what docker saves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bima import contents, tarball
from bima.errors import ImageError
from bima.fetching import choose, parts, read_document, store
from bima.flatten import flatten
from bima.image import CONFIG, LAYER_GZIP, LAYER_TAR, MANIFEST, Descriptor, Layer, digest_of, render_manifest
from bima.layout import LARGEST_DOCUMENT, name_of
from bima.reference import Reference
from bima.sources import Fetched
from bima.sources.layout import pick
from bima.tree import Data, File, Packed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bima.layout import Layout
    from bima.sources import Request
    from bima.tree import Regular, Tree


def fetch(where: str, request: Request, into: Layout) -> Fetched:
    """Copy an image out of the file."""
    path, name = _split(where)
    with path.open("rb") as file:
        return take(file, name, request, into)


def take(file: Any, name: str, request: Request, into: Layout) -> Fetched:
    """Copy an image out of an open archive."""
    with into.workspace() as work:
        tarball.unpack(file, work / "archive")
        tree = flatten([work / "archive"])
        if tree.find("index.json"):
            return _from_layout(tree, file.name, name, request, into)
        return _from_docker(tree, file.name, name, into)


def _split(where: str) -> tuple[Path, str]:
    if Path(where).is_file():
        return Path(where), ""
    path, _, name = where.partition(":")
    if not Path(path).is_file():
        raise ImageError(f"there is no file {path}")
    return Path(path), name


def _from_layout(tree: Tree, where: str, name: str, request: Request, into: Layout) -> Fetched:
    index = _document(tree, "index.json", where)
    named = pick([Descriptor.from_json(each) for each in index.get("manifests") or []], name, where)

    def pieces(blob: Descriptor) -> Iterator[bytes]:
        with contents.opened(_file(tree, f"blobs/{blob.digest.replace(':', '/')}", where)) as opened:
            yield from opened.pieces()

    descriptor, manifest = choose(
        named, where, request.choice, lambda each: read_document(each, pieces(each))
    )
    for part in parts(manifest, where):
        store(into, part, pieces(part))
    into.add_bytes(manifest, descriptor.media_type)
    return Fetched(descriptor, name_of(named))


def _from_docker(tree: Tree, where: str, name: str, into: Layout) -> Fetched:
    """What `docker save` writes has a config, but no manifest: it is made here."""
    entry = _entry(_document(tree, "manifest.json", where), name, where)
    config = contents.read(_file(tree, entry.get("Config"), where), LARGEST_DOCUMENT)
    diff_ids = _diff_ids(config, where)
    paths = entry.get("Layers")
    if not isinstance(paths, list) or len(paths) != len(diff_ids):
        raise ImageError(f"{where} has another number of layers than its config says")
    layers = [
        _layer(_file(tree, path, where), diff_id, where, into)
        for path, diff_id in zip(paths, diff_ids, strict=True)
    ]
    document = render_manifest(into.add_bytes(config, CONFIG), layers, {})
    tags = entry.get("RepoTags") or [""]
    return Fetched(into.add_bytes(document, MANIFEST), str(Reference.parse(tags[0])) if tags[0] else "")


def _entry(document: Any, name: str, where: str) -> dict[str, Any]:
    """One image of `manifest.json`: the one with this name, or the only one."""
    found = [each for each in document if isinstance(each, dict)] if isinstance(document, list) else []
    wanted = str(Reference.parse(name)) if name else ""
    for each in found:
        tags = [str(Reference.parse(tag)) for tag in each.get("RepoTags") or []]
        if wanted in tags or (not wanted and len(found) == 1):
            return each
    raise ImageError(f"{where} has {len(found)} images, and none is called {name or 'without a name'}")


def _layer(entry: Regular, diff_id: str, where: str, into: Layout) -> Layer:
    with contents.opened(entry) as opened, into.writer() as writer:
        head = b""
        for piece in opened.pieces():
            head = head or piece[:2]
            writer.write(piece)
    packed = head == b"\x1f\x8b"
    if not packed and writer.digest != diff_id:
        raise ImageError(f"{where}: the layer {diff_id} is damaged, or was tampered with")
    return Layer(Descriptor(LAYER_GZIP if packed else LAYER_TAR, writer.digest, writer.size), diff_id)


def _diff_ids(config: bytes, where: str) -> list[str]:
    try:
        found = json.loads(config)["rootfs"]["diff_ids"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ImageError(f"{where}: the config {digest_of(config)} does not list its layers") from error
    return [str(each) for each in found] if isinstance(found, list) else []


def _document(tree: Tree, path: str, where: str) -> Any:
    try:
        return json.loads(contents.read(_file(tree, path, where), LARGEST_DOCUMENT))
    except (ValueError, RecursionError) as error:
        raise ImageError(f"{path} in {where} is not JSON") from error


def _file(tree: Tree, path: object, where: str) -> Regular:
    found = tree.find(path) if isinstance(path, str) else None
    if not isinstance(found, File | Data | Packed):
        raise ImageError(f"{where} is no archive of an image: it lacks {path}")
    return found
