# SPDX-License-Identifier: Apache-2.0
"""Lines of `timestamps`, as a waterfall: one lane for each process, one bar for each phase.  Pure."""

from __future__ import annotations

from html import escape
from itertools import pairwise
from json import loads
from typing import TYPE_CHECKING

from urunc_common.errors import Error
from urunc_common.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_KEYS = {"containerID": str, "timestampName": str, "monotonic": int, "process": str, "pid": int}
# Until then a process waits for somebody outside, so that its time is nobody's fault.
_WAITS = (("init", "woken"), ("run", "over"))
_TITLES = {"init": "first process"}
_COLUMNS = 50
_COLOURS = ("#4477aa", "#ee6677", "#228833", "#aa8800", "#aa3377", "#117799")
# Of the picture, in pixels: its width, where bars begin and end, and the height of a row.
_WIDTH, _LEFT, _RIGHT, _ROW = 1000, 190, 900, 18


class Point(Record):
    """A phase that a process has ended, at a time in nanoseconds."""

    container: str
    process: str
    pid: int
    phase: str
    at: int


class Span(Record):
    """A phase from its beginning to its end; `waits` when nothing was done meanwhile."""

    name: str
    start: int
    end: int
    waits: bool = False


class Lane(Record):
    """What one process did, phase after phase."""

    process: str
    spans: tuple[Span, ...]

    @property
    def work(self) -> int:
        """How long it was at work."""
        return sum(span.end - span.start for span in self.spans if not span.waits)


class Axis(Record):
    """Time, without that in which all wait."""

    busy: tuple[tuple[int, int], ...]

    def place(self, at: int) -> int:
        """How much of it there is until then."""
        return sum(min(max(at - start, 0), end - start) for start, end in self.busy)

    @property
    def length(self) -> int:
        """From the beginning to the end; never nothing, as it is divided by."""
        return max(1, sum(end - start for start, end in self.busy))

    @property
    def cut(self) -> int:
        """How much was left out."""
        return self.busy[-1][1] - self.busy[0][0] - self.length if self.busy else 0


class Waterfall(Record):
    """One life of a container."""

    container: str
    lanes: tuple[Lane, ...]
    axis: Axis


def parse(lines: Iterable[str], file: str) -> list[Point]:
    """What a file records, in its order.  Raises Error with the line that is broken."""
    return [_point(line, f"{file}:{number}") for number, line in enumerate(lines, 1) if line.strip()]


def waterfall(points: Sequence[Point], container: str = "") -> Waterfall:
    """The last life of a container, by default of that which is last.  Raises Error if there is none."""
    wanted = container or (points[-1].container if points else "")
    own = [point for point in points if point.container == wanted]
    if not own:
        known = ", ".join(sorted({point.container for point in points}))
        what = f"nothing is recorded of container {wanted}" if wanted else "nothing is recorded"
        raise Error(what, hint=f"there is {known}" if known else "create one with --timestamps")
    births = [i for i, one in enumerate(own) if one.phase == "invoked" and one.process in ("create", "run")]
    lanes = _lanes(own[births[-1] :] if births else own)
    return Waterfall(wanted, lanes, _axis(span for lane in lanes for span in lane.spans))


def text(found: Waterfall) -> str:
    """For a terminal."""
    rows = [("  " * depth + label, spans, time) for label, depth, spans, time in _rows(found)]
    width = max(len(label) for label, _, _ in rows)
    lines = [
        f"{label:{width}}  |{_bar(spans, found.axis)}| {_ms(time):>9}".rstrip() for label, spans, time in rows
    ]
    return "\n".join([_headline(found), "", *lines, ""])


