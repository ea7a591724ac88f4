# SPDX-License-Identifier: Apache-2.0
"""Answers a registry's challenge: a password (Basic), or a token that is asked for with our scope (Bearer).

oras-py keeps the first token it gets, which is good for reading only, and sends it again after each refusal;
so this takes its place.
"""

from __future__ import annotations

import base64
import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from bima.errors import RegistryError
from bima.registry.endpoint import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import requests

    from bima.registry.credentials import Credential
    from bima.registry.endpoint import Endpoint

_TOKEN = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_VALUE = r'(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^\s,"]*))'
_PART = re.compile(rf"[\s,]*(?:(?P<key>{_TOKEN})\s*=\s*{_VALUE}|(?P<scheme>{_TOKEN}))")
CLIENT = "bima"


class Send(Protocol):
    """Makes a request without authorization."""

    def __call__(
        self,
        method: str,
        url: str,
        *,
        data: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response: ...


@dataclass(frozen=True)
class Challenge:
    """One way to authenticate that a server offers."""

    scheme: str
    parameters: Mapping[str, str]


def parse_challenges(header: str) -> list[Challenge]:
    """`WWW-Authenticate`, which can offer several ways -> each with its parameters."""
    found: list[tuple[str, dict[str, str]]] = []
    position = 0
    while match := _PART.match(header, position):
        position = match.end()
        if match["scheme"]:
            found.append((match["scheme"].lower(), {}))
        elif found:
            quoted = match["quoted"]
            value = match["bare"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            found[-1][1][match["key"].lower()] = value
    return [Challenge(scheme, parameters) for scheme, parameters in found]


class Authorizer:
    """The `Authorization` header for one repository; all threads of a push share it."""

    def __init__(self, endpoint: Endpoint, find: Callable[[], Credential | None]) -> None:
        self._endpoint = endpoint
        self._registry = endpoint.registry
        self._find = find
        self._credential: Credential | None = None
        self._lock = threading.Lock()
        self.header = ""

    def renew(self, challenges: str, sent: str, send: Send) -> None:
        """Get another header after `sent` was refused; `send` makes a request without authorization."""
        with self._lock:
            if self.header != sent:
                return  # another thread was faster
            self._credential = self._credential or self._find()
            offered = {challenge.scheme: challenge for challenge in parse_challenges(challenges)}
            if bearer := offered.get("bearer"):
                self.header = f"Bearer {self._token(bearer.parameters, send)}"
            elif "basic" in offered and not sent:
                self.header = f"Basic {self._pair()}"
            else:
                raise self.refusal()

    def refusal(self) -> RegistryError:
        """The error when the last answer to a challenge was refused."""
        if self.header.startswith("Basic "):
            return self._refused_secret()
        who = (self._credential and self._credential.username) or "you"
        verb, where = ("push", "to ") if "push" in self._endpoint.actions else ("pull", "")
        hint = f"ask its owner for the right to {verb}" if self._credential else self._login
        message = f"{self._registry} does not let {who} {verb} {where}{self._endpoint.repository}"
        return RegistryError(message, hint=hint)

    def _refused_secret(self) -> RegistryError:
        if not self._credential:
            return RegistryError(f"{self._registry} wants to know who you are", hint=self._login)
        user = self._credential.username
        what = f"the password of {user}" if user else "the token"
        return RegistryError(f"{self._registry} refused {what}", hint=self._login)

    @property
    def _login(self) -> str:
        return f"log in with bima login {self._registry}, docker login or podman login"

    def _token(self, parameters: Mapping[str, str], send: Send) -> str:
        """One request to the token service; it may grant less than asked, which the registry then tells."""
        fixed = self._credential.access_token if self._credential else ""
        if fixed:
            if self.header:
                raise self.refusal()
            return fixed
        realm = parameters.get("realm", "")
        self._check(realm)
        query = {"client_id": CLIENT}
        if self._endpoint.repository:  # a login is about none
            query["scope"] = f"repository:{self._endpoint.repository}:{self._endpoint.actions}"
        if service := parameters.get("service"):
            query["service"] = service
        answer = self._ask(realm, query, send)
        if answer.status_code in (400, 401, 403):
            raise self._refused_secret()
        return _granted(answer, realm)

    def _ask(self, realm: str, query: Mapping[str, str], send: Send) -> requests.Response:
        credential = self._credential
        if credential and credential.identity_token:
            form = {**query, "grant_type": "refresh_token", "refresh_token": credential.identity_token}
            return send("POST", realm, data=form)
        headers = {"Authorization": f"Basic {self._pair()}"} if credential else {}
        return send("GET", realm, params=query, headers=headers)

    def _pair(self) -> str:
        """User and password as Basic wants them."""
        if not self._credential or not self._credential.password:
            raise self._refused_secret()
        return base64.b64encode(f"{self._credential.username}:{self._credential.password}".encode()).decode()

    def _check(self, realm: str) -> None:
        """A password that goes to the registry encrypted must not go to its token service in the clear."""
        url = urlsplit(realm)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise RegistryError(f"{self._registry} names {realm!r} as its token service, which is no address")
        encrypted = url.scheme == "https" or is_loopback(url.netloc)
        if self._credential and not encrypted and self._endpoint.scheme == "https":
            raise RegistryError(f"{self._registry} wants the password sent unencrypted, to {realm}")


def _granted(answer: requests.Response, realm: str) -> str:
    try:
        document: Any = answer.json() if answer.status_code == 200 else {}
        token = document.get("token") or document.get("access_token")
    except (ValueError, AttributeError):
        token = None
    if not isinstance(token, str):
        raise RegistryError(f"the token service {realm} gave no token, its status is {answer.status_code}")
    return token
