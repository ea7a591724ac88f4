# SPDX-License-Identifier: Apache-2.0
"""`-o docker`: the store of a docker daemon, wherever docker's own environment and context say it is."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

import docker
import requests
from docker.errors import DockerException

from bima.errors import OutputError
from bima.outputs import pipe
from bima.registry.failures import words

if TYPE_CHECKING:
    from bima.layout import BuiltImage
    from bima.outputs import Options

PIECE = 1 << 20


def deliver(image: BuiltImage, destination: str, options: Options) -> None:
    """Load the image; the archive brings its name along."""
    del destination, options
    with closing(connect()) as client:
        try:
            with pipe.reading(image) as archive:
                pieces = iter(partial(archive.read, PIECE), b"")
                said = list(client.api.load_image(pieces, quiet=True))  # type: ignore[no-untyped-call]
        except (DockerException, requests.RequestException) as error:
            raise OutputError(f"docker does not take {image.reference}: {error}") from error
    _require_loaded(image, said)


def connect() -> docker.DockerClient:
    """A client for the daemon, which answers."""
    try:
        client = docker.from_env()
        client.ping()
    except (DockerException, requests.RequestException) as error:
        hint = "is it running? DOCKER_HOST or docker's context says where"
        raise OutputError(f"docker's daemon cannot be reached: {words(error)}", hint=hint) from error
    # A large image takes longer than the minute that is allowed for an answer; the stubs know numbers only.
    client.api.timeout = None  # type: ignore[assignment]
    return client


def _require_loaded(image: BuiltImage, said: list[Any]) -> None:
    """The status is always success; only the words tell."""
    for each in said:
        if why := each.get("error") or each.get("message"):
            raise OutputError(f"docker does not take {image.reference}: {why}")
    if not any("Loaded image" in each.get("stream", "") for each in said):
        raise OutputError(f"docker did not say that it took {image.reference}")
