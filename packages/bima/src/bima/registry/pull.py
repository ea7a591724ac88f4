# SPDX-License-Identifier: Apache-2.0
"""Pulls an image: its manifest, then its blobs several at a time; a broken connection is taken up again."""

from __future__ import annotations

import threading
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

import requests

from bima.errors import ImageError, RegistryError
from bima.fetching import INDEXES, MANIFESTS, choose, parts, read_document
from bima.image import Descriptor
from bima.registry import workers
from bima.registry.client import PATIENT, connect
from bima.registry.failures import Unanswered, describe, unanswered
from bima.registry.transfer import Cancelled, persist

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bima.blob import BlobWriter
    from bima.choice import Choice
    from bima.layout import Layout
    from bima.outputs import Options
    from bima.reference import Reference
    from bima.registry.client import Client

THREADS = 4
_CHUNK = 1 << 16
_PLAIN = {"Accept-Encoding": "identity"}


def pull(
    reference: Reference, choice: Choice, into: Layout, options: Options, report: Callable[[str], None]
) -> Descriptor:
    """Bring the image into the layout, whole and checked; the descriptor of its manifest."""
    with connect(reference, options, "pull") as client:
        descriptor, manifest = find(client, reference, choice)
        missing = [blob for blob in parts(manifest, str(reference)) if not into.has(blob.digest)]
        for blob in missing:
            report(f"{blob.digest}: {blob.size} bytes")
        workers.run([partial(_receive, client, blob, into) for blob in missing], THREADS)
    into.add_bytes(manifest, descriptor.media_type)
    return descriptor


def find(client: Client, reference: Reference, choice: Choice) -> tuple[Descriptor, bytes]:
    """The manifest that the name, or the index behind it, leads to."""
    first = Descriptor("", reference.digest, 0)
    name = reference.digest or reference.tag

    def read(descriptor: Descriptor) -> bytes:
        return _manifest(client, descriptor, descriptor.digest or name)

    return choose(first, str(reference), choice, read)


def _manifest(client: Client, descriptor: Descriptor, name: str) -> bytes:
    url = client.endpoint.url(f"manifests/{name}")
    headers = {"Accept": ", ".join((*MANIFESTS, *INDEXES)), **_PLAIN}

    def attempt() -> bytes:
        with closing(client.do_request(url, headers=headers, stream=True)) as answer:
            if answer.status_code != 200:
                hint = "is the name right?" if answer.status_code == 404 else ""
                raise RegistryError(describe(answer), hint=hint)
            return read_document(descriptor, _pieces(client, answer))

    return persist(attempt, threading.Event())


def _receive(client: Client, blob: Descriptor, into: Layout, stop: threading.Event) -> None:
    """One blob, over a connection of its own."""
    with client.with_timeout(PATIENT) as own, into.writer() as writer:
        persist(lambda: _go_on(own, blob, writer, stop), stop)
        if (writer.digest, writer.size) != (blob.digest, blob.size):
            raise ImageError(f"{own.endpoint.registry} gave a blob that is not {blob.digest}")


def _go_on(client: Client, blob: Descriptor, writer: BlobWriter, stop: threading.Event) -> None:
    """Write what is missing of a blob; the registry may, or may not, begin where we are."""
    url = client.endpoint.url(f"blobs/{blob.digest}")
    headers = {**_PLAIN, **({"Range": f"bytes={writer.size}-"} if writer.size else {})}
    with closing(client.do_request(url, headers=headers, stream=True)) as answer:
        if answer.status_code not in (200, 206):
            raise RegistryError(describe(answer))
        skip = writer.size if answer.status_code == 200 else 0
        for piece in _pieces(client, answer):
            if stop.is_set():
                raise Cancelled
            writer.write(piece[skip:])
            skip = max(0, skip - len(piece))
            if writer.size > blob.size:
                raise ImageError(
                    f"{client.endpoint.registry} gives more than the {blob.size} bytes of {blob.digest}"
                )
    if writer.size < blob.size:
        raise Unanswered(f"{client.endpoint.registry} ended {blob.digest} too early")


def _pieces(client: Client, answer: requests.Response) -> Iterator[bytes]:
    try:
        yield from answer.iter_content(_CHUNK)
    except requests.RequestException as error:
        raise unanswered(client.endpoint.registry, error) from error
