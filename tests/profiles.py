# SPDX-License-Identifier: Apache-2.0
"""Seccomp profiles in the shapes that docker's and podman's default ones have, short of most names."""

from __future__ import annotations

ALLOWED = (
    "access", "bind", "brk", "clock_gettime", "clock_nanosleep", "close", "epoll_create1", "epoll_ctl",
    "epoll_pwait", "eventfd2", "execve", "exit", "exit_group", "fchdir", "fcntl", "fdatasync", "futex",
    "getdents64", "getgroups", "getpid", "getrandom", "getsockname", "gettid", "ioctl", "lseek",
    "madvise", "memfd_create", "mmap", "mprotect", "munmap", "newfstatat", "openat", "ppoll", "prctl",
    "pread64", "preadv", "prlimit64", "pwrite64", "pwritev", "read", "readlink", "readv", "recvmsg",
    "rseq", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sched_getaffinity", "seccomp", "sendto",
    "set_robust_list", "set_tid_address", "signalfd4", "socket", "statfs", "sysinfo", "tgkill",
    "timerfd_create", "timerfd_settime", "wait4", "write", "writev", "no_such_call",
)  # fmt: skip


def _personality(value: int) -> dict[str, object]:
    condition = {"index": 0, "value": value, "op": "SCMP_CMP_EQ"}
    return {"names": ["personality"], "action": "SCMP_ACT_ALLOW", "args": [condition]}


_ARCHITECTURES = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]
_NO_NAMESPACES = {"index": 0, "value": 0x7E020000, "op": "SCMP_CMP_MASKED_EQ"}

DOCKER: dict[str, object] = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "architectures": _ARCHITECTURES,
    "syscalls": [
        {"names": list(ALLOWED), "action": "SCMP_ACT_ALLOW"},
        *(_personality(value) for value in (0, 8, 0x20000, 0x20008, 0xFFFFFFFF)),
        {"names": ["arch_prctl"], "action": "SCMP_ACT_ALLOW"},
        {"names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [_NO_NAMESPACES]},
        {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
    ],
}
PODMAN: dict[str, object] = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "defaultErrnoRet": 38,
    "architectures": _ARCHITECTURES,
    "syscalls": [
        {"names": ["nice", "swapon", "vm86"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1},
        {"names": [*ALLOWED, "clone", "clone3"], "action": "SCMP_ACT_ALLOW"},
        *(_personality(value) for value in (0, 0xFFFFFFFF)),
        {"names": ["arch_prctl"], "action": "SCMP_ACT_ALLOW", "args": []},
        {"names": ["bpf", "setns"], "action": "SCMP_ACT_ERRNO", "args": [], "errnoRet": 1},
    ],
}
EVERYTHING: dict[str, object] = {"defaultAction": "SCMP_ACT_ALLOW"}
