# SPDX-License-Identifier: Apache-2.0
"""The making of a container, all but the exec, in the order of ARCHITECTURE.md; each step can be undone."""

from __future__ import annotations

import posix
import time

from urunc import boot, init, kept_hooks, placement, prepare, state
from urunc.errors import HostError
from urunc.host import (
    cache,
    cgroups,
    channel,
    console,
    detach,
    files,
    guest_control,
    hooks,
    namespaces,
    proc,
    sockets,
    syscalls,
)  # fmt: skip
from urunc.host.channel import ANSWER, GO
from urunc.host.sockets import COMMANDS
from urunc.state import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.cli import Context
    from urunc.commands.create import Options
    from urunc.host.users import Made
    from urunc.line import Line
    from urunc.prepare import Prepared

_SIGKILL = 9


class Creation:
    """One run of `create`: what it has made so far, so that a failure can take it back."""

    def __init__(self, context: Context, options: Options, prepared: Prepared, line: Line) -> None:
        self._context, self._options, self._prepared, self._line = context, options, prepared, line
        self._bundle = prepared.bundle
        self._directory = state.directory(context.root, options.id)
        self._state = _first_state(options.id, prepared)
        self._hooked = False
        self._control = self._commands = -1
        self._belonging: tuple[str, ...] = ()
        self._rootless = posix.geteuid() != 0
        self._place = placement.Placement((), (), "", "")

    def run(self) -> None:
        """Create, or leave nothing behind.  Raises Error."""
        lock = state.make(self._context.root, self._state)
        phase = self._context.log.phase
        phase("directory")
        try:
            self._pack()
            self._detach()
            phase("image's root")
            self._make_cgroups()
            phase("cgroups")
            self._make_fifos()
            self._listen()
            phase("channels")
            self._talk(*self._clone(lock))
        except BaseException as error:
            self._undo()
            if isinstance(error, OSError):
                raise HostError(f"create container {self._options.id}", error) from error
            raise
        finally:
            posix.close(lock)
            if self._prepared.boot.temporary:
                cache.drop(self._prepared.boot.temporary)

    def _pack(self) -> None:
        limit = self._context.settings.cache_mib << 20
        packed = boot.pack(self._prepared.boot, self._bundle.rootfs, limit)
        self._prepared = self._prepared.replace(boot=packed)

    def _detach(self) -> None:
        found, mounted = boot.detach(self._prepared.boot, self._bundle.rootfs, self._directory)
        if mounted:
            self._prepared = self._prepared.replace(boot=found)
            self._state = self._state.replace(detached=mounted)
            state.save(self._directory, self._state)
            detach.detach(mounted)

    def _make_cgroups(self) -> None:
        path, systemd = self._bundle.cgroups_path, self._context.systemd
        self._place = placement.find(path, self._options.id, systemd=systemd, rootless=self._rootless)
        # Written down first, so that `delete` finds them even if we are killed now.
        self._state = self._state.replace(
            cgroups=self._place.directories, freezer=self._place.freezer, unit=self._place.unit
        )
        state.save(self._directory, self._state)
        if not self._place.scope:
            self._fill_cgroups()

    def _fill_cgroups(self) -> None:
        for directory in self._place.directories:
            made = cgroups.make(directory)
            self._state = self._state.replace(made_cgroups=(*self._state.made_cgroups, *made))
        state.save(self._directory, self._state)
        placement.confine(self._place, self._bundle, prepare.devices(self._prepared), self._context.log)

    def _enter_cgroups(self) -> None:
        if self._place.scope:
            placement.start_scope(self._place, self._state.pid, self._options.id, self._bundle)
            self._fill_cgroups()
        for directory in self._place.directories:
            if directory != self._place.unified:
                cgroups.enter(directory, self._state.pid)

    def _make_fifos(self) -> None:
        posix.mkdir(f"{self._directory}/{init.ROOT}", 0o700)
        for name in (GO, ANSWER):
            posix.mkfifo(f"{self._directory}/{name}", 0o600)

    def _listen(self) -> None:
        """For signals and commands; the sockets are for those who may use the state, not for the monitor."""
        if self._state.takes_signals:
            self._control = self._listen_at(guest_control.SOCKET)
        if self._state.takes_commands:
            self._commands = self._listen_at(COMMANDS)
        host = self._prepared.host.replace(control=self._control, commands=self._commands)
        self._prepared = self._prepared.replace(host=host)

    def _listen_at(self, name: str) -> int:
        return sockets.listen(f"{self._directory}/{name}", posix.geteuid(), posix.getegid())

    def _clone(self, lock: int) -> tuple[channel.Channel, int]:
        """Fork the first process; returns the parent's end of the talk, and the terminal's master or -1."""
        # Read and write, so that neither end ever waits for the other to open it.
        go, answer = (
            posix.open(f"{self._directory}/{name}", posix.O_RDWR | posix.O_CLOEXEC) for name in (GO, ANSWER)
        )
        master, slave = self._open_terminal()
        here, there = channel.Channel.pair()
        made = self._make_users()
        own = namespaces.prepare_birth(self._bundle.namespaces, self._bundle.isolation.time_offsets)
        pid = self._fork()
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
                    users=made,
                    rootless=self._rootless,
                    line=self._line,
                    log=self._context.log,
                )
            )
        namespaces.forget_birth(own)
        there.close()
        held = (made.user, *(descriptor for descriptor, _ in made.others)) if made else ()
        for descriptor in (go, answer, slave, self._control, self._commands, *held):
            if descriptor >= 0:
                posix.close(descriptor)
        found = proc.find(pid)
        self._state = self._state.replace(pid=pid, start_time=found.start_time if found else 0)
        return here, master

    def _make_users(self) -> Made | None:
        """The user namespace, with those that belong to it."""
        wanted = self._bundle.namespace("user")
        if not wanted or self._rootless:
            return None
        from urunc.host import users

        self._belonging = users.kinds(self._bundle.namespaces)
        return users.make(wanted, self._bundle.isolation, self._belonging)

    def _fork(self) -> int:
        """In version 2, a process can be born in its cgroup."""
        others = () if self._rootless else ("user", *self._belonging)
        flags = namespaces.clone_flags(self._bundle.namespaces, others)
        unified = "" if self._place.scope else self._place.unified
        if not unified:
            return syscalls.clone3(flags)
        cgroup = posix.open(unified, posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC)
        try:
            return syscalls.clone3(flags | syscalls.CLONE_INTO_CGROUP, cgroup)
        except OSError as error:
            raise HostError(f"start a process in the cgroup {unified}", error) from error
        finally:
            posix.close(cgroup)

    def _open_terminal(self) -> tuple[int, int]:
        if not self._bundle.terminal:
            return -1, -1
        owner = -1 if self._rootless else self._bundle.owner.uid
        return console.open_terminal(self._bundle.console_size, owner)

    def _talk(self, here: channel.Channel, master: int) -> None:
        phase = self._context.log.phase
        phase("clone")
        self._enter_cgroups()
        state.save(self._directory, self._state)
        self._map_users()
        here.say(channel.MAPPED)
        phase("mapped")
        here.expect(channel.READY)
        phase("ready")
        self._context.log.debug("namespaces and the monitor's root are made")
        self._run_hooks()
        phase("hooks")
        here.say(channel.GO_ON)
        phase("go on")
        here.expect(channel.CREATED)
        phase("created")
        if master >= 0:
            console.send_master(master, self._options.console_socket)
        self._state = self._state.replace(status=state.CREATED)
        state.save(self._directory, self._state)
        here.say(channel.COMMIT)
        phase("commit")
        if self._options.pid_file:
            _write_pid_file(self._options.pid_file, self._state.pid)
        self._context.log.debug("created")

    def _map_users(self) -> None:
        """An ordinary user's first process is born into its user namespace."""
        if self._rootless:
            from urunc.host import own_users

            own_users.write_maps(self._state.pid, self._bundle.isolation)

    def _run_hooks(self) -> None:
        self._hooked = True
        document = state.document(self._state, state.CREATING)
        for stage in ("prestart", "createRuntime"):
            hooks.run(stage, self._bundle.hooks.get(stage, ()), document, self._bundle.path)

    def _undo(self) -> None:
        if self._state.pid:
            _kill(self._state.pid)
        cgroups.kill(self._state.cgroups)
        if self._state.unit:
            from urunc.host import units

            units.stop(self._state.unit)
        cgroups.remove({*self._state.made_cgroups, *self._state.cgroups})
        detach.attach(self._state.detached)
        if self._hooked:
            kept_hooks.run(self._context.log, self._state, "poststop", state.STOPPED)
        state.remove(self._directory)


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
        memory_mib=prepared.memory_mib,
        stop_signal=plan.stop_signal,
        takes_signals=plan.takes_signals,
        takes_commands=plan.takes_commands,
        power_button=plan.power_button,
        guest=prepared.config.type,
        monitor=prepared.config.hypervisor,
        network_path=network.path if network else "",
        hooks=kept_hooks.keep(bundle),
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
