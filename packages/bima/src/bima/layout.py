# SPDX-License-Identifier: Apache-2.0
"""A directory in the OCI image layout: blobs by digest, and an index of names.

Readers need no lock: a blob appears whole or not at all, and so does the index.  Writers hold `locked()`.
Whoever is killed in the middle leaves a valid layout; the next writer removes the unfinished files.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from bima.blob import BlobWriter, partial, remove_unfinished
from bima.errors import StoreError
from bima.image import INDEX, Descriptor, canonical, describe

if TYPE_CHECKING:
    from bima.reference import Reference

REF_NAME = "org.opencontainers.image.ref.name"
IMAGE_NAME = "io.containerd.image.name"
MARKER = b'{"imageLayoutVersion":"1.0.0"}'
LARGEST_DOCUMENT = 4 << 20
_LOCK = ".lock"
_WORK = ".work-"


@dataclass(frozen=True)
class BuiltImage:
    """An image that lies in a layout, and the name it is to have."""

    layout: Layout
    descriptor: Descriptor
    reference: Reference

    @property
    def manifest(self) -> dict[str, Any]:
        """The parsed manifest."""
        return self.layout.document(self.descriptor.digest)

    @property
    def config_digest(self) -> str:
        """The digest of the config blob, which classic docker calls the image's id."""
        return Descriptor.from_json(self.manifest.get("config", {})).digest


