# SPDX-License-Identifier: Apache-2.0
"""A port into a running guest for one more program: made when it is wanted, so that no guest boots with it.

QEMU takes away a port only when it is told to.  Whoever makes the next one does that, because the relay that
had it may have been killed.
"""

from __future__ import annotations

import _socket
import fcntl
import posix
import time

from urunc import frames
from urunc.errors import HostError, Unsupported
from urunc.host import guest_control
from urunc.host.qmp import Qmp, QmpError
from urunc_common.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PREFIX = "exec-"
_LOCK = "exec.lock"
_PATIENCE_S = 20.0
_ATTEMPTS, _PAUSE_S = 100, 0.01
_PIECE = 65536


class Talk:
    """A talk with the guest's first process about one program."""

    def __init__(self, connection: _socket.socket) -> None:
        self.connection = connection
        self._frames = frames.Frames()
        self._heard: list[tuple[bytes, bytes]] = []

    def say(self, data: bytes) -> None:
        """Frames.  Raises OSError."""
        self.connection.sendall(data)

    def listen(self) -> list[tuple[bytes, bytes]] | None:
        """What has come since; None when nobody is there any more.  Waits if nothing has."""
        heard, self._heard = self._heard, []
        if heard:
            return heard
        try:
            piece = self.connection.recv(_PIECE)
        except ConnectionResetError:
            return None
        self._frames.feed(piece)
        return list(self._frames.take()) if piece else None

    def expect(self, *kinds: bytes) -> tuple[bytes, bytes]:
        """The first frame of one of these kinds; others before it are heard again.  Raises Error."""
        passed: list[tuple[bytes, bytes]] = []
        self.connection.settimeout(_PATIENCE_S)
        try:
            while True:
                heard = self.listen()
                if heard is None:
                    raise Error("the guest ended meanwhile")
                for index, one in enumerate(heard):
                    if one[0] in kinds:
                        self._heard = [*passed, *heard[:index], *heard[index + 1 :]]
                        return one
                passed += heard
        except TimeoutError:
            raise Error("the guest does not answer") from None
        finally:
            self.connection.settimeout(None)

    @property
    def has_heard(self) -> bool:
        """Whether `listen` would not wait."""
        return bool(self._heard)


def open_port(directory: str) -> Talk:
    """A new port, which the guest's first process has opened.  Raises Error."""
    # One after the other: QEMU drops messages to a guest that has too many to read.
    try:
        lock = posix.open(f"{directory}/{_LOCK}", posix.O_RDWR | posix.O_CREAT | posix.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
    except OSError as error:
        raise HostError(f"lock {directory}/{_LOCK}", error) from error
    try:
        return _open(directory)
    finally:
        posix.close(lock)


def _open(directory: str) -> Talk:
    name = f"{_PREFIX}{posix.getpid()}"
    with Qmp(directory) as monitor:
        remove_unused(monitor)
        connection = _add(monitor, name)
    talk = Talk(connection)
    try:
        if not guest_control.tell(directory, f"exec {_port(name)}\n".encode()):
            raise Error("the guest does not answer")
        talk.expect(frames.OPEN)
    except BaseException:
        connection.close()
        raise
    return talk


def remove_unused(monitor: Qmp) -> None:
    """Take away the ports whose relay is gone.  Raises QmpError."""
    found: Any = monitor.execute("query-chardev")
    for device in found:
        name = device["label"]
        if name.startswith(_PREFIX) and device["filename"].startswith("disconnected"):
            _remove(monitor, name)


def _remove(monitor: Qmp, name: str) -> None:
    _try(monitor, "device_del", name)  # if its maker was killed, there may be no device
    for _ in range(_ATTEMPTS):
        if _try(monitor, "chardev-remove", name):
            return
        time.sleep(_PAUSE_S)


def _try(monitor: Qmp, command: str, name: str) -> bool:
    try:
        monitor.execute(command, {"id": name})
    except QmpError:
        return False
    return True


def _add(monitor: Qmp, name: str) -> _socket.socket:
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        monitor.execute("getfd", {"fdname": name}, fd=theirs.fileno())
        address = {"type": "fd", "data": {"str": name}}
        backend = {"type": "socket", "data": {"addr": address, "server": False}}
        monitor.execute("chardev-add", {"id": name, "backend": backend})
        _plug(monitor, name)
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return ours


def _plug(monitor: Qmp, name: str) -> None:
    device = {"driver": "virtserialport", "id": name, "chardev": name, "name": _port(name)}
    try:
        monitor.execute("device_add", device)
    except QmpError as error:
        _remove(monitor, name)
        raise Unsupported(
            f"no more ports into the guest: {error}", hint="wait for one of its programs to end"
        ) from error


def _port(name: str) -> str:
    return f"org.urunc.{name}"
