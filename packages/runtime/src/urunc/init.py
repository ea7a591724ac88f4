# SPDX-License-Identifier: Apache-2.0
"""The container's first process: from the clone, through the monitor's root and the wait for `start`, to
the exec.

It ends with execve or with `_exit`, never by returning, and every failure is told to whoever waits:
`create` until it has committed, `start` afterwards.  If `create` is killed before it commits, so ends
this process.
"""

from __future__ import annotations

import posix

from urunc import boot, capabilities, monitors, prepare, rootfs, state, virtiofsd
from urunc.errors import HostError
from urunc.host import (
    apply,
    channel,
    console,
    files,
    hooks,
    image,
    namespaces,
    process,
    seccomp,
    shares,
    syscalls,
)  # fmt: skip
from urunc.machine import DISK, VIRTIOFS, Block
from urunc_common.errors import Error
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from urunc.bundle import Bundle, User
    from urunc.connection import Open
    from urunc.host.users import Made
    from urunc.line import Line
    from urunc.log import Log
    from urunc.machine import LaunchPlan, Network, Streams, UserNetwork
    from urunc.prepare import Prepared
    from urunc.state import State

# Where the monitor's root is made, in the state directory.
ROOT, _STAGING = "root", "staging"
_TUN = "/dev/net/tun"


class Init(Record):
    """What the first process inherits from `create`."""

    prepared: Prepared
    state: State
    directory: str
    channel: channel.Channel
    go: int
    """The read end of the FIFO by which `start` wakes it."""
    answer: int
    """The write end of the FIFO by which it answers."""
    terminal: int
    """The slave of the container's terminal, or -1."""
    users: Made | None
    """The user namespace that is entered last; what is in it is the host's until then."""
    rootless: bool
    """This process is in the user namespace from the beginning, as it could do nothing outside."""
    line: Line
    """How the guest is connected to the container's network namespace."""
    log: Log


def run(init: Init) -> NoReturn:
    """Never returns."""
    try:
        _guarded(init)
    finally:
        posix._exit(1)


def _guarded(init: Init) -> None:
    listener = init.channel.write_end
    try:
        made = _create(init)
        listener = init.answer
        _start(init, made)
    except channel.PeerDied:
        return  # `create` was killed, so there is no container
    except Error as error:
        posix.write(listener, channel.render_failure(error))
    except OSError as error:
        posix.write(listener, channel.render_failure(HostError("start the container's first process", error)))
    except BaseException as error:
        failure = Error(f"internal error: {type(error).__name__}: {error}", hint="please report this")
        posix.write(listener, channel.render_failure(failure))


def _create(init: Init) -> dict[str, int]:
    bundle, phase = init.prepared.bundle, init.log.phase
    init.log.follow(own_clock=bundle.namespace("time") is not None)
    init.channel.expect(channel.MAPPED)
    phase("mapped")
    posix.setsid()
    posix.umask(0o022)
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
    if init.rootless:
        _enter_own_users(bundle)
    namespaces.enter(bundle.namespaces, init.users.others if init.users else ())
    phase("namespaces")
    _set_names(bundle)
    if init.terminal >= 0:
        if init.rootless:
            posix.fchown(init.terminal, bundle.user.uid, -1)
        console.take(init.terminal)
    syscalls.mount("", "/", "", syscalls.MS_REC | syscalls.MS_SLAVE)
    made = _make_root(init)
    init.channel.say(channel.READY)
    phase("root")
    init.channel.expect(channel.GO_ON)
    phase("go on")
    if bundle.isolation.sysctls:
        from urunc.host import properties

        properties.set_sysctls(bundle.isolation.sysctls)
    document = state.document(init.state.replace(pid=posix.getpid()), state.CREATING)
    wanted = bundle.hooks.get("createContainer", ())
    hooks.run("createContainer", wanted, document, bundle.path, _entrance(init))
    _put_copies(init)
    init.channel.say(channel.CREATED)
    phase("hooks")
    init.channel.expect(channel.COMMIT)
    init.channel.close()
    phase("commit")
    return made


