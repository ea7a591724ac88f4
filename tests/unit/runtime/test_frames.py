# SPDX-License-Identifier: Apache-2.0
"""Frames between a relay and a guest, in whatever pieces they arrive."""

from __future__ import annotations

import pytest

from urunc import frames


def taken(*pieces: bytes) -> list[tuple[bytes, bytes]]:
    reader = frames.Frames()
    found = []
    for piece in pieces:
        reader.feed(piece)
        found += reader.take()
    return found


def test_a_frame_is_a_letter_a_length_and_the_data():
    assert frames.frame(frames.STDIN, b"ab") == b"0\x02\x00\x00\x00ab"
    assert frames.frame(frames.STDIN, b"x" * 300)[:5] == b"0\x2c\x01\x00\x00"
    assert frames.window(24, 300) == b"w\x04\x00\x00\x00\x18\x00\x2c\x01"


@pytest.mark.parametrize("size", [1, 2, 4, 7, 1000])
def test_frames_arrive_whole_however_they_are_cut(size):
    sent = [(b"1", b"out"), (b"2", b""), (b"1", bytes(range(256))), (b"x", b"\x03")]
    stream = b"".join(frames.frame(kind, data) for kind, data in sent)
    assert taken(*(stream[at : at + size] for at in range(0, len(stream), size))) == sent


def test_half_a_frame_is_none():
    assert taken(b"1\x02\x00\x00\x00a") == []
