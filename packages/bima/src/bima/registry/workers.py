# SPDX-License-Identifier: Apache-2.0
"""Runs jobs in a few threads; the first failure, or Ctrl-C, stops the others."""

from __future__ import annotations

import threading
import time
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Job = Callable[[threading.Event], None]

LEAVE_S = 1.0


def run(jobs: Iterable[Job], threads: int) -> None:
    """Do all jobs; each looks at the event, and ends soon after it is set."""
    todo: SimpleQueue[Job] = SimpleQueue()
    for job in jobs:
        todo.put(job)
    stop = threading.Event()
    failures: list[BaseException] = []
    # Daemons: a registry that no longer answers must not hold back the end of the process.
    workers = [
        threading.Thread(target=_work, args=(todo, stop, failures), daemon=True)
        for _ in range(min(threads, todo.qsize()))
    ]
    try:
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    except BaseException:
        stop.set()
        _leave(workers)
        raise
    if failures:
        raise failures[0]


def _work(todo: SimpleQueue[Job], stop: threading.Event, failures: list[BaseException]) -> None:
    while not stop.is_set():
        try:
            todo.get_nowait()(stop)
        except Empty:
            return
        except BaseException as error:
            failures.append(error)
            stop.set()


def _leave(workers: list[threading.Thread]) -> None:
    """Give the jobs a moment to tidy up."""
    end = time.monotonic() + LEAVE_S
    for worker in workers:
        if worker.ident is not None:
            worker.join(max(0.0, end - time.monotonic()))
