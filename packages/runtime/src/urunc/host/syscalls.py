# SPDX-License-Identifier: Apache-2.0
"""One function per system call that `posix` lacks, with the kernel's name, arguments and no opinions.

Each raises OSError.  `ctypes` takes two milliseconds to import and `_ctypes`, the C module below it, a
third of one; only this module knows about either.
"""

from __future__ import annotations

import _ctypes
import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# sched.h
CLONE_NEWTIME, CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS = 0x80, 0x20000, 0x2000000, 0x4000000
CLONE_INTO_CGROUP = 0x200000000
CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x8000000, 0x10000000, 0x20000000, 0x40000000
# mount.h
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND = 1, 2, 4, 8, 32, 4096
MS_REC, MS_UNBINDABLE, MS_PRIVATE, MS_SLAVE, MS_SHARED = 16384, 1 << 17, 1 << 18, 1 << 19, 1 << 20
MNT_DETACH = 2
OPEN_TREE_CLONE, OPEN_TREE_CLOEXEC, AT_EMPTY_PATH, AT_RECURSIVE = 1, 0o2000000, 0x1000, 0x8000
MOVE_MOUNT_F_EMPTY_PATH, MOVE_MOUNT_T_EMPTY_PATH = 4, 0x40
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC = 1, 2, 4, 8
# openat2.h
RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_IN_ROOT = 2, 4, 16
# prctl.h
PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 4, 24, 38
PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 47, 2
PR_SET_PDEATHSIG, PR_SET_KEEPCAPS, PR_SET_CHILD_SUBREAPER = 1, 8, 36
CLOSE_RANGE_CLOEXEC = 4
# capability.h, as a mask
CAP_SYS_ADMIN = 1 << 21

# Numbers of calls younger than glibc's wrappers; since Linux 5.0 they are the same on every architecture.
_PIDFD_SEND_SIGNAL, _OPEN_TREE, _MOVE_MOUNT, _PIDFD_OPEN = 424, 428, 429, 434
_CLONE3, _CLOSE_RANGE, _OPENAT2, _MOUNT_SETATTR = 435, 436, 437, 442
_SECCOMP, _BPF, _SCHED_SETATTR, _IOPRIO_SET = (
    (277, 280, 274, 30) if posix.uname().machine == "aarch64" else (317, 321, 314, 251)
)
_SECCOMP_SET_MODE_FILTER = 1
_AT_FDCWD = -100
_SIGCHLD = 17
_CAPABILITY_VERSION_3 = 0x20080522


class _Long(_ctypes._SimpleCData):  # type: ignore[type-arg]  # generic in the stubs only
    _type_ = "l"


class _Byte(_ctypes._SimpleCData):  # type: ignore[type-arg]
    _type_ = "B"


class Memory:
    """Bytes that the kernel is told the address of; they stay as long as this does."""

    def __init__(self, content: bytes) -> None:
        self._held = bytearray(content)
        self._first = _Byte.from_buffer(self._held)
        self.address = _ctypes.addressof(self._first)


class _Function(_ctypes.CFuncPtr):
    # PYTHONAPI keeps the interpreter's lock held: a clone must not let another thread in half way.
    _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_PYTHONAPI | _ctypes.FUNCFLAG_USE_ERRNO
    _restype_ = _Long


_LIBC = _ctypes.dlopen(None, 0)  # type: ignore[arg-type]  # None is this process itself


def _call(name: str, *arguments: int | bytes | None, about: str = "") -> int:
    function: Any = _Function(_ctypes.dlsym(_LIBC, name))
    words = (_Long(argument) if isinstance(argument, int) else argument for argument in arguments)
    result: int = function(*words)
    # libc returns int for most of these: the upper half of the long is then undefined.
    if result & 0xFFFFFFFF == 0xFFFFFFFF:
        number = _ctypes.get_errno()
        raise OSError(number, posix.strerror(number), about or None)
    return result


def _syscall(number: int, *arguments: int | bytes | None, about: str = "") -> int:
    return _call("syscall", number, *arguments, about=about)


def mount(source: str, target: str, fstype: str, flags: int, options: str = "") -> None:
    """mount(2)"""
    _call(
        "mount",
        source.encode(),
        target.encode(),
        fstype.encode() or None,
        flags,
        options.encode() or None,
        about=target,
    )


def umount2(target: str, flags: int) -> None:
    """umount2(2)"""
    _call("umount2", target.encode(), flags, about=target)


def pivot_root(new_root: str, put_old: str) -> None:
    """pivot_root(2)"""
    _call("pivot_root", new_root.encode(), put_old.encode(), about=new_root)


def unshare(flags: int) -> None:
    """unshare(2)"""
    _call("unshare", flags)


def setns(descriptor: int, kind: int) -> None:
    """setns(2)"""
    _call("setns", descriptor, kind)


def prctl(option: int, value: int = 0, more: int = 0) -> None:
    """prctl(2)"""
    _call("prctl", option, value, more, 0, 0)