def _enter_own_users(bundle: Bundle) -> None:
    from urunc.host import users

    users.enter_own(bundle)


def _owner(init: Init) -> User:
    """Whom files for the monitor are given to, by the ids that this process sees."""
    bundle = init.prepared.bundle
    return bundle.user if init.rootless else bundle.owner


def _put_copies(init: Init) -> None:
    """Into the guest's disk: the hooks may have changed what is copied."""
    found = init.prepared.boot
    covers = boot.placed(found.volumes)
    if covers and isinstance(found.choice.root, Block):
        from urunc.host import disk_copies

        entries = boot.read_again(found).given.copies
        # Without root it is the user's own file, and ours is the only user that there is.
        writer = 0 if init.rootless else disk_copies.NOBODY
        place = disk_copies.Place(f"{init.directory}/{ROOT}{DISK}", f"{init.directory}/{_STAGING}", writer)
        disk_copies.put(place, entries, covers)


def _entrance(init: Init) -> Callable[[], None]:
    """What takes a process of the container into its user namespace."""
    made = init.users
    if made is None:
        return lambda: None
    from urunc.host import users

    return lambda: users.enter(made)


def _set_names(bundle: Bundle) -> None:
    score = bundle.properties.oom_score_adj
    if bundle.hostname or bundle.domainname or score is not None:
        from urunc.host import properties

        properties.set_names(bundle.hostname, bundle.domainname)
        if score is not None:
            properties.set_oom_score(score)


def _make_root(init: Init) -> dict[str, int]:
    prepared = init.prepared
    image_root = image.open_root(prepared.bundle.rootfs)
    found = prepared.boot
    wanted = rootfs.Surroundings(
        monitor=prepared.monitor,
        virtiofsd=found.virtiofsd,
        kernel=found.kernel,
        initrd=found.initrd,
        disk=found.disk,
        root=found.choice.root,
        extra_disk=found.extra_disk,
        extra=found.choice.extra,
        links=apply.top_level_links(),
        volumes=tuple((one.bind, one.volume) for one in found.volumes if one.volume),
        devices=_tap_device(init),
    )
    operations = rootfs.operations(prepared.plan(()), wanted)
    label = prepared.bundle.isolation.mount_label
    made = apply.apply(operations, f"{init.directory}/{ROOT}", image_root, _owner(init), label)
    posix.close(image_root)
    return made


def _tap_device(init: Init) -> tuple[str, ...]:
    """Needed if `start` finds an interface and the monitor opens its tap by name; the root is made before."""
    wanted = init.line.has_tap and not monitors.load(init.prepared.config.hypervisor).TAKES_TAP_FD
    return (_TUN,) if wanted and posix.access(_TUN, posix.F_OK) else ()


def _get_ready(init: Init) -> tuple[Init, Open | None, Streams, tuple[Callable[[], None], ...]]:
    """After the pivot the standard library is gone: what `start` needs is loaded now, while nobody waits."""
    from urunc import connection
    from urunc.host import streams

    init = init.replace(prepared=prepare.with_network(init.prepared))
    line = init.line.replace(resolvers=init.prepared.bundle.resolvers)
    opened = connection.open_line(line) if line.has_tap else None
    output = streams.open_streams()
    setters = _find_setters(init.prepared.bundle, init.log)
    apply.pivot(f"{init.directory}/{ROOT}", init.prepared.bundle.isolation.propagation)
    return init, opened, output, setters


def _start(init: Init, made: dict[str, int]) -> None:
    try:
        init, opened, output, setters = _get_ready(init)
    except BaseException:
        # Whoever starts the container is told: what is said into a FIFO before is lost with us.
        posix.read(init.go, 1)
        raise
    init.log.phase("pivot")
    if not posix.read(init.go, 1):
        return
    init.log.phase("woken")
    init = init.replace(prepared=_with_terminal_size(init))
    networks = _connect(init, opened)
    init.log.phase("network")
    plan = init.prepared.plan(networks, output)
    init.log.phase("plan")
    for file in plan.files:
        files.write_all(made[file.path], file.content)
    _serve_shares(init, plan, made)
    init.log.phase("files")
    _run_start_hooks(init)
    init.log.phase("hooks")
    init.log.debug(f"execute {_quoted(plan.argv)}")
    _become_monitor(init, plan, setters)


