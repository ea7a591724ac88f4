# SPDX-License-Identifier: Apache-2.0
"""The container's terminal: made on the host's side, its master sent to the engine, its slave the guest's
serial.
"""

from __future__ import annotations

import fcntl
import posix

from urunc.errors import HostError
from urunc_common.errors import Error

_TIOCSCTTY, _TIOCGWINSZ, _TIOCSWINSZ = 0x540E, 0x5413, 0x5414
_LONGEST_SOCKET_PATH = 107


def open_terminal(size: tuple[int, int] | None, uid: int) -> tuple[int, int]:
    """A new terminal of the user: (master, slave).  `size` is rows, columns.  Raises HostError."""
    try:
        master, slave = posix.openpty()
        posix.fchown(slave, uid, -1)
        if size:
            packed = b"".join(side.to_bytes(2, "little") for side in (*size, 0, 0))
            fcntl.ioctl(slave, _TIOCSWINSZ, packed)
    except OSError as error:
        raise HostError("make a terminal", error) from error
    return master, slave


def size(terminal: int) -> tuple[int, int]:
    """Rows and columns, which are 0 until somebody sets them."""
    packed = fcntl.ioctl(terminal, _TIOCGWINSZ, bytes(8))
    return int.from_bytes(packed[:2], "little"), int.from_bytes(packed[2:4], "little")


def send_master(master: int, socket_path: str) -> None:
    """Hand the master to whoever listens on the console socket.  Raises Error."""
    import _socket

    if len(socket_path) > _LONGEST_SOCKET_PATH:
        raise Error(
            f"the path of the console socket is over {_LONGEST_SOCKET_PATH} characters long: {socket_path}"
        )
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        connection.connect(socket_path)
        rights = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, master.to_bytes(4, "little"))
        connection.sendmsg([b"/dev/ptmx"], [rights])
    except OSError as error:
        raise HostError(f"send the terminal to the console socket {socket_path}", error) from error
    finally:
        connection.close()


def take(slave: int) -> None:
    """Make the terminal the controlling one, and the standard streams, of this session's leader."""
    fcntl.ioctl(slave, _TIOCSCTTY, 0)
    for stream in (0, 1, 2):
        posix.dup2(slave, stream)


def make_raw(terminal: int) -> None:
    """It changes no byte, and no byte means anything to it."""
    import termios

    settings = termios.tcgetattr(terminal)
    settings[0] = settings[1] = settings[3] = 0
    settings[2] = settings[2] & ~(termios.CSIZE | termios.PARENB) | termios.CS8
    settings[6][termios.VMIN], settings[6][termios.VTIME] = 1, 0
    termios.tcsetattr(terminal, termios.TCSANOW, settings)
