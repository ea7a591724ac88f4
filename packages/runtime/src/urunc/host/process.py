# SPDX-License-Identifier: Apache-2.0
"""Processes: waiting for one, running one, and how one becomes the monitor."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C half of `signal`
import posix
import select

from urunc.host import proc, syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from urunc.bundle import User
    from urunc.capabilities import Sets

_LAST_CAPABILITY = 63
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def open_pidfd(pid: int, start_time: int) -> int | None:
    """A descriptor of this very process, or None when it is gone."""
    try:
        descriptor = syscalls.pidfd_open(pid)
    except ProcessLookupError:
        return None
    if proc.is_alive(pid, start_time):
        return descriptor
    posix.close(descriptor)
    return None


def wait_for_end(pidfd: int, timeout_s: float) -> bool:
    """Wait until a process that need not be our child ends; False when it has not."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(int(timeout_s * 1000)))


def exit_status(wait_status: int) -> int:
    """What a shell would call the status of an ended child."""
    code = posix.waitstatus_to_exitcode(wait_status)
    return code if code >= 0 else 128 - code


def reset_signals() -> None:
    """Default dispositions and an empty mask: Python ignores SIGPIPE and SIGXFSZ, and exec hands that on."""
    for number in range(1, _signal.NSIG):
        if _signal.getsignal(number) not in (_signal.SIG_DFL, None):
            _signal.signal(number, _signal.SIG_DFL)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, ())


def become(user: User, sets: Sets, *, no_new_privileges: bool, until_exec: int = 0) -> None:
    """Take the user's ids, and give up all capabilities but these, those `until_exec` at the exec."""
    for capability in range(_LAST_CAPABILITY + 1):
        if sets.bounding >> capability & 1:
            continue
        try:
            syscalls.prctl(syscalls.PR_CAPBSET_DROP, capability)
        except OSError:
            break  # the kernel knows no more of them
    kept = sets.permitted | until_exec
    if kept:
        syscalls.prctl(syscalls.PR_SET_KEEPCAPS, 1)
    set_groups(user.groups)
    posix.setresgid(user.gid, user.gid, user.gid)
    posix.setresuid(user.uid, user.uid, user.uid)
    # The exec gives root only what the bounding set still has, and others what is ambient.
    syscalls.capset(sets.effective | until_exec, kept, sets.inheritable)
    for capability in range(sets.ambient.bit_length()):
        if sets.ambient >> capability & 1:
            syscalls.prctl(syscalls.PR_CAP_AMBIENT, syscalls.PR_CAP_AMBIENT_RAISE, capability)
    if no_new_privileges:
        syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)


def set_groups(groups: Sequence[int]) -> None:
    """The supplementary ones.  An ordinary user's own namespace lets nobody give one up."""
    try:
        posix.setgroups(list(groups))
    except PermissionError:
        if groups:
            raise


def keep_only(descriptors: Iterable[int]) -> None:
    """Arrange for every descriptor but 0, 1, 2 and these to close at exec."""
    syscalls.close_range(3, 0xFFFFFFFF, syscalls.CLOSE_RANGE_CLOEXEC)
    for descriptor in descriptors:
        posix.set_inheritable(descriptor, True)  # noqa: FBT003  it takes no keyword


def close_others(kept: Iterable[int]) -> None:
    """Close every descriptor but these."""
    first = 0
    for descriptor in (*sorted(kept), 1 << 31):
        if first < descriptor:
            syscalls.close_range(first, descriptor - 1, 0)
        first = descriptor + 1


def execute(path: str, argv: Sequence[str]) -> None:
    """execve(2) with the one environment that every monitor gets.  Returns only by raising OSError."""
    posix.execve(path, list(argv), {"PATH": _PATH})


def run(argv: Sequence[str], path: str) -> None:
    """Run a program of the host to its end.  Raises OSError with what it said if it fails."""
    program = search(argv[0], path)
    if not program:
        raise FileNotFoundError(2, f"{argv[0]} is not installed")
    heard, said = posix.pipe2(posix.O_CLOEXEC)
    redirections = [(posix.POSIX_SPAWN_DUP2, said, 2), (posix.POSIX_SPAWN_DUP2, said, 1)]
    pid = posix.posix_spawn(program, list(argv), {"PATH": path}, file_actions=redirections)
    posix.close(said)
    words = b"".join(iter(lambda: posix.read(heard, 4096), b""))
    posix.close(heard)
    if posix.waitpid(pid, 0)[1]:
        raise OSError(5, f"{argv[0]}: {words.decode(errors='replace').strip()}")


def search(name: str, path: str) -> str:
    """The executable file that a shell would find on `path`, or ""."""
    for directory in path.split(":"):
        candidate = f"{directory or '.'}/{name}"
        try:
            if posix.stat(candidate).st_mode & 0o170000 == 0o100000 and posix.access(candidate, posix.X_OK):
                return candidate
        except OSError:
            continue
    return ""
