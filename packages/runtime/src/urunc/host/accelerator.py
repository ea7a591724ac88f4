# SPDX-License-Identifier: Apache-2.0
"""Whether KVM is worth using on this host: measured once after each boot, and remembered below /run."""

from __future__ import annotations

from urunc.host import files

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
    _remember(path, f"{boot} {'usable' if usable else 'emulated'}\n")
    return usable


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read(100)
    except (OSError, UnicodeError):
        return ""


def _remember(path: str, text: str) -> None:
    try:
        files.replace(path, text.encode())
    except OSError:
        return  # the next command measures again
