# SPDX-License-Identifier: Apache-2.0
"""create: everything but the exec.  The order is that of ARCHITECTURE.md, and each step can be undone."""

from __future__ import annotations

import posix
import time

from urunc import bundle as bundles
from urunc import init, kept_hooks, prepare, state
from urunc.errors import BundleError, HostError, NotAUnikernel
from urunc.host import (
    cgroups,
    channel,
    console,
    files,
    guest_control,
    hooks,
    namespaces,
    process,
    sockets,
    syscalls,
)
from urunc.state import State
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.bundle import Bundle
    from urunc.cli import Context
    from urunc.prepare import Prepared

GO, ANSWER = "go", "answer"
_SIGKILL = 9


class Options(Record):
    """The command line."""

    id: str
    bundle: str = ""
    pid_file: str = ""
    console_socket: str = ""
    no_pivot: bool = False
    no_new_keyring: bool = False
    preserve_fds: str = ""


def run(context: Context, options: Options) -> int:
    """Make a container; it waits for `start`."""
    state.check_id(options.id)
    try:
        prepared = _prepare(context, options)
    except NotAUnikernel:
        context.delegate()
    namespaces.check(prepared.bundle.namespaces)
    _require_console_socket(prepared.bundle, options)
    Creation(context, options, prepared).run()
    return 0


class Creation:
    """One run of `create`: what it has made so far, so that a failure can take it back."""

    def __init__(self, context: Context, options: Options, prepared: Prepared) -> None:
        self._context, self._options, self._prepared = context, options, prepared
        self._bundle = prepared.bundle
        self._directory = state.directory(context.root, options.id)
        self._state = _first_state(options.id, prepared)
        self._hooked = False
        self._control = -1

    def run(self) -> None:
        """Create, or leave nothing behind.  Raises Error."""
        lock = state.make(self._context.root, self._state)
        try:
            self._make_cgroups()
            self._make_fifos()
            self._listen()
            self._talk(*self._clone(lock))
        except BaseException as error:
            self._undo()
            if isinstance(error, OSError):
                raise HostError(f"create container {self._options.id}", error) from error
            raise
        finally:
            posix.close(lock)

    def _make_cgroups(self) -> None:
        path = self._bundle.cgroups_path or f"/urunc/{self._options.id}"
        directories = cgroups.directories(cgroups.find(), path)
        for directory in directories:
            made = cgroups.make(directory)
            self._state = self._state.replace(
                cgroups=(*self._state.cgroups, directory), made_cgroups=(*self._state.made_cgroups, *made)
            )
        state.save(self._directory, self._state)

    def _make_fifos(self) -> None:
        for name in (GO, ANSWER):
            posix.mkfifo(f"{self._directory}/{name}", 0o600)

    def _listen(self) -> None:
        """For signals; the socket itself is for whoever may use the state, and not the monitor's to reach."""
        if self._state.takes_signals:
            self._control = sockets.listen(f"{self._directory}/{guest_control.SOCKET}", 0, 0)
            host = self._prepared.host.replace(control=self._control)
            self._prepared = self._prepared.replace(host=host)

    def _clone(self, lock: int) -> tuple[channel.Channel, int]:
        """Fork the first process; returns the parent's end of the talk, and the terminal's master or -1."""
        # Read and write, so that neither end ever waits for the other to open it.
        go, answer = (
            posix.open(f"{self._directory}/{name}", posix.O_RDWR | posix.O_CLOEXEC) for name in (GO, ANSWER)
        )
        master, slave = self._open_terminal()
        here, there = channel.Channel.pair()
        has_network = namespaces.has_own_network(self._bundle.namespaces)
        joined = namespaces.join_pid(self._bundle.namespaces)
        pid = syscalls.clone3(namespaces.clone_flags(self._bundle.namespaces))
        if pid == 0:
            posix.close(lock)
            here.close()
            init.run(
                init.Init(
                    prepared=self._prepared,
                    state=self._state,
                    directory=self._directory,
                    channel=there,
                    go=go,
                    answer=answer,
                    terminal=slave,
                    has_network=has_network,
                    log=self._context.log,
                )
            )
        namespaces.leave_pid(joined)
        there.close()
        for descriptor in (go, answer, slave, self._control):
            if descriptor >= 0:
                posix.close(descriptor)
        found = process.find(pid)
        self._state = self._state.replace(pid=pid, start_time=found.start_time if found else 0)
        return here, master

    def _open_terminal(self) -> tuple[int, int]:
        if not self._bundle.terminal:
            return -1, -1
        return console.open_terminal(self._bundle.console_size, self._bundle.user.uid)

    def _talk(self, here: channel.Channel, master: int) -> None:
        for cgroup in self._state.cgroups:
            cgroups.enter(cgroup, self._state.pid)
        state.save(self._directory, self._state)
        here.say(channel.MAPPED)
        here.expect(channel.READY)
        self._context.log.debug("namespaces and the monitor's root are made")
        self._run_hooks()
        here.say(channel.GO_ON)
        here.expect(channel.CREATED)
        if master >= 0:
            console.send_master(master, self._options.console_socket)
        self._state = self._state.replace(status=state.CREATED)
        state.save(self._directory, self._state)
        here.say(channel.COMMIT)
        if self._options.pid_file:
            _write_pid_file(self._options.pid_file, self._state.pid)
        self._context.log.debug("created")

    def _run_hooks(self) -> None:
        self._hooked = True
        document = state.document(self._state, state.CREATING)
        for stage in ("prestart", "createRuntime"):
            hooks.run(stage, self._bundle.hooks.get(stage, ()), document, self._bundle.path)

    def _undo(self) -> None:
        if self._state.pid:
            _kill(self._state.pid)
        cgroups.kill(self._state.cgroups)
        cgroups.remove({*self._state.made_cgroups, *self._state.cgroups})
        if self._hooked:
            kept_hooks.run(self._context.log, self._state, "poststop", state.STOPPED)
        state.remove(self._directory)


