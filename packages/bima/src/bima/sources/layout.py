# SPDX-License-Identifier: Apache-2.0
"""`oci:DIR[:TAG]`: a directory in the OCI image layout."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bima.errors import ImageError
from bima.fetching import choose, parts, store
from bima.layout import REF_NAME, Layout, name_of
from bima.sources import Fetched

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bima.image import Descriptor
    from bima.sources import Request

_CHUNK = 1 << 20


def fetch(where: str, request: Request, into: Layout) -> Fetched:
    """Copy the blobs of an image, and check them on the way."""
    path, name = _split(where)
    layout = Layout(path)
    if not (path / "index.json").is_file():
        raise ImageError(f"{path} is no OCI image layout: it has no index.json")
    named = pick(layout.descriptors, name, str(path))
    descriptor, manifest = choose(named, where, request.choice, lambda each: layout.read(each.digest))
    for part in parts(manifest, where):
        store(into, part, _pieces(layout, part))
    into.add_bytes(manifest, descriptor.media_type)
    return Fetched(descriptor, name_of(named))


def pick(descriptors: Sequence[Descriptor], name: str, where: str) -> Descriptor:
    """The descriptor of a tag, a whole name or a digest; without any of them the only one."""
    if not name and len(descriptors) == 1:
        return descriptors[0]
    for each in descriptors:
        if name and name in (each.annotations.get(REF_NAME), name_of(each), each.digest):
            return each
    known = ", ".join(sorted(name_of(each) or each.digest for each in descriptors))
    wrong = f"no image {name!r}" if name else f"{len(descriptors)} images"
    raise ImageError(f"{where} has {wrong}", hint=f"name one of {known}" if known else "it is empty")


def _split(where: str) -> tuple[Path, str]:
    if Path(where).is_dir():
        return Path(where), ""
    path, _, name = where.partition(":")
    return Path(path), name


def _pieces(layout: Layout, blob: Descriptor) -> Iterator[bytes]:
    with layout.open(blob.digest) as file:
        while piece := file.read(_CHUNK):
            yield piece
