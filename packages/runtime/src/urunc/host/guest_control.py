# SPDX-License-Identifier: Apache-2.0
"""Signals for the program in a guest, by the port that its first process listens to."""

from __future__ import annotations

from urunc.host import sockets

SOCKET = "control"
# Longer than it takes a guest to boot where instructions are emulated.
_PATIENCE_S = 10.0
_DELIVERED = b"ok\n"


def send(directory: str, number: int) -> bool:
    """Whether the guest has taken the signal."""
    try:
        connection = sockets.connect(f"{directory}/{SOCKET}")
        connection.settimeout(_PATIENCE_S)
        connection.send(b"signal %d\n" % number)
        answer: bytes = connection.recv(len(_DELIVERED))
        connection.close()
    except OSError:
        return False
    return answer == _DELIVERED