class Layout:
    """An OCI image layout; made when first written to."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.blobs = self.path / "blobs" / "sha256"

    # reading

    def blob_path(self, digest: str) -> Path:
        """Where the blob is, or would be."""
        return self.blobs / digest.removeprefix("sha256:")

    def has(self, digest: str) -> bool:
        """Whether the blob is here."""
        return self.blob_path(digest).is_file()

    def open(self, digest: str) -> BinaryIO:
        """The blob as a file; the caller closes it."""
        try:
            return self.blob_path(digest).open("rb")
        except FileNotFoundError as error:
            raise StoreError(f"{self.path} has no blob {digest}", hint="build the image again") from error

    def read(self, digest: str) -> bytes:
        """A whole small blob, such as a manifest, checked against its digest."""
        with self.open(digest) as file:
            data = file.read(LARGEST_DOCUMENT + 1)
        if len(data) > LARGEST_DOCUMENT:
            raise StoreError(f"{digest} is too large for a manifest or config")
        if describe(data, "").digest != digest:
            raise _damaged(self, digest)
        return data

    def document(self, digest: str) -> dict[str, Any]:
        """A JSON object among the blobs."""
        return _object(self.read(digest), digest)

    @property
    def index(self) -> dict[str, Descriptor]:
        """The manifest of each name."""
        named = ((name_of(descriptor), descriptor) for descriptor in self.descriptors)
        return {name: descriptor for name, descriptor in named if name}

    # writing: the caller holds `locked()`

    @contextmanager
    def locked(self, *, wait: bool = True) -> Iterator[None]:
        """Be the only writer; raises BlockingIOError if another one is and `wait` is off."""
        self.blobs.mkdir(parents=True, exist_ok=True)
        with (self.path / _LOCK).open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            remove_unfinished(self.path)
            self._complete()
            yield

    @contextmanager
    def writer(self) -> Iterator[BlobWriter]:
        """A new blob, in its place under its digest once the block ends well."""
        with partial(self.path) as writer:
            yield writer
            writer.path.rename(self.blob_path(writer.digest))

    def add_bytes(self, data: bytes, media_type: str) -> Descriptor:
        """A small blob."""
        with self.writer() as writer:
            writer.write(data)
        return Descriptor(media_type, writer.digest, writer.size)

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """A directory for what is needed for a while only."""
        path = self.path / f"{_WORK}{os.urandom(8).hex()}"
        path.mkdir(mode=0o700)
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def tag(self, reference: Reference, descriptor: Descriptor) -> None:
        """Give the name to this manifest, taking it from another."""
        others = [each for each in self.descriptors if name_of(each) != str(reference)]
        self._save([*others, named(descriptor, reference)])

    def untag(self, name: str) -> None:
        """Forget the name; the blobs stay until `collect`."""
        self._save([each for each in self.descriptors if name_of(each) != name])

    def add_image(self, image: BuiltImage, *, link: bool = False) -> None:
        """Copy an image out of another layout, or link its blobs, all of them or none; then tag it."""
        with self._all_or_none() as added:
            self._add_blobs(image.layout, image.descriptor, added, link=link)
            self.tag(image.reference, image.descriptor)

    def add_blobs(self, source: Layout, descriptor: Descriptor, *, link: bool = False) -> None:
        """Copy or link what belongs to an image, without a name."""
        with self._all_or_none() as added:
            self._add_blobs(source, descriptor, added, link=link)

    def _add_blobs(self, source: Layout, descriptor: Descriptor, added: list[Path], *, link: bool) -> None:
        for digest in source.reachable(descriptor):
            if not self.has(digest):
                added.append(self.blob_path(digest))
                self._add_blob(source, digest, link=link)

    @contextmanager
    def _all_or_none(self) -> Iterator[list[Path]]:
        added: list[Path] = []
        try:
            yield added
        except BaseException:
            for path in added:
                path.unlink(missing_ok=True)
            raise

    def collect(self) -> int:
        """Remove the blobs that no name leads to; how many bytes that freed."""
        kept = {digest for each in self.descriptors for digest in self.reachable(each)}
        freed = 0
        for path in list(self.blobs.iterdir()):
            if f"sha256:{path.name}" not in kept:
                freed += path.stat().st_size
                path.unlink()
        return freed

    def reachable(self, descriptor: Descriptor) -> list[str]:
        """The digests of everything that belongs to an image, parts before the whole."""
        document = self.document(descriptor.digest)
        found = []
        for child in _listed(document, "manifests"):
            found += self.reachable(Descriptor.from_json(child))
        parts = [*_listed(document, "layers"), *filter(None, [document.get("config")])]
        found += [Descriptor.from_json(part).digest for part in parts]
        return list(dict.fromkeys([*found, descriptor.digest]))

    # inside

    @property
    def descriptors(self) -> list[Descriptor]:
        """All that the index lists, named or not."""
        path = self.path / "index.json"
        try:
            document = _object(path.read_bytes(), str(path))
        except FileNotFoundError:
            return []
        return [Descriptor.from_json(each) for each in _listed(document, "manifests")]

    def _save(self, descriptors: list[Descriptor]) -> None:
        ordered = sorted(descriptors, key=lambda each: (name_of(each), each.digest))
        with partial(self.path) as writer:
            writer.write(render_index(ordered))
            writer.path.rename(self.path / "index.json")

    def _complete(self) -> None:
        if not (self.path / "index.json").exists():
            self._save([])
        marker = self.path / "oci-layout"
        if not marker.exists():
            marker.write_bytes(MARKER)

    def _add_blob(self, source: Layout, digest: str, *, link: bool) -> None:
        if link and _linked(source.blob_path(digest), self.blob_path(digest)):
            return
        with source.open(digest) as blob, self.writer() as writer:
            shutil.copyfileobj(blob, writer, 1 << 20)
            if writer.digest != digest:
                raise _damaged(source, digest)


def render_index(descriptors: list[Descriptor]) -> bytes:
    """The document that lists manifests."""
    manifests = [descriptor.to_json() for descriptor in descriptors]
    return canonical({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests})


def named(descriptor: Descriptor, reference: Reference) -> Descriptor:
    """The descriptor as an index has it: with the whole name for containerd, and the tag for the others."""
    name = str(reference)
    annotations = {**descriptor.annotations, IMAGE_NAME: name, REF_NAME: reference.tag or name}
    return replace(descriptor, annotations=annotations)


def _linked(source: Path, target: Path) -> bool:
    """Try a hard link, which other filesystems and some policies refuse."""
    with suppress(OSError):
        target.hardlink_to(source)
        return True
    return False


def _damaged(layout: Layout, digest: str) -> StoreError:
    return StoreError(f"the blob {digest} in {layout.path} is damaged", hint="build the image again")


def name_of(descriptor: Descriptor) -> str:
    """The whole name for containerd, or else the tag for the others."""
    return descriptor.annotations.get(IMAGE_NAME) or descriptor.annotations.get(REF_NAME, "")


def _listed(document: Mapping[str, Any], key: str) -> list[Any]:
    found = document.get(key) or []
    if not isinstance(found, list):
        raise StoreError(f"{key} in an image's JSON is not a list")
    return found


def _object(data: bytes, what: str) -> dict[str, Any]:
    try:
        document = json.loads(data)
    except ValueError as error:
        raise StoreError(f"{what} is not JSON") from error
    if not isinstance(document, Mapping):
        raise StoreError(f"{what} is not a JSON object")
    return dict(document)
