# SPDX-License-Identifier: Apache-2.0
"""bpf(2): a program that decides which devices a cgroup may use."""

from __future__ import annotations

import posix

from urunc.host import syscalls

# linux/bpf.h
_PROG_LOAD, _PROG_ATTACH = 5, 8
_PROG_TYPE_CGROUP_DEVICE, _CGROUP_DEVICE, _F_ALLOW_MULTI = 15, 6, 2
_LICENSE = b"Apache-2.0\0"


def attach_device_filter(cgroup: str, program: bytes) -> None:
    """Load a program and attach it; it goes with the cgroup.  Raises OSError."""
    loaded = _load(program)
    try:
        target = posix.open(cgroup, posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC)
        try:
            # Beside programs of others, systemd's for one: all of them have to allow a device.
            fields = (target, loaded, _CGROUP_DEVICE, _F_ALLOW_MULTI)
            syscalls.bpf(_PROG_ATTACH, b"".join(field.to_bytes(4, "little") for field in fields))
        finally:
            posix.close(target)
    finally:
        posix.close(loaded)


def _load(program: bytes) -> int:
    code, licence = syscalls.Memory(program), syscalls.Memory(_LICENSE)
    kind = _PROG_TYPE_CGROUP_DEVICE.to_bytes(4, "little")
    count = (len(program) // 8).to_bytes(4, "little")
    addresses = b"".join(held.address.to_bytes(8, "little") for held in (code, licence))
    # No log of the verifier, any kernel version.
    return syscalls.bpf(_PROG_LOAD, kind + count + addresses + bytes(24))