def _prepare(context: Context, options: Options) -> Prepared:
    path = absolute(options.bundle or ".")
    bundle = bundles.load(path)
    found = prepare.read_config(context.settings, bundle)
    prepared = prepare.prepare(context.settings, bundle, found)
    context.log.debug(f"root: {prepared.choice.reason}")
    for decision in prepared.volumes:
        if decision.notice:
            context.log.info(decision.notice)
    return prepared


def _first_state(container_id: str, prepared: Prepared) -> State:
    bundle = prepared.bundle
    network = bundle.namespace("network")
    plan = prepared.plan(())
    return State(
        id=container_id,
        bundle=bundle.path,
        version=bundle.version,
        created=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        annotations=bundle.annotations,
        stop_signal=plan.stop_signal,
        takes_signals=plan.takes_signals,
        network_path=network.path if network else "",
        hooks=kept_hooks.keep(bundle),
    )


def _require_console_socket(bundle: Bundle, options: Options) -> None:
    if bundle.terminal and not options.console_socket:
        raise BundleError("the container wants a terminal, but there is no --console-socket to send it to")
    if options.console_socket and not bundle.terminal:
        raise BundleError(
            "there is a --console-socket, but the container wants no terminal", hint="set process.terminal"
        )


def _kill(pid: int) -> None:
    try:
        posix.kill(pid, _SIGKILL)
        posix.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError):
        return


def _write_pid_file(path: str, pid: int) -> None:
    try:
        files.replace(path, str(pid).encode(), 0o644)
    except OSError as error:
        raise HostError(f"write the pid file {path}", error) from error


def absolute(path: str) -> str:
    """The path from the root, without `.` and `..`."""
    whole = path if path.startswith("/") else f"{posix.getcwd()}/{path}"
    parts: list[str] = []
    for part in whole.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)