def _find_setters(bundle: Bundle, log: Log) -> tuple[Callable[[], None], ...]:
    """What makes the monitor's process what the container asks for, loaded and opened while it can be."""
    wanted, domain = bundle.properties, bundle.isolation.domain
    setters: list[Callable[[], None]] = []
    if wanted.rlimits or wanted.scheduler or wanted.io_priority or domain:
        from urunc.host import properties

        setters.append(lambda: properties.set_limits(wanted.rlimits, log))
        setters.append(lambda: properties.set_priorities(wanted, domain))
    if wanted.apparmor or wanted.selinux:
        from urunc.host import labels

        own = labels.open_process()
        setters.append(lambda: labels.set_at_exec(own, wanted.apparmor, wanted.selinux))
    return tuple(setters)


def _with_terminal_size(init: Init) -> Prepared:
    """An engine may have given the terminal a size since; later ones do not reach the guest."""
    size = console.size(init.terminal) if init.terminal >= 0 else (0, 0)
    bundle = init.prepared.bundle
    return init.prepared.replace(bundle=bundle.replace(console_size=size)) if any(size) else init.prepared


def _connect(init: Init, opened: Open | None) -> tuple[Network | UserNetwork, ...]:
    from urunc import connection
    from urunc.host.tap import Owner

    if not opened:
        return init.prepared.bundle.user_networks
    by_name = not monitors.load(init.prepared.config.hypervisor).TAKES_TAP_FD
    user = _owner(init)
    owner = Owner(init.state.id, user.uid, user.gid, persistent=by_name)
    return connection.connect(opened, owner, init.log)


def _run_start_hooks(init: Init) -> None:
    document = state.document(init.state.replace(pid=posix.getpid()), state.CREATED)
    wanted = init.prepared.bundle.hooks.get("startContainer", ())
    hooks.run("startContainer", wanted, document, "/", _entrance(init))


def _serve_shares(init: Init, plan: LaunchPlan, made: dict[str, int]) -> None:
    for share in plan.shares:
        if share.kind != VIRTIOFS:
            continue
        program = init.prepared.boot.virtiofsd
        newer = virtiofsd.is_newer(files.read(program))
        listener = made[share.socket]
        # The older one reports an error when its guest ends as it should.
        command = virtiofsd.command(program, share, listener, newer=newer)
        shares.serve(command, listener, _entrance(init), silent=not newer)


def _become_monitor(init: Init, plan: LaunchPlan, setters: tuple[Callable[[], None], ...]) -> None:
    bundle, programs = init.prepared.bundle, init.prepared.programs
    process.reset_signals()
    for set_property in setters:
        set_property()
    if bundle.user.umask is not None:
        posix.umask(bundle.user.umask)
    process.keep_only(plan.fds)
    _entrance(init)()
    process.become(
        bundle.user,
        capabilities.cut(bundle.capabilities, plan.capabilities),
        no_new_privileges=bundle.no_new_privileges,
        until_exec=syscalls.CAP_SYS_ADMIN if programs else 0,
    )
    init.log.phase("execve")
    posix.write(init.answer, channel.EXECUTING)
    # Last, so that a profile need allow nothing but the exec and what the monitor does.
    seccomp.load(programs)
    try:
        process.execute(init.prepared.monitor, plan.argv)
    except OSError as error:
        raise HostError(f"execute {init.prepared.monitor}", error) from error


def _quoted(argv: tuple[str, ...]) -> str:
    """The command line as a shell takes it."""
    return " ".join("'" + word.replace("'", "'\\''") + "'" for word in argv)
