# SPDX-License-Identifier: Apache-2.0
"""Talks to systemd by D-Bus: starts, changes and stops the scopes of containers."""

from __future__ import annotations

import _socket
import posix
import select
import time

from urunc import dbus, systemd
from urunc.dbus import Call
from urunc.errors import HostError
from urunc.host import files
from urunc_common.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

    from urunc.dbus import Message
    from urunc.systemd import Property, Scope

_BUS = "/run/dbus/system_bus_socket"
_RUNS = "/run/systemd/system"
_PATIENCE_S = 30.0
_NAME, _PATH, _MANAGER = (
    "org.freedesktop.systemd1",
    "/org/freedesktop/systemd1",
    "org.freedesktop.systemd1.Manager",
)
_DAEMON, _DAEMON_PATH = "org.freedesktop.DBus", "/org/freedesktop/DBus"
_GONE = ("org.freedesktop.systemd1.NoSuchUnit",)


class Refused(Error):
    """systemd does not do what it is asked."""

    def __init__(self, doing: str, name: str, why: str) -> None:
        super().__init__(f"{doing}: {why}")
        self.name = name


class Bus:
    """A connection to the bus of the system, to be used with `with`."""

    def __init__(self) -> None:
        self._socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
        self._serial = 0
        self._ended: dict[str, str] = {}
        self._data = b""

    def __enter__(self) -> Self:
        try:
            self._socket.connect(_BUS)
            self._authenticate()
        except OSError as error:
            self._socket.close()
            raise HostError(f"connect to the bus of systemd, {_BUS}", error) from error
        self._call("greet the bus", Call(_DAEMON, _DAEMON_PATH, _DAEMON, "Hello"))
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def start(self, scope: Scope, properties: tuple[Property, ...]) -> None:
        """Have a new scope around a process, and wait until it is there.  Raises Error."""
        values = (scope.name, "fail", properties, ())
        self._run_job(f"start {scope.name}", "StartTransientUnit", "ssa(sv)a(sa(sv))", values)

    def change(self, name: str, properties: tuple[Property, ...]) -> None:
        """Change limits until the next boot.  Raises Error."""
        if properties:
            values = (name, True, properties)
            self._manage(f"change {name}", "SetUnitProperties", "sba(sv)", values)

    def stop(self, name: str) -> None:
        """Stop a unit and forget it; one that is gone is fine.  Raises Error."""
        for member, signature, values in (
            ("StopUnit", "ss", (name, "replace")),
            ("ResetFailedUnit", "s", (name,)),
        ):
            try:
                if member == "StopUnit":
                    self._run_job(f"stop {name}", member, signature, values)
                else:
                    self._manage(f"forget {name}", member, signature, values)
            except Refused as error:
                if error.name not in _GONE:
                    raise

    def _run_job(self, doing: str, member: str, signature: str, values: tuple[object, ...]) -> None:
        rule = f"type='signal',sender='{_NAME}',interface='{_MANAGER}',member='JobRemoved'"
        self._call(doing, Call(_DAEMON, _DAEMON_PATH, _DAEMON, "AddMatch", "s", (rule,)))
        self._manage(doing, "Subscribe", "", ())
        job = self._manage(doing, member, signature, values)[0]
        deadline = time.monotonic() + _PATIENCE_S
        while job not in self._ended:
            self._receive(doing, deadline)
        result = self._ended[job]
        if result != "done":
            raise Refused(doing, result, f"the job of systemd ended with {result!r}")

    def _manage(self, doing: str, member: str, signature: str, values: tuple[object, ...]) -> tuple[str, ...]:
        return self._call(doing, Call(_NAME, _PATH, _MANAGER, member, signature, values))

    def _call(self, doing: str, call: Call) -> tuple[str, ...]:
        self._serial += 1
        deadline = time.monotonic() + _PATIENCE_S
        try:
            self._socket.sendall(dbus.call(call, self._serial))
        except OSError as error:
            raise HostError(f"{doing} by systemd", error) from error
        while True:
            found = self._receive(doing, deadline)
            if found.reply_to != self._serial:
                continue
            if found.kind == dbus.ERROR:
                why = str(found.values[0]) if found.values else found.error
                raise Refused(f"{doing} by systemd", found.error, why.rstrip("."))
            values: tuple[str, ...] = found.values
            return values

    def _receive(self, doing: str, deadline: float) -> Message:
        head = self._take(doing, dbus.HEAD, deadline)
        rest = self._take(doing, dbus.length(head) - dbus.HEAD, deadline)
        found = dbus.parse(head + rest)
        if found.kind == dbus.SIGNAL and found.member == "JobRemoved":
            _, job, _, result = found.values
            self._ended[job] = result
        return found

    def _take(self, doing: str, size: int, deadline: float) -> bytes:
        while len(self._data) < size:
            self._data += self._read(doing, deadline)
        taken, self._data = self._data[:size], self._data[size:]
        return taken

    def _read(self, doing: str, deadline: float) -> bytes:
        poll = select.poll()
        poll.register(self._socket.fileno(), select.POLLIN)
        if not poll.poll(max(0, int((deadline - time.monotonic()) * 1000))):
            raise HostError(f"{doing} by systemd", TimeoutError(110, "it does not answer"))
        data = self._socket.recv(1 << 16)
        if not data:
            raise HostError(f"{doing} by systemd", ConnectionError(104, "the bus has closed the connection"))
        return data

    def _authenticate(self) -> None:
        user = str(posix.geteuid()).encode().hex()
        self._socket.sendall(f"\0AUTH EXTERNAL {user}\r\n".encode())
        answer = b""
        while not answer.endswith(b"\r\n"):
            answer += self._read("log in", time.monotonic() + _PATIENCE_S)
        if not answer.startswith(b"OK"):
            raise PermissionError(13, answer.decode(errors="replace").strip())
        self._socket.sendall(b"BEGIN\r\n")


def require() -> None:
    """Raise Error where systemd does not run."""
    if not files.exists(_RUNS):
        raise Error(
            "systemd does not run on this host, so it cannot make a cgroup",
            hint="use the cgroup driver cgroupfs, with a cgroupsPath like /parent/name",
        )


def start(scope: Scope, pid: int, container_id: str, limits: tuple[Property, ...]) -> None:
    """Put a process into a scope of its own.  Raises Error."""
    with Bus() as bus:
        bus.start(scope, (*systemd.start_properties(scope, pid, container_id), *limits))


def change(name: str, limits: tuple[Property, ...]) -> None:
    """Change the limits of a scope.  Raises Error."""
    with Bus() as bus:
        bus.change(name, limits)


def stop(name: str) -> None:
    """Stop a scope, and have systemd forget it; where it does not run, there is none.  Raises Error."""
    if not files.exists(_RUNS):
        return
    with Bus() as bus:
        bus.stop(name)
