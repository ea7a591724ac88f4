# SPDX-License-Identifier: Apache-2.0
"""Frames, by which a relay and a guest's first process talk about one program.

A letter, the length in four bytes, the lowest first, and as many bytes; docs/guest.md has their meaning.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# To the guest.
START, WINDOW, SIGNAL, STDIN = b"s", b"w", b"k", b"0"
# From the guest.
OPEN, RUNNING, FAILED, STDOUT, STDERR, EXIT = b"o", b"r", b"f", b"1", b"2", b"x"
# From whoever has taken what came in a stream's last frame; only then may the next one be sent.
TAKEN = b"a"

LONGEST = 16384
"""Of what a stream may have on its way."""
_HEAD = 5


def frame(kind: bytes, data: bytes = b"") -> bytes:
    """One frame."""
    return kind + len(data).to_bytes(4, "little") + data


def window(rows: int, columns: int) -> bytes:
    """The size of a terminal, as a frame; before START it says that the program is to have one."""
    return frame(WINDOW, rows.to_bytes(2, "little") + columns.to_bytes(2, "little"))


class Frames:
    """What arrives in pieces, as whole frames."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> None:
        """Bytes in the order in which they came."""
        self._rest += piece

    def take(self) -> Iterator[tuple[bytes, bytes]]:
        """Every frame that is whole by now: its letter and its data."""
        while len(self._rest) >= _HEAD:
            end = _HEAD + int.from_bytes(self._rest[1:_HEAD], "little")
            if len(self._rest) < end:
                return
            kind, data = self._rest[:1], self._rest[_HEAD:end]
            self._rest = self._rest[end:]
            yield kind, data
