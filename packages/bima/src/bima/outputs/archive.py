# SPDX-License-Identifier: Apache-2.0
"""`-o oci-archive:FILE`: one tar that is an OCI layout and, through `manifest.json`, a docker archive.

Whatever loads images understands one of the two.  Equal images give equal files.
"""

from __future__ import annotations

import os
import tarfile
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from bima.errors import OutputError
from bima.image import Descriptor, canonical
from bima.layout import MARKER, named, render_index

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bima.layout import BuiltImage
    from bima.outputs import Options


def deliver(image: BuiltImage, destination: str, options: Options) -> None:
    """Write the file, whole or not at all; without a destination it has the image's name."""
    del options
    with replacing(Path(destination or _default_name(image))) as file:
        write(image, file)


def write(image: BuiltImage, file: BinaryIO, *, only_docker: bool = False) -> None:
    """Write the tar to a file or a pipe; without what makes it a layout if it is for docker only."""
    with tarfile.open(fileobj=file, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        if not only_docker:
            _add_bytes(tar, "oci-layout", MARKER)
            _add_bytes(tar, "index.json", render_index([named(image.descriptor, image.reference)]))
        _add_bytes(tar, "manifest.json", _docker_manifest(image))
        for digest in sorted(image.layout.reachable(image.descriptor)):
            if only_docker and digest == image.descriptor.digest:
                continue
            with image.layout.open(digest) as blob:
                _add(tar, _blob_name(digest), os.fstat(blob.fileno()).st_size, blob)


def _docker_manifest(image: BuiltImage) -> bytes:
    layers = [Descriptor.from_json(layer).digest for layer in image.manifest.get("layers", [])]
    entry = {
        "Config": _blob_name(image.config_digest),
        "RepoTags": [image.reference.familiar],
        "Layers": [_blob_name(digest) for digest in layers],
    }
    return canonical([entry])


def _blob_name(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _default_name(image: BuiltImage) -> str:
    return f"{image.reference.repository.rpartition('/')[2]}:{image.reference.tag}"


def _add_bytes(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    _add(tar, name, len(data), BytesIO(data))


def _add(tar: tarfile.TarFile, name: str, size: int, file: BinaryIO) -> None:
    header = tarfile.TarInfo(name)
    header.size = size
    tar.addfile(header, file)


def _file(path: Path) -> Path:
    """The file itself behind links: nothing but a file is replaced by one."""
    real = Path(os.path.realpath(path))
    if real.exists() and not real.is_file():
        raise OutputError(f"cannot write {path}: it is there, and no file", hint="choose another path")
    return real


@contextmanager
def replacing(destination: Path) -> Iterator[BinaryIO]:
    """A file beside the destination that takes its place at the end."""
    path = _file(destination)
    partial = path.with_name(f".{path.name}.partial-{os.urandom(4).hex()}")
    try:
        with partial.open("xb") as file:
            yield file
        partial.replace(path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)
