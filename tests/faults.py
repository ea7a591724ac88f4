# SPDX-License-Identifier: Apache-2.0
"""A proxy before a real server that sometimes does wrong, and a record of what went through it.

with faulty(server.host) as proxy:
    proxy.faults.append(Fault("PUT", "/blobs/uploads/", status=503))
"""

from __future__ import annotations

import http.client
import socket
import struct
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HOP_BY_HOP = ("connection", "keep-alive", "transfer-encoding", "content-length", "date", "server")


@dataclass
class Fault:
    """What to do `times` to requests of this method with this in their path, instead of passing them on.

    `status` answers at once; without one the connection is reset in the middle of the body, or, with `stall`,
    not read any further.  With `cut`, the request is passed on, and the answer breaks off after so many
    bytes; with `corrupt`, its last byte is another one.
    """

    method: str
    path: str
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    stall: bool = False
    times: int = 1
    cut: int = 0
    corrupt: bool = False
    body: bytes = b""

    def matches(self, request: Request) -> bool:
        return self.times > 0 and self.method == request.method and self.path in request.path


@dataclass(frozen=True)
class Request:
    """What came in."""

    method: str
    path: str
    authorization: str
    range: str = ""


class Proxy(ThreadingHTTPServer):
    """Passes requests to `upstream` as they are, the Host header included; without one, says 404."""

    daemon_threads = True

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = upstream
        self.host = f"127.0.0.1:{self.server_port}"
        self.faults: list[Fault] = []
        self.ignores_ranges = False
        self.requests: list[Request] = []
        self.stalled = threading.Event()
        self.released = threading.Event()
        self.lock = threading.Lock()

    def seen(self, method: str, path: str = "") -> list[Request]:
        """The requests of this method with this in their path."""
        return [each for each in self.requests if each.method == method and path in each.path]

    def take_fault(self, request: Request) -> Fault | None:
        """The fault for this request, if one is due."""
        with self.lock:
            self.requests.append(request)
            fault = next((each for each in self.faults if each.matches(request)), None)
            if fault:
                fault.times -= 1
            return fault

    def handle_error(self, *_: object) -> None:
        """A client that goes away is what some tests are about."""


@contextmanager
def faulty(upstream: str = "") -> Iterator[Proxy]:
    """Serve on loopback until the block ends."""
    with Proxy(upstream) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield proxy
        finally:
            proxy.released.set()
            proxy.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def _serve(self) -> None:
        request = Request(
            self.command, self.path, self.headers.get("Authorization", ""), self.headers.get("Range", "")
        )
        fault = self.server.take_fault(request)
        if fault is None:
            self._pass_on()
        elif fault.cut or fault.corrupt:
            self._pass_on(fault)
        elif fault.status:
            self._body()
            self._reply(fault.status, fault.headers, fault.body)
        else:
            self._break_off(stall=fault.stall)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

    def _pass_on(self, fault: Fault | None = None) -> None:
        body = self._body()
        if not self.server.upstream:
            self._reply(404, {}, b"")
            return
        connection = http.client.HTTPConnection(self.server.upstream, timeout=60)
        try:
            headers = dict(self.headers)
            if self.server.ignores_ranges:
                headers.pop("Range", None)
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            data = answer.read()
            if fault and fault.corrupt:
                data = data[:-1] + bytes([data[-1] ^ 1])
            self._reply(answer.status, dict(answer.getheaders()), data, fault.cut if fault else 0)
        finally:
            connection.close()

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _reply(self, status: int, headers: Mapping[str, str], body: bytes, cut: int = 0) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: cut or None])
        if cut:
            self.close_connection = True

    def _break_off(self, *, stall: bool) -> None:
        """Take some of the body, then send a reset, or nothing for as long as the test likes."""
        self.rfile.read(min(1000, int(self.headers.get("Content-Length", 0))))
        if stall:
            self.server.stalled.set()
            self.server.released.wait()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def log_message(self, *_: Any) -> None:
        """Quiet."""
