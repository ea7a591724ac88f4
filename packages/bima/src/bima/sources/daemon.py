# SPDX-License-Identifier: Apache-2.0
"""`docker-daemon:NAME`: an image of a docker daemon, which saves it for us."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import requests
from docker.errors import DockerException, ImageNotFound

from bima.errors import ImageError
from bima.outputs.docker import connect
from bima.sources.archive import take

if TYPE_CHECKING:
    from bima.layout import Layout
    from bima.sources import Fetched, Request


def fetch(where: str, request: Request, into: Layout) -> Fetched:
    """Have the daemon write its archive, and take the image out of it."""
    with closing(connect()) as client, into.workspace() as work:
        try:
            saved = client.images.get(where).save(chunk_size=1 << 20, named=not where.startswith("sha256:"))
            with (work / "saved").open("xb") as file:
                for piece in saved:
                    file.write(piece)
        except ImageNotFound as error:
            raise ImageError(f"docker has no image {where}", hint="`docker images` lists them") from error
        except (DockerException, requests.RequestException) as error:
            raise ImageError(f"docker does not give {where}: {error}") from error
        with (work / "saved").open("rb") as file:
            return take(file, "", request, into)
