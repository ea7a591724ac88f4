# SPDX-License-Identifier: Apache-2.0
"""A token service as registries have it: a right password gets a signed token for the scope asked for.

with token_service() as tokens, registry(auth=tokens.auth) as server: ...
"""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from daemons import certificate, private_directory
from servers import PASSWORD, USER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

IDENTITY_TOKEN = "an-identity-token"
SERVICE = "test-registry"


@dataclass(frozen=True)
class Asked:
    """What a client sent."""

    method: str
    fields: dict[str, str]
    authorization: str


@dataclass
class Tokens:
    """The running service; tests look at `asked` and set the rest."""

    realm: str
    cert: Path
    key: Path
    asked: list[Asked] = field(default_factory=list)
    useless: int = 0
    actions: tuple[str, ...] = ("pull", "push")

    @property
    def auth(self) -> dict[str, object]:
        """The `auth:` section of the registry that believes this service."""
        names = {"realm": self.realm, "service": SERVICE, "issuer": SERVICE}
        return {"token": {**names, "rootcertbundle": str(self.cert)}}

    def answer(self, asked: Asked) -> tuple[int, dict[str, str]]:
        """Status and document."""
        self.asked.append(asked)
        if not _knows(asked):
            return 401, {"details": "incorrect username or password"}
        if self.useless > 0:
            self.useless -= 1
            return 200, {"token": self._sign(asked.fields.get("scope", ""), life_s=-3600)}
        return 200, {"token": self._sign(asked.fields.get("scope", ""), life_s=3600)}

    def _sign(self, scope: str, *, life_s: int) -> str:
        certificate_der = ssl.PEM_cert_to_DER_cert(self.cert.read_text())
        header = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(certificate_der).decode()]}
        now = int(time.time())
        times = {"iat": now - 7200, "nbf": now - 7200, "exp": now + life_s}
        who = {"iss": SERVICE, "aud": SERVICE, "sub": USER, "jti": str(len(self.asked))}
        claims = {**who, **times, "access": [self._granted(scope)] if scope else []}
        text = f"{_encode(json.dumps(header).encode())}.{_encode(json.dumps(claims).encode())}"
        return f"{text}.{_encode(self._signature(text))}"

    def _granted(self, scope: str) -> dict[str, Any]:
        kind, name, actions = scope.split(":")
        return {
            "type": kind,
            "name": name,
            "actions": [each for each in actions.split(",") if each in self.actions],
        }

    def _signature(self, text: str) -> bytes:
        command = ["openssl", "dgst", "-sha256", "-sign", str(self.key)]
        return subprocess.run(command, input=text.encode(), capture_output=True, check=True).stdout


@contextmanager
def token_service() -> Iterator[Tokens]:
    """Serve on loopback until the block ends."""
    with private_directory("tokens") as directory:
        cert, key = certificate(directory, "rsa")
        with _Server(("127.0.0.1", 0), _Handler) as server:
            tokens = Tokens(f"http://127.0.0.1:{server.server_port}/token", cert, key)
            server.tokens = tokens
            thread = threading.Thread(target=server.serve_forever, args=(0.02,))
            thread.start()
            try:
                yield tokens
            finally:
                server.shutdown()
                thread.join()


class _Server(ThreadingHTTPServer):
    tokens: Tokens


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self._reply(Asked("GET", _fields(urlsplit(self.path).query), self.headers.get("Authorization", "")))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self._reply(Asked("POST", _fields(body), self.headers.get("Authorization", "")))

    def _reply(self, asked: Asked) -> None:
        status, document = self.server.tokens.answer(asked)
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Quiet."""


def _knows(asked: Asked) -> bool:
    basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    return asked.authorization == f"Basic {basic}" or asked.fields.get("refresh_token") == IDENTITY_TOKEN


def _fields(query: str) -> dict[str, str]:
    return {name: " ".join(values) for name, values in parse_qs(query).items()}


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
