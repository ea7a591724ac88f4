# SPDX-License-Identifier: Apache-2.0
"""exec: one more program in a guest that starts with our first process, and a relay that stands for it."""

from __future__ import annotations

import posix

from urunc import bundle as bundles
from urunc import frames, program, relay, state
from urunc.errors import HostError, StateError, Unsupported, UsageError
from urunc.host import cgroups, exec_port, files, process, syscalls
from urunc_common.errors import Error
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from urunc.cli import Context
    from urunc.host.exec_port import Talk
    from urunc.machine import App
    from urunc.relay import Signals
    from urunc.state import State

_SIGKILL = 9
_FAILED = 255  # as with runc: no status of a program
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126


class ExecError(Error):
    """The program does not run."""

    exit_code = _FAILED


class Options(Record):
    """The command line."""

    id: str
    args: tuple[str, ...] = ()
    process: str = ""
    env: tuple[str, ...] = ()
    cwd: str = ""
    user: str = ""
    additional_gids: tuple[str, ...] = ()
    tty: bool = False
    detach: bool = False
    pid_file: str = ""
    console_socket: str = ""
    cap: tuple[str, ...] = ()
    no_new_privs: bool = False
    preserve_fds: str = ""
    process_label: str = ""
    apparmor: str = ""
    cgroup: str = ""
    ignore_paused: bool = False


def run(context: Context, options: Options) -> int:
    """Run a program to its end, or with --detach leave it to its relay.  Raises Error."""
    found = _find(context, options)
    app = _app(options, found)
    _require_console(options, app)
    try:
        talk = exec_port.open_port(state.directory(context.root, found.id))
        _start(talk, app)
    except Error as error:
        raise ExecError(f"exec failed: {error}", hint=error.hint) from error
    if options.detach:
        _detach(options, found, app, talk)
        return 0
    from urunc.foreground import attend

    def fork(signals: Signals, slave: int) -> int:
        return _fork(options, found, talk, signals, slave)

    return attend(fork, terminal=bool(app.terminal))


def _find(context: Context, options: Options) -> State:
    lock = context.lock(options.id)
    try:
        found = state.load(context.root, options.id)
        current = state.status(found)
    finally:
        posix.close(lock)
    if current != state.RUNNING:
        raise StateError(f"cannot exec in a {current} container", hint=f"{options.id} has to run")
    if not found.takes_programs:
        raise Unsupported(
            f"exec is not possible in container {found.id}: {_why_not(found)}", hint=_remedy(found)
        )
    return found


def _why_not(found: State) -> str:
    if found.guest != "linux":
        return f"a {found.guest} unikernel is one program, and has no processes"
    if found.monitor != "qemu":
        return f"{found.monitor} has no channel to its guest for that"
    return "its guest does not begin with our first process"


def _remedy(found: State) -> str:
    return "use qemu" if found.guest == "linux" and found.monitor != "qemu" else ""


def _app(options: Options, found: State) -> App:
    if options.process:
        return program.from_text(_read(options.process), options.process)
    if not options.args:
        raise UsageError("exec needs a program, or --process", hint="see urunc exec --help")
    return program.from_options(
        bundles.load(found.bundle),
        options.args,
        env=options.env,
        cwd=options.cwd,
        user=options.user,
        groups=options.additional_gids,
        terminal=options.tty,
    )


def _read(path: str) -> str:
    try:
        return files.read(path).decode()
    except OSError as error:
        raise HostError(f"read {path}", error) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8: {error}") from error


def _require_console(options: Options, app: App) -> None:
    if options.console_socket and not app.terminal:
        raise UsageError("there is a --console-socket, but the program wants no terminal", hint="use --tty")
    if options.detach and app.terminal and not options.console_socket:
        raise UsageError("a program that wants a terminal and is detached needs a --console-socket")


def _start(talk: Talk, app: App) -> None:
    """Raises Error in the words that engines look for."""
    size = frames.window(*app.terminal) if app.terminal else b""
    talk.say(size + frames.frame(frames.START, program.render(app)))
    kind, data = talk.expect(frames.RUNNING, frames.FAILED)
    if kind == frames.FAILED:
        raise Error(_explain(app, data[0], data[1:].decode(errors="replace")))


def _explain(app: App, status: int, text: str) -> str:
    name = f'exec: "{app.args[0]}"'
    if status == _NOT_FOUND:
        return (
            f"{name}: executable file not found in $PATH"
            if "/" not in app.args[0]
            else (f"{name}: no such file or directory")
        )
    reason = text.strip().removeprefix("init: ")
    return f"{name}: {reason.rpartition(': ')[2].lower()}" if status == _NOT_EXECUTABLE else reason


def _detach(options: Options, found: State, app: App, talk: Talk) -> None:
    from urunc.host import console

    slave = -1
    if app.terminal:
        master, slave = console.open_terminal(app.terminal if all(app.terminal) else None, 0)
        console.send_master(master, options.console_socket)
        posix.close(master)
    pid = _fork(options, found, talk, relay.catch_signals(), slave)
    if options.pid_file:
        files.replace(options.pid_file, str(pid).encode(), 0o644)


def _fork(options: Options, found: State, talk: Talk, signals: Signals, slave: int) -> int:
    """The relay's pid.  It lives where the monitor does, ends with it, and has no rights to speak of."""
    ready, go = posix.pipe2(posix.O_CLOEXEC)
    settled, settling = posix.pipe2(posix.O_CLOEXEC)
    try:
        namespace = posix.open(f"/proc/{found.pid}/ns/pid", posix.O_RDONLY | posix.O_CLOEXEC)
        syscalls.setns(namespace, syscalls.CLONE_NEWPID)
        posix.close(namespace)
    except FileNotFoundError:
        raise ExecError("exec failed: the container ended meanwhile") from None
    pid = posix.fork()
    if pid == 0:
        posix.close(go)
        _be_relay(options, talk, signals, slave, ready)
    try:
        for cgroup in found.cgroups:
            cgroups.enter(cgroup, pid)
        posix.write(go, b"g")
        posix.close(settling)
        posix.read(settled, 1)  # nothing: its end is closed, with all that the relay does not need
    finally:
        for descriptor in (go, ready, settled):
            posix.close(descriptor)
    return pid


def _be_relay(options: Options, talk: Talk, signals: Signals, slave: int, ready: int) -> NoReturn:
    status = 1
    try:
        if posix.read(ready, 1):
            _settle(talk, signals, slave, attended=not options.detach)
            status = relay.Relay(talk, signals.inbox, terminal=slave >= 0).run()
    finally:
        posix._exit(status)


def _settle(talk: Talk, signals: Signals, slave: int, *, attended: bool) -> None:
    from urunc.bundle import User
    from urunc.capabilities import Sets
    from urunc.host import console

    posix.setsid()
    if slave >= 0:
        console.take(slave)
        console.make_raw(0)
    process.become(User(), Sets(), no_new_privileges=True)
    if attended:
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, _SIGKILL)
    process.close_others({0, 1, 2, talk.connection.fileno(), signals.inbox, signals.outbox})
