# SPDX-License-Identifier: Apache-2.0
"""kill: what a signal means for a virtual machine."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C half of `signal`
import posix

from urunc import state
from urunc.errors import NotRunning, UsageError
from urunc.host import cgroups, freezer, process, syscalls
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.cli import Context
    from urunc.state import State

_SIGKILL = 9
_RTMIN_3 = 37
# What engines and images send to end a program.
_STOP = (_signal.SIGTERM, _signal.SIGINT, _signal.SIGQUIT, _RTMIN_3)
# Where the image has one of its own, and its engine says so.
_STOP_SIGNAL = "org.opencontainers.image.stopSignal"


class Options(Record):
    """The command line."""

    id: str
    signal: str = "TERM"
    all: bool = False


def run(context: Context, options: Options) -> int:
    """Send a signal.  Raises NotRunning when there is nothing to send it to."""
    number = parse_signal(options.signal)
    lock = context.lock(options.id)
    try:
        found = state.load(context.root, options.id)
        current = state.status(found)
    finally:
        posix.close(lock)  # a guest may take its time
    context.log.phase("state")
    _kill(context, options, found, current, number)
    return 0


def _kill(context: Context, options: Options, found: State, current: str, number: int) -> None:
    if number != _SIGKILL and current == state.RUNNING and _ask(context, found, number):
        return
    if options.all:
        cgroups.signal(found.cgroups, _translated(found, number))
    elif current == state.STOPPED:
        raise NotRunning(options.id)
    else:
        _send(context, found, number)
    # In version 1, what is paused does not even die.
    if number == _SIGKILL and current == state.PAUSED:
        freezer.thaw(found.freezer)


def _ask(context: Context, found: State, number: int) -> bool:
    """Whether the guest, or the monitor on its behalf, has taken the signal."""
    directory = state.directory(context.root, found.id)
    if found.takes_signals:
        from urunc.host import guest_control

        if guest_control.send(directory, number):
            return True
        context.log.info(f"the guest of {found.id} does not answer")
    if found.power_button and _is_stop(found, number):
        from urunc.host import qmp

        try:
            qmp.execute(directory, "system_powerdown")
        except qmp.QmpError as error:
            context.log.info(f"{error}, so {found.id} is ended at once")
        else:
            return True
    return False


def _is_stop(found: State, number: int) -> bool:
    own = found.annotations.get(_STOP_SIGNAL, "")
    return number in _STOP or (bool(own) and parse_signal(own) == number)


def parse_signal(text: str) -> int:
    """9, KILL, SIGKILL, kill -> 9.  Raises UsageError."""
    name = text.upper().removeprefix("SIG")
    if text.isdecimal() and 0 < int(text) < _signal.NSIG:
        return int(text)
    number: object = getattr(_signal, f"SIG{name}", None)
    if name.startswith("RTMIN+") and name[6:].isdecimal():
        number = int(_signal.SIGRTMIN) + int(name[6:])
    if not isinstance(number, int) or number >= _signal.NSIG or name.startswith("_"):
        raise UsageError(f"unknown signal {text!r}", hint="use a number, or a name like TERM")
    return int(number)


def _translated(found: State, number: int) -> int:
    """The signal that does to the monitor what `number` asks; 0 where that is nothing."""
    if number == _SIGKILL:
        return number
    if not _is_stop(found, number):
        return 0
    return _SIGKILL if state.progress(found) == state.CREATED else found.stop_signal


def _send(context: Context, found: State, number: int) -> None:
    actual = _translated(found, number)
    if not actual:
        context.log.info(f"signal {number} is for the guest, which has no way to receive it; dropped")
        return
    pidfd = process.open_pidfd(found.pid, found.start_time)
    if pidfd is None:
        raise NotRunning(found.id)
    try:
        syscalls.pidfd_send_signal(pidfd, actual)
    except ProcessLookupError:
        raise NotRunning(found.id) from None
