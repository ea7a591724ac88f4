# SPDX-License-Identifier: Apache-2.0
"""Brings an image from anywhere into a layout: what comes in has the digest and size that were promised."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bima.errors import ImageError
from bima.image import INDEX, MANIFEST, Descriptor, describe
from bima.layout import LARGEST_DOCUMENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bima.choice import Choice
    from bima.layout import Layout

DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
INDEXES, MANIFESTS = (INDEX, DOCKER_INDEX), (MANIFEST, DOCKER_MANIFEST)


def read_document(descriptor: Descriptor, pieces: Iterable[bytes]) -> bytes:
    """A manifest or an index, whose digest is checked if it is known."""
    data = bytearray()
    for piece in pieces:
        data += piece
        if len(data) > LARGEST_DOCUMENT:
            raise ImageError(f"the manifest {descriptor.digest} has over {LARGEST_DOCUMENT >> 20} MiB")
    if descriptor.digest and describe(bytes(data), "").digest != descriptor.digest:
        raise ImageError(f"the manifest {descriptor.digest} is damaged, or was tampered with")
    return bytes(data)


def choose(
    descriptor: Descriptor, name: str, choice: Choice, read: Callable[[Descriptor], bytes]
) -> tuple[Descriptor, bytes]:
    """The manifest behind a descriptor, by way of an index or not; and its bytes."""
    for _ in range(3):
        data = read(descriptor)
        document = _parsed(data, name)
        kind = document.get("mediaType") or descriptor.media_type or _guessed(document)
        descriptor = replace(
            describe(data, kind), annotations=descriptor.annotations, platform=descriptor.platform
        )
        if kind in MANIFESTS:
            return descriptor, data
        if kind not in INDEXES:
            raise ImageError(f"{name} is of the type {kind!r}, which is no image")
        descriptor = choice.of(document, name)
    raise ImageError(f"{name} is an index of an index of an index")


def parts(manifest: bytes, name: str) -> list[Descriptor]:
    """The config and the layers of a manifest, each once."""
    document = _parsed(manifest, name)
    layers = document.get("layers")
    if not isinstance(layers, list) or not isinstance(document.get("config"), dict):
        raise ImageError(f"{name} is no image: its manifest lacks config or layers")
    found = map(Descriptor.from_json, [document["config"], *layers])
    return list({each.digest: each for each in found}.values())


def store(into: Layout, blob: Descriptor, pieces: Iterable[bytes]) -> None:
    """A blob out of its pieces; nothing of it stays if it is not what it should be."""
    if into.has(blob.digest):
        return
    with into.writer() as writer:
        for piece in pieces:
            writer.write(piece)
            if writer.size > blob.size:
                break
        if (writer.digest, writer.size) != (blob.digest, blob.size):
            raise ImageError(f"the blob {blob.digest} is damaged or cut off")


def _parsed(data: bytes, name: str) -> dict[str, Any]:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ImageError(f"the manifest of {name} is not JSON") from error
    if not isinstance(document, dict):
        raise ImageError(f"the manifest of {name} is not a JSON object")
    return document


def _guessed(document: dict[str, Any]) -> str:
    """OCI's documents need not say what they are."""
    return INDEX if "manifests" in document else MANIFEST if "layers" in document else ""
