# SPDX-License-Identifier: Apache-2.0
"""Whether KVM is worth using on this host: measured once after each boot, and remembered below /run."""

from __future__ import annotations

import posix

_BOOT_ID = "/proc/sys/kernel/random/boot_id"


def kvm_is_usable(directory: str) -> bool:
    """The answer of this boot, kept in `directory`; where nothing can be kept, it is measured each time."""
    with open(_BOOT_ID, encoding="utf-8") as file:
        boot = file.read().strip()
    path = f"{directory}/kvm"
    known = _read(path).split()
    if len(known) == 2 and known[0] == boot:
        return known[1] == "usable"
    from urunc.host import kvm

    usable = kvm.measure()
    _write(path, f"{boot} {'usable' if usable else 'emulated'}\n")
    return usable


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read(100)
    except (OSError, UnicodeError):
        return ""


def _write(path: str, text: str) -> None:
    temporary = f"{path}.{posix.getpid()}"
    flags = posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_CLOEXEC
    try:
        descriptor = posix.open(temporary, flags, 0o600)
        posix.write(descriptor, text.encode())
        posix.close(descriptor)
        posix.rename(temporary, path)
    except OSError:
        return  # only a memory: the next command measures again
