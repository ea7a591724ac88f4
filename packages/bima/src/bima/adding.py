# SPDX-License-Identifier: Apache-2.0
"""ADD: as COPY, but archives are unpacked, and addresses fetched, whose contents must be known beforehand."""

from __future__ import annotations

from hashlib import sha256
from posixpath import basename
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bima import flatten, tarball
from bima.context import Source
from bima.copying import Files
from bima.errors import ContextError
from bima.evaluation import is_address
from bima.tree import File

if TYPE_CHECKING:
    from pathlib import Path

    from bima.context import Origin
    from bima.instruction import Copy

_TIMEOUT_S = (10, 60)
_CHUNK = 1 << 20


class Additions:
    """Where ADD finds files; what is unpacked or fetched lies in `work`."""

    def __init__(self, instruction: Copy, context: Origin, work: Path) -> None:
        self._instruction, self._context, self._work = instruction, context, work

    def resolve(self, source: str) -> list[Source]:
        """As `Origin` has it."""
        if is_address(source):
            return [self._fetched(source)]
        return [self._unpacked(each) for each in self._context.resolve(source)]

    def _unpacked(self, source: Source) -> Source:
        """An archive as the directory that it is of."""
        if source.is_directory:
            return source
        found = list(source.entries)
        entry = found[0][1]
        if not isinstance(entry, File) or not tarball.is_tar(entry.source):
            return Source(source.name, found)
        plain = _free(self._work)
        with entry.source.open("rb") as file:
            tarball.unpack(file, plain)
        return Files(flatten.flatten([plain]), source.name).resolve("/")[0]

    def _fetched(self, address: str) -> Source:
        """A file from elsewhere."""
        checksum = self._instruction.checksum
        name = basename(urlsplit(address).path)
        if not address.startswith(("http://", "https://")) or not name:
            raise ContextError(f"{address} cannot be fetched", hint="only files by http and https can")
        if not checksum:
            raise ContextError(
                f"{address} may be another file tomorrow", hint="say which one is meant: --checksum=sha256:…"
            )
        path = _free(self._work)
        digest = _download(address, path)
        if digest != checksum:
            raise ContextError(f"{address} has the checksum {digest}, not {checksum}")
        return Source(name, [("", File(path))])


def _free(work: Path) -> Path:
    return work / f"added-{len(list(work.iterdir()))}"


def _download(address: str, path: Path) -> str:
    import requests  # which takes a while to load

    digest = sha256()
    try:
        with requests.get(address, stream=True, timeout=_TIMEOUT_S) as answer, path.open("xb") as file:
            answer.raise_for_status()
            for piece in answer.iter_content(_CHUNK):
                digest.update(piece)
                file.write(piece)
                if file.tell() > tarball.LARGEST:
                    raise ContextError(f"{address} has over {tarball.LARGEST >> 30} GiB")
    except requests.RequestException as error:
        raise ContextError(f"{address} cannot be fetched: {error}") from error
    return f"sha256:{digest.hexdigest()}"
