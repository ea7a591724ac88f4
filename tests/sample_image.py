# SPDX-License-Identifier: Apache-2.0
"""Small images for tests of their delivery, made without building."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from dataclasses import replace
from typing import TYPE_CHECKING

from bima.image import CONFIG, LAYER_GZIP, ImageConfig, Layer, Step, canonical, digest_of, render_manifest
from bima.image import MANIFEST as MANIFEST_TYPE
from bima.layout import BuiltImage, Layout
from bima.reference import Reference

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

KEY = "com.urunc.unikernel.unikernelType"
FILES = {"unikernel/hello": b"not really a kernel", "etc/motd": b"welcome\n", "urunc.json": b"{}"}


def make_image(
    directory: Path,
    name: str,
    *,
    architecture: str = "amd64",
    files: Mapping[str, bytes] = FILES,
    version: str = "",
) -> BuiltImage:
    """An image with one layer per file, in a layout of its own, tagged."""
    layout = Layout(directory)
    with layout.locked():
        layers = [_layer(layout, path, content) for path, content in files.items()]
        config = ImageConfig(architecture, cmd=("hello",), labels={KEY: "generic"})
        steps = [Step(f"COPY {path}", empty=False) for path in files]
        document = {
            **json.loads(config.render(layers, steps)),
            **({"os.version": version} if version else {}),
        }
        config_blob = layout.add_bytes(canonical(document), CONFIG)
        manifest = layout.add_bytes(render_manifest(config_blob, layers, {KEY: "generic"}), MANIFEST_TYPE)
        manifest = replace(manifest, platform=config.platform)
        reference = Reference.parse(name)
        layout.tag(reference, manifest)
    return BuiltImage(layout, manifest, reference)


def _layer(layout: Layout, path: str, content: bytes) -> Layer:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        member = tarfile.TarInfo(path)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    tar_bytes = buffer.getvalue()
    blob = layout.add_bytes(gzip.compress(tar_bytes, compresslevel=0, mtime=0), LAYER_GZIP)
    return Layer(blob, digest_of(tar_bytes))
