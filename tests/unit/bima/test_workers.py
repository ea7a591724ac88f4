# SPDX-License-Identifier: Apache-2.0
"""Jobs in threads: all are done, or the first failure stops them."""

from __future__ import annotations

import _thread
import threading
from functools import partial

import pytest

from bima.registry import workers


def test_all_jobs_are_done() -> None:
    done: list[int] = []
    workers.run([partial(_note, done, number) for number in range(20)], threads=3)
    assert sorted(done) == list(range(20))


def test_no_job_is_no_trouble() -> None:
    workers.run([], threads=4)


def test_jobs_run_side_by_side() -> None:
    together = threading.Barrier(3, timeout=30)
    met: list[int] = []

    def meet(_: threading.Event) -> None:
        met.append(together.wait())

    workers.run([meet, meet, meet], threads=3)
    assert sorted(met) == [0, 1, 2]


def test_the_first_failure_stops_the_others_and_is_raised() -> None:
    waiting = threading.Event()
    stopped: list[bool] = []
    never: list[int] = []

    def fail(_: threading.Event) -> None:
        waiting.wait(30)
        raise KeyError("first")

    def wait(stop: threading.Event) -> None:
        waiting.set()
        stopped.append(stop.wait(30))
        raise ValueError("second")

    with pytest.raises(KeyError, match="first"):
        workers.run([fail, wait, partial(_note, never, 3)], threads=2)
    assert stopped == [True]
    assert not never


def test_an_interrupt_stops_the_jobs() -> None:
    stopped: list[bool] = []

    def interrupt(stop: threading.Event) -> None:
        _thread.interrupt_main()
        stopped.append(stop.wait(30))

    with pytest.raises(KeyboardInterrupt):
        workers.run([interrupt], threads=1)
    assert stopped == [True]


def _note(done: list[int], number: int, _: threading.Event) -> None:
    done.append(number)
