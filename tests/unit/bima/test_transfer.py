# SPDX-License-Identifier: Apache-2.0
"""The pieces of a push that need no registry."""

from __future__ import annotations

import threading
from io import BytesIO

import pytest

from bima.registry.failures import Transient
from bima.registry.transfer import LONGEST_S, Body, Cancelled, persist


def test_a_body_has_a_length_and_is_read_in_pieces() -> None:
    body = Body(BytesIO(b"12345, and more"), 5, threading.Event())
    assert (len(body), body.read(3), body.read(3), body.read(3)) == (5, b"123", b"45", b"")


def test_a_body_can_be_iterated_to_its_end() -> None:
    assert b"".join(Body(BytesIO(b"12345"), 5, threading.Event())) == b"12345"


def test_a_body_that_is_cancelled_ends_the_request() -> None:
    stop = threading.Event()
    body = Body(BytesIO(b"12345"), 5, stop)
    body.read(3)
    stop.set()
    with pytest.raises(Cancelled):
        body.read(3)


def test_what_always_fails_is_given_up() -> None:
    tried: list[int] = []

    def attempt() -> None:
        tried.append(1)
        raise _busy(0)

    with pytest.raises(Transient, match="busy"):
        persist(attempt, threading.Event())
    assert len(tried) == 5


def test_a_pause_ends_when_the_push_is_cancelled() -> None:
    stop = threading.Event()
    stop.set()

    def attempt() -> None:
        raise _busy(LONGEST_S)

    with pytest.raises(Cancelled):
        persist(attempt, stop)


def _busy(after_s: float) -> Transient:
    error = Transient("busy")
    error.after_s = after_s
    return error
