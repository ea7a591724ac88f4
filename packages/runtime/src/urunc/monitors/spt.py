# SPDX-License-Identifier: Apache-2.0
"""Solo5 spt: the tender that is a sandboxed process, without KVM."""

from __future__ import annotations

from urunc.monitors._solo5 import launch_tender

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.machine import LaunchPlan, Machine

BINARY = {"x86_64": "solo5-spt", "aarch64": "solo5-spt"}
PACKAGE = {"x86_64": "Solo5 (github.com/Solo5/solo5)", "aarch64": "Solo5 (github.com/Solo5/solo5)"}
TAKES_TAP_FD = False
LARGEST_MTU = 1500
EMULATES = False
OVERLAYS = False
MODELS = ()
MOST_VCPUS = 1
OFFERS: frozenset[str] = frozenset()
# Measured with 0.12.
NEEDED = (
    "arch_prctl", "close", "epoll_create1", "epoll_ctl", "execve", "exit_group", "lseek",
    "memfd_create", "mmap", "mprotect", "newfstatat", "openat", "personality", "prctl", "pread64",
    "read", "seccomp", "timerfd_create", "write",
)  # fmt: skip
# It shuts itself in.
ALLOWED = ()


def overhead_mib(_accel: str, *, tight: bool) -> int:  # noqa: ARG001  all of it is needed
    """Measured: under two, with a margin."""
    return 4


def launch(machine: Machine) -> LaunchPlan:
    return launch_tender(BINARY, machine, devices=(), stop_signal=9)
