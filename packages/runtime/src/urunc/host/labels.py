# SPDX-License-Identifier: Apache-2.0
"""AppArmor and SELinux: whether the host has them, and the label that the monitor gets with the exec."""

from __future__ import annotations

import posix

from urunc.errors import HostError, Unsupported
from urunc.host import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.bundle import Bundle

_APPARMOR = "/sys/module/apparmor/parameters/enabled"
_SELINUX = "/sys/fs/selinux/enforce"
# In /proc/PID: AppArmor's own, and the one of whichever module is the first.
_OWN_OF_APPARMOR, _FIRST = "attr/apparmor/exec", "attr/exec"
_UNCONFINED = "unconfined"


def require(bundle: Bundle) -> None:
    """Raise Unsupported for a label that nobody on this host would look at."""
    wanted = bundle.properties
    if wanted.apparmor not in ("", _UNCONFINED) and not has_apparmor():
        raise Unsupported(
            f"process.apparmorProfile is {wanted.apparmor}, but AppArmor is not enabled on this host",
            hint="run the container without a profile, or with unconfined",
        )
    labels = (("process.selinuxLabel", wanted.selinux), ("linux.mountLabel", bundle.isolation.mount_label))
    for key, label in labels:
        if label and not files.exists(_SELINUX):
            raise Unsupported(
                f"{key} is {label}, but SELinux is not enabled on this host",
                hint="run the container without a label",
            )


def has_apparmor() -> bool:
    """Whether the kernel's AppArmor is on."""
    return files.exists(_APPARMOR) and files.read(_APPARMOR).startswith(b"Y")


def open_process() -> int:
    """A way to our own attributes that is still there when /proc is not."""
    return posix.open("/proc/self", posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC)


def set_at_exec(process: int, apparmor: str, selinux: str) -> None:
    """The label of the program that this process executes next.  Raises HostError."""
    if selinux:
        _write(process, _FIRST, "process.selinuxLabel", selinux, selinux)
    if apparmor and (apparmor != _UNCONFINED or has_attribute(process)):
        name = _OWN_OF_APPARMOR if has_attribute(process) else _FIRST
        _write(process, name, "process.apparmorProfile", apparmor, f"exec {apparmor}")


def has_attribute(process: int) -> bool:
    """Whether AppArmor has a file of its own, as it has since Linux 5.8."""
    return posix.access(_OWN_OF_APPARMOR, posix.F_OK, dir_fd=process)


def _write(process: int, name: str, key: str, label: str, text: str) -> None:
    try:
        descriptor = posix.open(name, posix.O_WRONLY | posix.O_CLOEXEC, dir_fd=process)
        try:
            posix.write(descriptor, text.encode())
        finally:
            posix.close(descriptor)
    except OSError as error:
        raise HostError(f"set {key} {label}", error) from error