def svg(found: Waterfall) -> str:
    """For a browser, which shows the name and the time of what is pointed at."""
    body = [f'<text x="10" y="20" font-weight="bold">{escape(_headline(found))}</text>']
    top, lane = 2 * _ROW, -1
    for label, depth, spans, time in _rows(found):
        lane += depth == 0
        middle = top + _ROW - 5
        weight = "" if depth else ' font-weight="bold"'
        body.append(f'<text x="{10 + 12 * depth}" y="{middle}"{weight}>{escape(label)}</text>')
        body.extend(_rectangle(span, found.axis, top, _COLOURS[lane % len(_COLOURS)]) for span in spans)
        body.append(f'<text x="{_WIDTH - 10}" y="{middle}" text-anchor="end"{weight}>{_ms(time)}</text>')
        top += _ROW
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top + 10}" width="{_WIDTH}" '
        f'height="{top + 10}" font-family="sans-serif" font-size="12">'
    )
    return "\n".join([opening, '<rect width="100%" height="100%" fill="white"/>', *body, "</svg>", ""])


def _point(line: str, where: str) -> Point:
    try:
        values = loads(line)
    except (ValueError, RecursionError) as error:
        raise Error(f"{where} is not valid JSON: {error}") from error
    for key, kind in _KEYS.items():
        if not isinstance(values, dict) or type(values.get(key)) is not kind:
            raise Error(
                f"{where} is not the record of a phase: {key} must be there, and of type {kind.__name__}",
                hint="use a file that only urunc --timestamps has written to",
            )
    phase = values["timestampName"].partition(".")[2]
    return Point(values["containerID"], values["process"], values["pid"], phase, values["monotonic"])


def _lanes(points: Iterable[Point]) -> tuple[Lane, ...]:
    """Several processes may have had the same pid, one after the other."""
    found: list[list[Point]] = []
    current: dict[tuple[str, int], list[Point]] = {}
    for point in points:
        key = point.process, point.pid
        if point.phase == "invoked" or key not in current:
            current[key] = []
            found.append(current[key])
        current[key].append(point)
    return tuple(Lane(lane[0].process, tuple(_spans(lane))) for lane in found)


def _spans(points: list[Point]) -> Iterator[Span]:
    for before, point in pairwise(points):
        waits = (point.process, point.phase) in _WAITS
        yield Span(point.phase, before.at, max(before.at, point.at), waits)


def _axis(spans: Iterable[Span]) -> Axis:
    busy: list[tuple[int, int]] = []
    for start, end in sorted((span.start, span.end) for span in spans if not span.waits):
        if busy and start <= busy[-1][1]:
            busy[-1] = busy[-1][0], max(end, busy[-1][1])
        else:
            busy.append((start, end))
    return Axis(tuple(busy))


def _rows(found: Waterfall) -> Iterator[tuple[str, int, tuple[Span, ...], int]]:
    """Label, depth, bars and time of each row: the whole lane, and below it its phases."""
    for lane in found.lanes:
        yield _TITLES.get(lane.process, lane.process), 0, lane.spans, lane.work
        for span in lane.spans:
            yield span.name, 1, (span,), span.end - span.start


def _headline(found: Waterfall) -> str:
    said = f"{found.container}: {_ms(found.axis.length)} ms, {len(found.lanes)} processes"
    return said + (f"; {_ms(found.axis.cut)} ms in which all waited are cut out" if found.axis.cut else "")


def _bar(spans: Iterable[Span], axis: Axis) -> str:
    cells = [" "] * _COLUMNS
    for span in spans:
        first = min(axis.place(span.start) * _COLUMNS // axis.length, _COLUMNS - 1)
        last = max(first + 1, -(-axis.place(span.end) * _COLUMNS // axis.length))
        cells[first:last] = ("-" if span.waits else "#") * (last - first)
    return "".join(cells)


def _rectangle(span: Span, axis: Axis, top: int, colour: str) -> str:
    left, right = (_LEFT + axis.place(at) * (_RIGHT - _LEFT) / axis.length for at in (span.start, span.end))
    return (
        f'<rect x="{left:.2f}" y="{top + 3}" width="{max(right - left, 1):.2f}" height="{_ROW - 6}" '
        f'fill="{"#cccccc" if span.waits else colour}" stroke="white" stroke-width="0.3">'
        f"<title>{escape(span.name)}: {_ms(span.end - span.start)} ms</title></rect>"
    )


def _ms(nanoseconds: int) -> str:
    return f"{nanoseconds / 1e6:.3f}"
