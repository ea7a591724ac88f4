# SPDX-License-Identifier: Apache-2.0
"""An image in a layout -> a stage that has what it has: files, layers, configuration, history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bima import flatten, tarball
from bima.errors import ImageError
from bima.fetching import parts
from bima.image import LAYER_GZIP, LAYER_TAR, LAYER_ZSTD, Descriptor, ImageConfig, Layer, Step
from bima.platform import normalize
from bima.staged import Staged

if TYPE_CHECKING:
    from pathlib import Path

    from bima.layout import Layout

_DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
# What a layer is called there, and what it is called in an image of ours: the bytes are the same.
LAYERS = {
    LAYER_TAR: LAYER_TAR,
    LAYER_GZIP: LAYER_GZIP,
    LAYER_ZSTD: LAYER_ZSTD,
    _DOCKER_LAYER: LAYER_TAR,
    f"{_DOCKER_LAYER}.gzip": LAYER_GZIP,
    f"{_DOCKER_LAYER}.zstd": LAYER_ZSTD,
}


def load(layout: Layout, descriptor: Descriptor, name: str, work: Path) -> Staged:
    """`work` is where the layers are unpacked, and must stay as long as the files are needed."""
    config, *blobs = parts_of(layout, descriptor, name)
    document = layout.document(config.digest)
    layers = _layers(document, blobs, name)
    tars = [plain(layout, layer, work) for layer in layers]
    tree = flatten.flatten(tars)
    return Staged(read_config(document, name), tree, [*layers], history(document, len(layers)))


def parts_of(layout: Layout, descriptor: Descriptor, name: str) -> list[Descriptor]:
    """The config, and every layer as often as it is there."""
    manifest = layout.read(descriptor.digest)
    config = parts(manifest, name)[0]
    layers = layout.document(descriptor.digest)["layers"]
    return [config, *map(Descriptor.from_json, layers)]


def plain(layout: Layout, layer: Layer, work: Path) -> Path:
    """The layer as a tar without compression, which must be the one that the config knows."""
    path = work / layer.diff_id.removeprefix("sha256:")
    if not path.exists():
        with layout.open(layer.descriptor.digest) as blob:
            digest = tarball.unpack(blob, path)
        if digest != layer.diff_id:
            raise ImageError(f"the layer {layer.descriptor.digest} is not the {layer.diff_id} of its config")
    return path


def read_config(document: Mapping[str, Any], name: str) -> ImageConfig:
    """What a config blob says; raises ImageError for what no config can say."""
    config = document.get("config") or {}
    architecture = document.get("architecture")
    if not isinstance(config, Mapping) or not isinstance(architecture, str):
        raise ImageError(f"the config of {name} is none")
    read = _Reader(config, name)
    return ImageConfig(
        architecture=normalize(architecture),
        variant=_Reader(document, name).text("variant"),
        env=read.words("Env"),
        entrypoint=read.words("Entrypoint"),
        cmd=read.words("Cmd"),
        labels={key: value for key, value in read.mapping("Labels").items() if isinstance(value, str)},
        working_dir=read.text("WorkingDir"),
        user=read.text("User"),
        ports=tuple(read.mapping("ExposedPorts")),
        volumes=tuple(read.mapping("Volumes")),
        stop_signal=read.text("StopSignal"),
        shell=read.words("Shell"),
        author=_Reader(document, name).text("author"),
        os_version=_Reader(document, name).text("os.version"),
    )


class _Reader:
    """Values of a JSON object that may be missing, but not wrong."""

    def __init__(self, document: Mapping[str, Any], name: str) -> None:
        self._document, self._name = document, name

    def text(self, key: str) -> str:
        """A string."""
        found = self._document.get(key) or ""
        return found if isinstance(found, str) else self._refuse(key)

    def words(self, key: str) -> tuple[str, ...]:
        """A list of strings."""
        found = self._document.get(key) or []
        if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
            self._refuse(key)
        return tuple(found)

    def mapping(self, key: str) -> Mapping[str, Any]:
        """An object."""
        found = self._document.get(key) or {}
        return found if isinstance(found, Mapping) else self._refuse(key)

    def _refuse(self, key: str) -> Any:
        raise ImageError(f"{key} in the config of {self._name} is of the wrong type")


def _layers(document: Mapping[str, Any], blobs: list[Descriptor], name: str) -> list[Layer]:
    rootfs = document.get("rootfs")
    diff_ids = rootfs.get("diff_ids") if isinstance(rootfs, Mapping) else None
    if not isinstance(diff_ids, list) or len(diff_ids) != len(blobs):
        raise ImageError(f"the config and the manifest of {name} do not have the same layers")
    return [_layer(blob, str(diff_id), name) for blob, diff_id in zip(blobs, diff_ids, strict=True)]


def _layer(blob: Descriptor, diff_id: str, name: str) -> Layer:
    if blob.media_type not in LAYERS:
        raise ImageError(f"a layer of {name} is of the type {blob.media_type}, which cannot be unpacked")
    # It becomes the name of a file, so it must be what it looks like.
    checked = Descriptor.from_json({"digest": diff_id, "size": 0}).digest
    return Layer(Descriptor(LAYERS[blob.media_type], blob.digest, blob.size), checked)


def history(document: Mapping[str, Any], count: int) -> list[Step]:
    """The image's own history, if there is one that fits its layers."""
    found = [
        Step(str(each.get("created_by", "")), each.get("empty_layer") is True, str(each.get("created") or ""))
        for each in document.get("history") or []
        if isinstance(each, Mapping)
    ]
    fits = sum(not step.empty for step in found) == count
    return found if fits else [Step("a layer of the base", empty=False)] * count
