# SPDX-License-Identifier: Apache-2.0
"""How `create` and the container's first process talk: single bytes in turn, or an error that ends the
talk.
"""

from __future__ import annotations

import posix

from urunc import jsontext
from urunc_common.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Self

# The FIFOs of a container's state directory, by which `start` and the first process talk.
GO, ANSWER = "go", "answer"

# In the order in which they are said; the first column says by whom.
MAPPED = b"m"  # parent: cgroups and id maps are in place
READY = b"r"  # init: namespaces and the monitor's root are made
GO_ON = b"g"  # parent: its hooks have run
CREATED = b"c"  # init: the createContainer hooks have run
COMMIT = b"k"  # parent: the state is saved
EXECUTING = b"x"  # init, to `start`: the next thing is execve
_FAILED = b"!"
_ENDED = "the container's first process ended while it was being made"


class PeerDied(Error):
    """The other side ended without a word."""


class Channel:
    """One end of a two-way talk over two pipes."""

    def __init__(self, read_end: int, write_end: int) -> None:
        self.read_end, self.write_end = read_end, write_end

    @classmethod
    def pair(cls) -> tuple[Self, Self]:
        """Both ends; each side closes the other's."""
        here_read, there_write = posix.pipe2(posix.O_CLOEXEC)
        there_read, here_write = posix.pipe2(posix.O_CLOEXEC)
        return cls(here_read, here_write), cls(there_read, there_write)

    def close(self) -> None:
        """Close this end: the other side sees end of file."""
        posix.close(self.read_end)
        posix.close(self.write_end)

    def say(self, word: bytes) -> None:
        """Send one of the words above.  Raises PeerDied."""
        try:
            posix.write(self.write_end, word)
        except BrokenPipeError as error:
            raise PeerDied(_ENDED) from error

    def expect(self, word: bytes) -> None:
        """Wait for `word`.  Raises the other side's error, or PeerDied."""
        heard = posix.read(self.read_end, 1)
        if heard == _FAILED:
            raise parse_failure(_read_to_end(self.read_end))
        if heard != word:
            raise PeerDied(_ENDED)


def render_failure(error: Error) -> bytes:
    """An error as it is sent over a pipe."""
    return _FAILED + jsontext.render([str(error), error.hint]).encode()


def parse_failure(data: bytes) -> Error:
    """The inverse of `render_failure`, with or without its mark."""
    said: Any = jsontext.parse(data.removeprefix(_FAILED).decode())
    message, hint = said
    return Error(message, hint=hint)


def hear_start(descriptor: int) -> None:
    """Read what init answers to `start`, to the end: its mark alone means that the exec happened.

    Raises what init reports, or PeerDied.
    """
    data = _read_to_end(descriptor)
    answer = data.removeprefix(EXECUTING)
    if answer.startswith(_FAILED):
        raise parse_failure(answer)
    if data != EXECUTING:
        raise PeerDied("the container's first process ended before it could start the monitor")


def _read_to_end(descriptor: int) -> bytes:
    parts = []
    while part := posix.read(descriptor, 65536):
        parts.append(part)
    return b"".join(parts)
