# SPDX-License-Identifier: Apache-2.0
"""Messages of D-Bus as bytes: the few types that talking to systemd takes.  Pure.

D-Bus specification 0.41, Message Protocol.  Importing a library for this takes longer than the talk itself.
"""

from __future__ import annotations

from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

METHOD_CALL, METHOD_RETURN, ERROR, SIGNAL = 1, 2, 3, 4
_PATH, _INTERFACE, _MEMBER, _ERROR_NAME, _REPLY_SERIAL, _DESTINATION, _SIGNATURE = 1, 2, 3, 4, 5, 6, 8
_FIELDS = {
    _PATH: "o", _INTERFACE: "s", _MEMBER: "s", _ERROR_NAME: "s", _REPLY_SERIAL: "u", _DESTINATION: "s",
    _SIGNATURE: "g",
}  # fmt: skip
_SIZES = {"y": 1, "n": 2, "q": 2, "b": 4, "i": 4, "u": 4, "h": 4, "x": 8, "t": 8, "d": 8}
_ALIGNMENTS = {**_SIZES, "s": 4, "o": 4, "a": 4, "g": 1, "v": 1, "(": 8, "{": 8}
_CLOSING = {"(": ")", "{": "}"}
# As much of a message as says how long it is.
HEAD = 16


class Call(Record):
    """A method call."""

    destination: str
    path: str
    interface: str
    member: str
    signature: str = ""
    values: tuple[Any, ...] = ()


class Message(Record):
    """What came: a reply, an error or a signal."""

    kind: int
    reply_to: int = 0
    member: str = ""
    error: str = ""
    values: tuple[Any, ...] = ()


def call(wanted: Call, serial: int) -> bytes:
    """The message.  A variant among the values is a pair of its signature and its value."""
    body = _Writer()
    body.write_all(wanted.signature, wanted.values)
    given = {
        _PATH: wanted.path,
        _INTERFACE: wanted.interface,
        _MEMBER: wanted.member,
        _DESTINATION: wanted.destination,
        **({_SIGNATURE: wanted.signature} if wanted.signature else {}),
    }
    head = _Writer()
    fields = [(code, (_FIELDS[code], value)) for code, value in sorted(given.items())]
    head.write_all("yyyyuua(yv)", (ord("l"), METHOD_CALL, 0, 1, len(body.data), serial, fields))
    head.align(8)
    return bytes(head.data + body.data)


def length(head: bytes) -> int:
    """How long a message is that begins with these bytes."""
    body, fields = _number(head, 4), _number(head, 12)
    return HEAD + (fields + 7) // 8 * 8 + body


def parse(data: bytes) -> Message:
    """A whole message; ValueError for one that is none."""
    if data[:1] != b"l":
        raise ValueError("only little-endian messages are understood")
    reader = _Reader(data)
    _, kind, _, _, _, _, fields = reader.read_all("yyyyuua(yv)")
    found = dict(fields)
    reader.align(8)
    return Message(
        kind,
        found.get(_REPLY_SERIAL, 0),
        found.get(_MEMBER, ""),
        found.get(_ERROR_NAME, ""),
        tuple(reader.read_all(found.get(_SIGNATURE, ""))),
    )


def types(signature: str) -> list[str]:
    """The complete types of a signature: sa(sv)u -> s, a(sv), u"""
    found, start = [], 0
    while start < len(signature):
        end = _end(signature, start)
        found.append(signature[start:end])
        start = end
    return found


def _end(signature: str, start: int) -> int:
    first = signature[start]
    if first == "a":
        return _end(signature, start + 1)
    if first not in _CLOSING:
        return start + 1
    end = start + 1
    while signature[end] != _CLOSING[first]:
        end = _end(signature, end)
    return end + 1


def _number(data: bytes, start: int, size: int = 4) -> int:
    return int.from_bytes(data[start : start + size], "little")


class _Writer:
    def __init__(self) -> None:
        self.data = bytearray()

    def align(self, size: int) -> None:
        self.data += bytes(-len(self.data) % size)

    def write_all(self, signature: str, values: Sequence[Any]) -> None:
        for kind, value in zip(types(signature), values, strict=True):
            self.write(kind, value)

    def write(self, kind: str, value: Any) -> None:
        self.align(_ALIGNMENTS[kind[0]])
        if kind[0] in _SIZES:
            self.data += int(value).to_bytes(_SIZES[kind], "little")
        elif kind[0] in "sog":
            text = value.encode()
            self.data += len(text).to_bytes(1 if kind == "g" else 4, "little") + text + b"\0"
        elif kind == "v":
            self.write("g", value[0])
            self.write(value[0], value[1])
        elif kind[0] == "a":
            self._write_array(kind[1:], value)
        else:
            self.write_all(kind[1:-1], value)

    def _write_array(self, kind: str, values: Sequence[Any]) -> None:
        place = len(self.data)
        self.data += bytes(4)
        self.align(_ALIGNMENTS[kind[0]])
        start = len(self.data)  # the padding before the first element does not count
        for value in values:
            self.write(kind, value)
        self.data[place : place + 4] = (len(self.data) - start).to_bytes(4, "little")


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def align(self, size: int) -> None:
        self._at += -self._at % size

    def read_all(self, signature: str) -> list[Any]:
        return [self.read(kind) for kind in types(signature)]

    def read(self, kind: str) -> Any:
        self.align(_ALIGNMENTS[kind[0]])
        if kind[0] in _SIZES:
            return self._take_number(_SIZES[kind])
        if kind[0] in "sog":
            size = self._take_number(1 if kind == "g" else 4)
            text = self._data[self._at : self._at + size].decode()
            self._at += size + 1
            return text
        if kind == "v":
            return self.read(self.read("g"))
        if kind[0] == "a":
            return self._read_array(kind[1:])
        return tuple(self.read_all(kind[1:-1]))

    def _read_array(self, kind: str) -> list[Any]:
        size = self._take_number(4)
        self.align(_ALIGNMENTS[kind[0]])
        end, found = self._at + size, []
        if end > len(self._data):
            raise ValueError("an array ends behind its message")
        while self._at < end:
            found.append(self.read(kind))
        return found

    def _take_number(self, size: int) -> int:
        self._at += size
        return _number(self._data, self._at - size, size)
