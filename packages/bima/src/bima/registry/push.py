# SPDX-License-Identifier: Apache-2.0
"""Pushes an image: its blobs several at a time, then its manifest."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from bima.image import Descriptor
from bima.registry import workers
from bima.registry.client import PATIENT, connect
from bima.registry.transfer import send_blob, send_manifest

if TYPE_CHECKING:
    import threading

    from bima.layout import BuiltImage, Layout
    from bima.outputs import Options
    from bima.registry.client import Client

THREADS = 4


def push(image: BuiltImage, options: Options) -> str:
    """Bring the image to the registry its name begins with; the digest under which it is there."""
    client = connect(image.reference, options)
    manifest = image.manifest
    parts = (Descriptor.from_json(part) for part in [*manifest["layers"], manifest["config"]])
    jobs = {part.digest: partial(_send, client, image.layout, part) for part in parts}
    workers.run(jobs.values(), THREADS)
    with client:
        name = image.reference.tag or image.descriptor.digest
        send_manifest(client, image.layout.read(image.descriptor.digest), image.descriptor, name)
    return image.descriptor.digest


def _send(client: Client, layout: Layout, blob: Descriptor, stop: threading.Event) -> None:
    """One blob, over a connection of its own: a session is for one thread."""
    with client.with_timeout(PATIENT) as own:
        send_blob(own, layout, blob, stop)
