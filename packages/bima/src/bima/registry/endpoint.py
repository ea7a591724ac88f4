# SPDX-License-Identifier: Apache-2.0
"""Where a repository is and whom its certificate must come from."""

from __future__ import annotations

import ipaddress
import os
import ssl
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from bima.errors import RegistryError
from bima.reference import DOCKER_HUB

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bima.outputs import Options
    from bima.reference import Reference

HUB_API = "registry-1.docker.io"
# What the users of requests and curl set; it takes the place of the system's certificates.
BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@dataclass(frozen=True)
class Endpoint:
    """One repository of one registry, as its API is reached."""

    registry: str
    repository: str
    scheme: str
    tls: ssl.SSLContext
    # What is to be done there, in the words of token services.
    actions: str = "pull,push"

    @classmethod
    def of(cls, reference: Reference, options: Options, environ: Mapping[str, str] = os.environ) -> Self:
        """From an image's name and what the user said about the connection."""
        scheme = "http" if options.plain_http else "https"
        return cls(reference.registry, reference.repository, scheme, _tls(options, environ))

    @property
    def plain(self) -> Self:
        """The same without TLS."""
        return replace(self, scheme="http")

    @property
    def root(self) -> str:
        """Where the API begins."""
        host = HUB_API if self.registry == DOCKER_HUB else self.registry
        return f"{self.scheme}://{host}/v2/"

    def url(self, path: str) -> str:
        """Something inside the repository."""
        return f"{self.root}{self.repository}/{path}"

    def owns(self, url: str) -> bool:
        """Whether our credentials may go there: the same scheme, host and port."""
        return _origin(url) == _origin(self.root)


def is_loopback(host: str) -> bool:
    """Whether a `host[:port]` is this machine itself."""
    name = urlsplit(f"//{host}").hostname or ""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _tls(options: Options, environ: Mapping[str, str]) -> ssl.SSLContext:
    """The user's authority comes on top of the usual ones: the token service may be another host."""
    context = ssl.create_default_context()
    bundle = next((environ[name] for name in BUNDLES if environ.get(name)), "")
    if bundle:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _trust(context, bundle)
    if options.ca_file:
        _trust(context, options.ca_file)
    if not options.verify_tls:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _trust(context: ssl.SSLContext, path: str) -> None:
    try:
        context.load_verify_locations(**{"capath" if Path(path).is_dir() else "cafile": path})
    except FileNotFoundError as error:
        raise RegistryError(f"there is no file of certificates {path}") from error
    except OSError as error:  # ssl.SSLError is one
        raise RegistryError(f"{path} cannot be used as certificates: {error.strerror or error}") from error
