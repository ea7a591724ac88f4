# SPDX-License-Identifier: Apache-2.0
"""Solo5 hvt: the tender that uses hardware virtualization."""

from __future__ import annotations

from urunc.monitors._solo5 import launch_tender

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.machine import LaunchPlan, Machine

BINARY = {"x86_64": "solo5-hvt", "aarch64": "solo5-hvt"}
PACKAGE = {"x86_64": "Solo5 (github.com/Solo5/solo5)", "aarch64": "Solo5 (github.com/Solo5/solo5)"}
TAKES_TAP_FD = False
LARGEST_MTU = 1500
EMULATES = False
OVERLAYS = False
MODELS = ()
MOST_VCPUS = 1
OFFERS: frozenset[str] = frozenset()
# Measured with 0.12, less what only its filter needs, which 0.9 does not have.
NEEDED = (
    "arch_prctl", "close", "epoll_create1", "epoll_ctl", "execve", "exit_group", "ioctl", "lseek",
    "mmap", "mprotect", "newfstatat", "openat", "personality", "pread64", "read", "rt_sigaction",
    "timerfd_create", "write",
)  # fmt: skip
# What 0.9 and 0.12 call on either architecture, the filter and the threads of the latter included.
ALLOWED = (
    "access", "arch_prctl", "bind", "brk", "clock_gettime", "clone", "close", "epoll_create1",
    "epoll_ctl", "epoll_pwait", "eventfd2", "execve", "exit", "exit_group", "faccessat", "fstat",
    "futex", "getpid", "getrandom", "getsockname", "ioctl", "lseek", "madvise", "memfd_create",
    "mmap", "mprotect", "munmap", "nanosleep", "newfstatat", "open", "openat", "personality",
    "prctl", "pread64", "prlimit64", "pwrite64", "read", "recvmsg", "rseq", "rt_sigaction",
    "rt_sigprocmask", "rt_sigreturn", "seccomp", "sendto", "set_robust_list", "set_tid_address",
    "socket", "stat", "tgkill", "timerfd_create", "timerfd_settime", "write", "writev",
)  # fmt: skip


def overhead_mib(_accel: str, *, tight: bool) -> int:  # noqa: ARG001  all of it is needed
    """Measured: under two, with a margin."""
    return 4


def launch(machine: Machine) -> LaunchPlan:
    return launch_tender(BINARY, machine, devices=("/dev/kvm",), stop_signal=15)
