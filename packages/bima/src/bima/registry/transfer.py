# SPDX-License-Identifier: Apache-2.0
"""Brings blobs and manifests to a registry: streamed, several at a time, tried again, digests compared.

oras-py reads a blob into memory as a whole, and writes the manifest anew, which changes its digest; here the
bytes are sent as they are.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urljoin, urlsplit

from bima.errors import RegistryError, StoreError
from bima.registry.client import HASTY
from bima.registry.failures import Transient, describe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import BinaryIO

    import requests

    from bima.image import Descriptor
    from bima.layout import Layout
    from bima.registry.client import Client

T = TypeVar("T")
DELAYS_S = (1, 2, 4, 8)
LONGEST_S = 60


class Cancelled(Exception):
    """Another part of the push failed, or the user wants to leave."""


class Body:
    """A blob as the body of a request: it has a length, is read in pieces, and can be cancelled."""

    def __init__(self, file: BinaryIO, size: int, stop: threading.Event) -> None:
        self._file = file
        self._size = size
        self._left = size
        self._stop = stop

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self.read(1 << 16), b"")

    def read(self, size: int = -1) -> bytes:
        """The next piece."""
        if self._stop.is_set():
            raise Cancelled
        data = self._file.read(min(size, self._left) if size >= 0 else self._left)
        self._left -= len(data)
        return data


def send_blob(
    client: Client, layout: Layout, blob: Descriptor, sessions: set[str], stop: threading.Event
) -> None:
    """Have the blob in the repository, unless it is there; `sessions` has the address while it uploads."""
    with layout.open(blob.digest) as file:
        size = os.fstat(file.fileno()).st_size
    if size != blob.size:
        raise StoreError(
            f"the blob {blob.digest} has {size} bytes, not {blob.size}", hint="build the image again"
        )
    persist(lambda: _try_blob(client, layout, blob, sessions, stop), stop)


def send_manifest(client: Client, content: bytes, manifest: Descriptor, name: str) -> None:
    """Give the name to these very bytes; all that the manifest mentions must be there."""

    def attempt() -> requests.Response:
        headers = {"Content-Type": manifest.media_type}
        return client.do_request(client.endpoint.url(f"manifests/{name}"), "PUT", content, headers)

    _check(persist(attempt, threading.Event()), 201, manifest.digest)


def persist(attempt: Callable[[], T], stop: threading.Event) -> T:
    """Try until it works, as long as the failure looks transient."""
    for delay_s in DELAYS_S:
        try:
            return attempt()
        except Transient as error:
            pause_s = delay_s if error.after_s is None else error.after_s
            if pause_s > LONGEST_S:
                raise
        if stop.wait(pause_s):
            raise Cancelled
    return attempt()


def cancel(client: Client, sessions: Iterable[str]) -> None:
    """Leave nothing half-made, if the registry still listens.

    The registry "distribution" refuses it once a part has arrived, and removes that part itself after a week.
    """
    with suppress(RegistryError), client.with_timeout(HASTY) as hasty:
        for session in sessions:
            hasty.do_request(session, "DELETE")


def _try_blob(
    client: Client, layout: Layout, blob: Descriptor, sessions: set[str], stop: threading.Event
) -> None:
    if client.do_request(client.endpoint.url(f"blobs/{blob.digest}"), "HEAD").status_code == 200:
        return
    session = _begin(client)
    sessions.add(session)
    try:
        with layout.open(blob.digest) as file:
            _upload(client, session, blob, lambda: _rewound(file, blob.size, stop))
    except BaseException:
        cancel(client, [session])
        raise
    finally:
        sessions.discard(session)


def _begin(client: Client) -> str:
    """Start an upload; its address."""
    url = client.endpoint.url("blobs/uploads/")
    answer = client.do_request(url, "POST")
    _check(answer, 202)
    location = answer.headers.get("Location")
    if not location:
        raise RegistryError(f"POST {url}: the answer does not say where to upload")
    return urljoin(url, location)


def _upload(client: Client, session: str, blob: Descriptor, body: Callable[[], Body | bytes]) -> None:
    # The address can have parameters of its own, which must come back as they are.
    url = f"{session}{'&' if urlsplit(session).query else '?'}digest={blob.digest}"
    headers = {"Content-Type": "application/octet-stream"}
    _check(client.do_request(url, "PUT", body, headers), 201, blob.digest)


def _rewound(file: BinaryIO, size: int, stop: threading.Event) -> Body | bytes:
    file.seek(0)
    return Body(file, size, stop) if size else b""  # requests sends an empty stream chunked


def _check(answer: requests.Response, status: int, digest: str = "") -> None:
    if answer.status_code != status:
        raise RegistryError(describe(answer), hint=_HINTS.get(answer.status_code, ""))
    stored = answer.headers.get("Docker-Content-Digest", digest)
    if digest and stored != digest:
        raise RegistryError(f"{answer.url.partition('?')[0]} has the digest {stored} now, not {digest}")


_HINTS = {
    403: "ask the owner of the repository for the right to push",
    404: "the project may have to be made first",
    405: "the registry may be read-only",
    413: "the registry, or a proxy before it, limits the size",
}
