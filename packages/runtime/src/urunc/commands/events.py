# SPDX-License-Identifier: Apache-2.0
"""events: what a container takes, once or again and again, and that the kernel killed for want of memory."""

from __future__ import annotations

import re
import select
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from urunc import consumption, jsontext, state
from urunc.errors import NotRunning, UsageError
from urunc.host import process
from urunc_common.record import Record

if TYPE_CHECKING:
    from urunc.cli import Context
    from urunc.consumption import Shortage
    from urunc.hierarchy import Place
    from urunc.state import State

_UNITS_S = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}


class Options(Record):
    """The command line."""

    id: str
    interval: str = "5s"
    stats: bool = False


def run(context: Context, options: Options) -> int:
    """Print one JSON object a line: with --stats one, else until the container ends."""
    interval_s = parse_interval(options.interval)
    context.require_ours(options.id)
    found = state.load(context.root, options.id)
    if state.status(found) == state.STOPPED:
        raise NotRunning(found.id)
    places = consumption.places(found.cgroups)
    if options.stats:
        _say("stats", found.id, consumption.read(places))
        return 0
    pidfd = process.open_pidfd(found.pid, found.start_time)
    if pidfd is None:
        raise NotRunning(found.id)
    shortage = consumption.listen(places["memory"]) if "memory" in places else None
    with suppress(BrokenPipeError):
        _follow(found, places, pidfd, shortage, interval_s)
    return 0


def parse_interval(text: str) -> float:
    """5s, 1m30s, 500ms -> seconds.  Raises UsageError."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h)", text)
    seconds: float = sum(float(number) * _UNITS_S[unit] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != text or seconds <= 0:
        raise UsageError(f"--interval: {text!r} is no time above zero", hint="write it like 5s or 500ms")
    return seconds


def _follow(
    found: State, places: dict[str, Place], pidfd: int, shortage: Shortage | None, interval_s: float
) -> None:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    if shortage:
        poll.register(shortage.descriptor, shortage.events)
    due = time.monotonic() + interval_s
    while True:
        ready = [descriptor for descriptor, _ in poll.poll(max(0, due - time.monotonic()) * 1000)]
        if shortage and shortage.descriptor in ready and shortage.is_new():
            _say("oom", found.id, None)
        if pidfd in ready:
            _last(found, shortage)
            return
        if time.monotonic() >= due:
            _say("stats", found.id, consumption.read(places))
            due += interval_s


def _last(found: State, shortage: Shortage | None) -> None:
    """What killed the container may be told a moment after its end."""
    if shortage and _is_ready(shortage) and shortage.is_new():
        _say("oom", found.id, None)


def _is_ready(shortage: Shortage) -> bool:
    poll = select.poll()
    poll.register(shortage.descriptor, shortage.events)
    return bool(poll.poll(100))


def _say(kind: str, container_id: str, data: object) -> None:
    record = {"type": kind, "id": container_id, **({"data": data} if data is not None else {})}
    sys.stdout.write(jsontext.render(record) + "\n")
    sys.stdout.flush()
