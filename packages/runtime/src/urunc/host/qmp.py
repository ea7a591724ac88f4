# SPDX-License-Identifier: Apache-2.0
"""Commands for QEMU, by a socket in the state directory: one command at a time, one client at a time."""

from __future__ import annotations

import _socket

from urunc import jsontext
from urunc.host import sockets
from urunc_common.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Self

_PATIENCE_S = 10
_PIECE = 65536


class QmpError(Error):
    """QEMU does not answer, or refuses."""


def execute(directory: str, command: str) -> Any:
    """One command on a connection of its own.  Raises QmpError."""
    with Qmp(directory) as monitor:
        return monitor.execute(command)


class Qmp:
    """A connection; whoever else wants one waits until it is closed."""

    def __init__(self, directory: str) -> None:
        """Raises QmpError."""
        self._rest = b""
        try:
            self._connection = sockets.connect(f"{directory}/{sockets.COMMANDS}", patience_s=_PATIENCE_S)
        except OSError as error:
            raise QmpError(f"QEMU cannot be reached: {error.strerror or error}") from error
        try:
            self._hear()
            self.execute("qmp_capabilities")
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def execute(self, command: str, arguments: Mapping[str, object] | None = None, *, fd: int = -1) -> Any:
        """What QEMU answers; a descriptor may go with the command.  Raises QmpError."""
        text = jsontext.render({"execute": command, "arguments": arguments or {}}).encode()
        rights = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, fd.to_bytes(4, "little"))] if fd >= 0 else []
        try:
            self._connection.sendmsg([text], rights)
        except OSError as error:
            raise QmpError(f"QEMU does not take the command {command}: {error.strerror or error}") from error
        return self._answer(command)

    def _answer(self, command: str) -> Any:
        while "event" in (heard := self._hear()):
            continue
        if "error" in heard:
            raise QmpError(f"QEMU refuses the command {command}: {heard['error'].get('desc', heard)}")
        return heard.get("return")

    def _hear(self) -> Any:
        """The next line, be it an answer or an event."""
        while b"\n" not in self._rest:
            try:
                piece = self._connection.recv(_PIECE)
            except OSError as error:
                raise QmpError(f"QEMU does not answer: {error.strerror or error}") from error
            if not piece:
                raise QmpError("QEMU has ended")
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\n")
        return jsontext.parse(line.decode())
