# SPDX-License-Identifier: Apache-2.0
"""oras-py's registry client with requests of our own underneath.

oras-py retries a refused connection for two minutes, sends one token for ever, knows no timeout and obeys
~/.netrc; so authorization, timeouts, certificates, proxies and failures are ours.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Self, cast

import oras.provider
import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies

from bima.errors import RegistryError
from bima.reference import Reference
from bima.registry import credentials
from bima.registry.auth import Authorizer
from bima.registry.endpoint import Endpoint, is_loopback
from bima.registry.failures import BUSY, Unanswered, busy, describe, unanswered

if TYPE_CHECKING:
    from bima.outputs import Options
    from bima.registry.credentials import Credential

# Connecting, and waiting for an answer, in seconds.  urllib3 also sends under the first of the two.
FIRST = (2.0, 10.0)
PATIENT = (60.0, 300.0)
HASTY = (1.0, 1.0)
Data = bytes | Mapping[str, str] | Callable[[], object] | None


class Client(oras.provider.Registry):  # type: ignore[misc]  # oras has no types
    """One session with one repository, for one thread; a context that closes its connections."""

    def __init__(self, endpoint: Endpoint, authorizer: Authorizer, timeout: tuple[float, float]) -> None:
        verified = endpoint.tls.verify_mode != ssl.CERT_NONE
        super().__init__(endpoint.registry, insecure=endpoint.scheme == "http", tls_verify=verified)
        self.endpoint = endpoint
        self._authorizer = authorizer
        self._timeout = timeout
        self.session.trust_env = False
        self.session.headers["User-Agent"] = "bima"
        self.session.mount("https://", _Adapter(endpoint.tls))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()

    def with_timeout(self, timeout: tuple[float, float]) -> Client:
        """Another client for the same repository."""
        return Client(self.endpoint, self._authorizer, timeout)

    def do_request(
        self,
        url: str,
        method: str = "GET",
        data: Data = None,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> requests.Response:
        """Ask the registry, and answer its challenge once; a callable `data` opens the body for each try."""
        sent = self._authorizer.header if self.endpoint.owns(url) else ""
        answer = self._send(method, url, data=data, headers=_with(headers, sent), **more)
        if answer.status_code != 401 or not self.endpoint.owns(answer.url):
            return answer
        self._authorizer.renew(answer.headers.get("WWW-Authenticate", ""), sent, self._send)
        header = self._authorizer.header
        answer = self._send(method, url, data=data, headers=_with(headers, header), **more)
        if answer.status_code == 401:
            raise self._authorizer.refusal()
        return answer

    def _send(self, method: str, url: str, *, data: Data = None, **more: Any) -> requests.Response:
        """One request; whatever keeps it from being answered becomes our error."""
        try:
            answer = self._exchange(method, url, data() if callable(data) else data, **more)
        except requests.RequestException as error:
            raise unanswered(self.endpoint.registry, error) from error
        if answer.status_code in BUSY:
            raise busy(answer)
        return answer

    def _exchange(self, method: str, url: str, body: object, **more: Any) -> requests.Response:
        answer = self.session.request(
            method,
            url,
            data=body,
            timeout=self._timeout,
            verify=self._tls_verify,
            # A body is not sent twice; and requests takes our Authorization off when the host is another.
            allow_redirects=method in ("GET", "HEAD"),
            proxies={} if is_loopback(self.endpoint.registry) else get_environ_proxies(url),
            **more,
        )
        return cast("requests.Response", answer)


def connect(reference: Reference, options: Options, actions: str = "pull,push") -> Client:
    """See that the registry is there and lets us in, at once or not at all; then a client that is patient."""
    return _enter(replace(Endpoint.of(reference, options), actions=actions))


def _enter(endpoint: Endpoint, find: Callable[[], Credential | None] | None = None) -> Client:
    try:
        return _knock(endpoint, find)
    except Unanswered:
        # Registries on this machine seldom have a certificate, so docker tries both ways as well.
        if endpoint.scheme == "http" or not is_loopback(endpoint.registry):
            raise
    return _knock(endpoint.plain, find)


def check(registry: str, credential: Credential, options: Options) -> None:
    """See whether a registry takes the password."""
    Reference.parse(f"{registry}/x")
    _enter(replace(Endpoint.of(Reference(registry, ""), options), actions=""), lambda: credential)


def _knock(endpoint: Endpoint, find: Callable[[], Credential | None] | None = None) -> Client:
    usual = partial(credentials.find, endpoint.registry, endpoint.repository, os.environ)
    authorizer = Authorizer(endpoint, find or usual)
    with Client(endpoint, authorizer, FIRST) as client:
        answer = client.do_request(endpoint.root)
        if answer.status_code != 200:
            raise RegistryError(describe(answer), hint="is it a registry?")
        return client.with_timeout(PATIENT)


def _with(headers: Mapping[str, str] | None, authorization: str) -> dict[str, str]:
    return {**(headers or {}), **({"Authorization": authorization} if authorization else {})}


class _Adapter(HTTPAdapter):
    """Trusts what our context trusts; requests would add its own authorities."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options, ssl_context=self._context)

    def proxy_manager_for(self, *arguments: Any, **options: Any) -> Any:
        return super().proxy_manager_for(*arguments, **options, ssl_context=self._context)

    def cert_verify(self, *arguments: Any) -> None:
        """The context decides."""
