# SPDX-License-Identifier: Apache-2.0
"""The log, in the two formats of runc: containerd reads the last `"level":"error"` record of the JSON one."""

from __future__ import annotations

import posix
import time

from urunc import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.timestamps import Recorder

_LEVELS = ("debug", "info", "warning", "error")
_started = time.monotonic()


class Log:
    """Records go to one open descriptor; those below the level are dropped."""

    def __init__(self, descriptor: int = 2, *, style: str = "text", level: str = "info") -> None:
        self.descriptor = descriptor
        self._style = style
        self._level = _LEVELS.index(level)
        self.recorder: Recorder | None = None
        """Of the phases, where somebody wants to see them."""

    def set_level(self, level: str) -> None:
        """Drop what is less than this."""
        self._level = _LEVELS.index(level)

    def follow(self, *, own_clock: bool) -> None:
        """From now on, what is recorded are the phases of the container's first process."""
        if self.recorder:
            self.recorder.follow(own_clock=own_clock)
            self.phase("invoked")

    def phase(self, name: str, at: int = 0) -> None:
        """What `name` says is done.  That it cannot be recorded is no reason to fail."""
        if not self.recorder:
            return
        try:
            self.recorder.record(name, at)
        except OSError as error:
            self.recorder = None
            self.warning(f"phases are not recorded any more: {error.strerror}")

    def debug(self, message: str) -> None:
        """A phase that has begun or ended; says how many milliseconds this process is old."""
        if self._level == 0:
            self._write("debug", f"{message} (at {(time.monotonic() - _started) * 1000:.1f} ms)")

    def info(self, message: str) -> None:
        """Something worth knowing when all goes well."""
        self._write("info", message)

    def warning(self, message: str) -> None:
        """Something that the user asked for and does not get in full."""
        self._write("warning", message)

    def error(self, message: str) -> None:
        """The reason why this command fails."""
        self._write("error", message)

    def _write(self, level: str, message: str) -> None:
        if _LEVELS.index(level) < self._level:
            return
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        if self._style == "json":
            record = jsontext.render({"level": level, "msg": message, "time": when})
        else:
            record = f"time={jsontext.render(when)} level={level} msg={jsontext.render(message)}"
        posix.write(self.descriptor, record.encode() + b"\n")


def open_log(path: str, style: str, level: str) -> Log:
    """Append to `path`, or write to stderr when it is empty.  Raises OSError."""
    if not path:
        return Log(style=style, level=level)
    flags = posix.O_WRONLY | posix.O_APPEND | posix.O_CREAT | posix.O_CLOEXEC
    return Log(posix.open(path, flags, 0o644), style=style, level=level)
