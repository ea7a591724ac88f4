# SPDX-License-Identifier: Apache-2.0
"""Pushes an image: its blobs several at a time, then its manifest."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from bima.errors import RegistryError
from bima.image import Descriptor
from bima.registry import workers
from bima.registry.client import PATIENT, connect
from bima.registry.transfer import cancel, send_blob, send_manifest

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable

    from bima.layout import BuiltImage, Layout
    from bima.outputs import Options
    from bima.registry.client import Client

THREADS = 4


def push(image: BuiltImage, options: Options) -> str:
    """Bring the image to the registry its name begins with; the digest under which it is there."""
    digest = image.descriptor.digest
    if image.reference.digest not in ("", digest):
        raise RegistryError(f"{image.reference} is not the image {digest}", hint="leave the digest out")
    client = connect(image.reference, options)
    manifest = image.manifest
    parts = (Descriptor.from_json(part) for part in [*manifest["layers"], manifest["config"]])
    blobs = {part.digest: part for part in parts}
    _send_all(client, image.layout, blobs.values())
    with client:
        send_manifest(client, image.layout.read(digest), image.descriptor, image.reference.tag or digest)
    return digest


def _send_all(client: Client, layout: Layout, blobs: Iterable[Descriptor]) -> None:
    sessions: set[str] = set()
    try:
        workers.run([partial(_send, client, layout, blob, sessions) for blob in blobs], THREADS)
    except BaseException:
        cancel(client, tuple(sessions))  # those of workers that hang
        raise


def _send(
    client: Client, layout: Layout, blob: Descriptor, sessions: set[str], stop: threading.Event
) -> None:
    """One blob, over a connection of its own: a session is for one thread."""
    with client.with_timeout(PATIENT) as own:
        send_blob(own, layout, blob, sessions, stop)
