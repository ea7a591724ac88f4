# SPDX-License-Identifier: Apache-2.0
"""Capabilities by name.  Pure.  capabilities(7); the numbers are those of linux/capability.h."""

from __future__ import annotations

from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from urunc.bundle import Capabilities

_NAMES = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
    "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
    "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
    "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
    "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
    "CHECKPOINT_RESTORE",
)  # fmt: skip
NAMES = tuple(f"CAP_{name}" for name in _NAMES)
_BITS = {name: 1 << number for number, name in enumerate(NAMES)}

# What it takes to serve files on behalf of the users of a guest.
FILE_SERVER = (
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_MKNOD", "CAP_SETGID", "CAP_SETUID",
    "CAP_SETFCAP", "CAP_SYS_CHROOT",
)  # fmt: skip


class Sets(Record):
    """The five sets of a process, as masks."""

    bounding: int = 0
    permitted: int = 0
    effective: int = 0
    inheritable: int = 0
    ambient: int = 0


def cut(asked: Capabilities, needed: Iterable[str]) -> Sets:
    """What the container may have, as far as its monitor needs it."""
    need = mask(needed)
    bounding, permitted, effective, inheritable, ambient = (
        mask(getattr(asked, name)) & need for name in asked._fields
    )
    inheritable &= bounding
    return Sets(bounding, permitted, effective & permitted, inheritable, ambient & permitted & inheritable)


def unknown(asked: Capabilities) -> Iterator[str]:
    """The names that the kernel does not have."""
    names = (name for field in asked._fields for name in getattr(asked, field))
    return (name for name in dict.fromkeys(names) if name not in _BITS)


def mask(names: Iterable[str]) -> int:
    """The set as the kernel takes it; names that are unknown stand for nothing, as with other runtimes."""
    bits = 0
    for name in names:
        bits |= _BITS.get(name, 0)
    return bits
