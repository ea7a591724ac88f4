# SPDX-License-Identifier: Apache-2.0
"""Signals for the program in a guest, and requests, by the port that its first process listens to."""

from __future__ import annotations

from urunc.host import sockets

SOCKET = "control"
# Longer than it takes a guest to boot where instructions are emulated.
_PATIENCE_S = 10
_DELIVERED = b"ok\n"


def send(directory: str, number: int) -> bool:
    """Whether the guest has taken the signal."""
    return tell(directory, b"signal %d\n" % number)


def tell(directory: str, line: bytes) -> bool:
    """Whether the guest has understood the line."""
    try:
        connection = sockets.connect(f"{directory}/{SOCKET}", patience_s=_PATIENCE_S)
        connection.send(line)
        answer: bytes = connection.recv(len(_DELIVERED))
        connection.close()
    except OSError:
        return False
    return answer == _DELIVERED
