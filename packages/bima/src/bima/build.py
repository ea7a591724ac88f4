# SPDX-License-Identifier: Apache-2.0
"""A planned image -> blobs in a layout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bima import image, layer
from bima.layout import BuiltImage, Layout
from bima.staged import PlannedLayer

if TYPE_CHECKING:
    from collections.abc import Callable

    from bima.image import Layer
    from bima.plan import ImagePlan
    from bima.reference import Reference


def build(plan: ImagePlan, layout: Layout, reference: Reference, report: Callable[[str], None]) -> BuiltImage:
    """Write layers, config and manifest; `report` hears of each layer."""
    layers = [
        _write_layer(each, layout, plan.epoch, report) if isinstance(each, PlannedLayer) else each
        for each in plan.layers
    ]
    config = layout.add_bytes(plan.config.render(layers, plan.history), image.CONFIG)
    manifest = layout.add_bytes(image.render_manifest(config, layers, plan.annotations), image.MANIFEST)
    platform = image.Descriptor(manifest.media_type, manifest.digest, manifest.size, {}, plan.config.platform)
    return BuiltImage(layout, platform, reference)


def _write_layer(planned: PlannedLayer, layout: Layout, epoch: int, report: Callable[[str], None]) -> Layer:
    written = layer.write(planned.entries, layout, epoch)
    report(f"{planned.text}: {written.descriptor.size} bytes")
    return written
