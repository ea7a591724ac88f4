# SPDX-License-Identifier: Apache-2.0
"""Unix sockets by paths of any length: addresses of sockets are short, so they are relative ones."""

from __future__ import annotations

import _socket
import posix

# In a container's state directory, where the monitor takes commands.
COMMANDS = "commands"
_SO_SNDTIMEO = 21
_QUEUE = 64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def listen(path: str, uid: int, gid: int) -> int:
    """A listening socket, which this user may connect to.  Raises OSError."""
    server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)

    def act(name: str) -> None:
        server.bind(name)
        server.listen(_QUEUE)
        posix.chown(name, uid, gid)

    _from_its_directory(path, act)
    return server.detach()


def connect(path: str, *, patience_s: int = 10) -> _socket.socket:
    """A connected socket, on which nothing waits longer.  Raises OSError."""
    client = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    # For a place in a busy server's queue; with a timeout of its own, Python would not wait for one.
    client.setsockopt(_socket.SOL_SOCKET, _SO_SNDTIMEO, patience_s.to_bytes(8, "little") + bytes(8))
    _from_its_directory(path, client.connect)
    client.settimeout(patience_s)
    return client


def _from_its_directory(path: str, act: Callable[[str], None]) -> None:
    directory, _, name = path.rpartition("/")
    home = posix.open(".", posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC)
    try:
        posix.chdir(directory)
        act(name)
    finally:
        posix.fchdir(home)
        posix.close(home)