def clone3(flags: int, cgroup: int = 0) -> int:
    """clone3(2) as fork does it, with namespaces, into the cgroup of a descriptor; 0 in the child."""
    # flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup
    fields = (flags, 0, 0, 0, _SIGCHLD, 0, 0, 0, 0, 0, cgroup)
    arguments = b"".join(field.to_bytes(8, "little") for field in fields)
    return _syscall(_CLONE3, arguments, len(arguments))


def openat2(directory: int, path: str, flags: int, resolve: int, mode: int = 0) -> int:
    """openat2(2)"""
    how = b"".join(field.to_bytes(8, "little") for field in (flags | posix.O_CLOEXEC, mode, resolve))
    return _syscall(_OPENAT2, directory, path.encode(), how, len(how), about=path)


def open_tree(directory: int, path: str, flags: int) -> int:
    """open_tree(2)"""
    return _syscall(_OPEN_TREE, directory, path.encode(), flags, about=path)


def move_mount(source: int, target: str) -> None:
    """move_mount(2): attach the detached mount behind a descriptor to a path."""
    _syscall(_MOVE_MOUNT, source, b"", _AT_FDCWD, target.encode(), MOVE_MOUNT_F_EMPTY_PATH, about=target)


def move_mount_onto(source: int, target: int) -> None:
    """move_mount(2): attach the detached mount behind a descriptor to what another one stands for."""
    both = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH
    _syscall(_MOVE_MOUNT, source, b"", target, b"", both)


def mount_setattr(mount_point: int, flags: int, attributes: int) -> None:
    """mount_setattr(2): set attributes of the mount behind a descriptor."""
    fields = b"".join(field.to_bytes(8, "little") for field in (attributes, 0, 0, 0))
    _syscall(_MOUNT_SETATTR, mount_point, b"", flags | AT_EMPTY_PATH, fields, len(fields))


def close_range(first: int, last: int, flags: int) -> None:
    """close_range(2)"""
    _syscall(_CLOSE_RANGE, first, last, flags)


def pidfd_open(pid: int) -> int:
    """pidfd_open(2)"""
    return _syscall(_PIDFD_OPEN, pid, 0)


def pidfd_send_signal(pidfd: int, number: int) -> None:
    """pidfd_send_signal(2)"""
    _syscall(_PIDFD_SEND_SIGNAL, pidfd, number, None, 0)


def capset(effective: int, permitted: int, inheritable: int) -> None:
    """capset(2) of the calling thread; each set is a bit mask."""
    header = _CAPABILITY_VERSION_3.to_bytes(4, "little") + bytes(4)
    halves = (part >> shift & 0xFFFFFFFF for shift in (0, 32) for part in (effective, permitted, inheritable))
    _call("capset", header, b"".join(half.to_bytes(4, "little") for half in halves))


def seccomp(flags: int, program: bytes) -> None:
    """seccomp(2): add a filter to those of the calling thread."""
    held = Memory(program)
    # struct sock_fprog; the length counts instructions
    fields = (len(program) // 8).to_bytes(8, "little") + held.address.to_bytes(8, "little")
    _syscall(_SECCOMP, _SECCOMP_SET_MODE_FILTER, flags, fields)


def bpf(command: int, attributes: bytes) -> int:
    """bpf(2)"""
    return _syscall(_BPF, command, attributes, len(attributes))


def prlimit(resource: int, limits: tuple[int, int] | None = None) -> tuple[int, int]:
    """prlimit(2) of this process: set (soft, hard), and return what they were."""
    before = bytearray(16)
    new = None if limits is None else b"".join(side.to_bytes(8, "little") for side in limits)
    _call("prlimit", 0, resource, new, _ctypes.addressof(_Byte.from_buffer(before)))
    return int.from_bytes(before[:8], "little"), int.from_bytes(before[8:], "little")


def sched_setattr(policy: int, flags: int, nice: int, priority: int, times: tuple[int, int, int]) -> None:
    """sched_setattr(2) of this process; the times are runtime, deadline and period."""
    sized = (
        (48, 4), (policy, 4), (flags, 8), (nice & 0xFFFFFFFF, 4), (priority, 4),
        *((time, 8) for time in times),
    )  # fmt: skip
    attributes = b"".join(field.to_bytes(size, "little") for field, size in sized)
    _syscall(_SCHED_SETATTR, 0, attributes, 0)


def ioprio_set(priority_class: int, priority: int) -> None:
    """ioprio_set(2) of this process."""
    _syscall(_IOPRIO_SET, 1, 0, priority_class << 13 | priority)


def personality(domain: int) -> None:
    """personality(2)"""
    _call("personality", domain)


def sethostname(name: str) -> None:
    """sethostname(2)"""
    _call("sethostname", name.encode(), len(name.encode()))


def setdomainname(name: str) -> None:
    """setdomainname(2)"""
    _call("setdomainname", name.encode(), len(name.encode()))
