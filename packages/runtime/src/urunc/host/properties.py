# SPDX-License-Identifier: Apache-2.0
"""What the kernel keeps of the monitor's process besides its user: limits, priorities, names, sysctls.

Loaded only where something of it is asked for.
"""

from __future__ import annotations

from urunc import isolation, rlimits
from urunc.bundle.process import RLIMITS
from urunc.errors import HostError
from urunc.host import files, syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from urunc.bundle import Properties, Scheduler
    from urunc.log import Log

_DOMAINS = {"LINUX": 0, "LINUX32": 8}


def set_oom_score(score: int) -> None:
    """For this process and its children.  Raises HostError."""
    try:
        files.write("/proc/self/oom_score_adj", str(score).encode())
    except OSError as error:
        raise HostError(f"set process.oomScoreAdj to {score}", error) from error


def set_names(hostname: str, domainname: str) -> None:
    """Of this UTS namespace.  Raises HostError."""
    for what, name, call in (
        ("hostname", hostname, syscalls.sethostname),
        ("domainname", domainname, syscalls.setdomainname),
    ):
        if name:
            try:
                call(name)
            except OSError as error:
                raise HostError(f"set the {what} {name}", error) from error


def set_sysctls(sysctls: Iterable[tuple[str, str]]) -> None:
    """Of the namespaces of this process.  Raises HostError."""
    for key, value in sysctls:
        try:
            files.write(f"/proc/sys/{isolation.sysctl_path(key)}", value.encode())
        except OSError as error:
            raise HostError(f"set linux.sysctl {key} to {value!r}", error) from error


def set_priorities(properties: Properties, domain: str) -> None:
    """Scheduler, class of input and output, personality.  Raises HostError."""
    if properties.scheduler:
        _set_scheduler(properties.scheduler)
    if properties.io_priority:
        try:
            syscalls.ioprio_set(*properties.io_priority)
        except OSError as error:
            raise HostError("set process.ioPriority", error) from error
    if domain:
        syscalls.personality(_DOMAINS[domain])


def set_limits(asked: Iterable[tuple[str, int, int]], log: Log) -> None:
    """Those that hold for a monitor; where the host does not let us raise one, it stays as it is."""
    for name, soft, hard in rlimits.of_monitor(asked):
        number = RLIMITS.index(name)
        try:
            syscalls.prlimit(number, (soft, hard))
        except PermissionError:
            _, most = syscalls.prlimit(number)
            syscalls.prlimit(number, (min(soft, most), min(hard, most)))
            log.info(f"{name} of the monitor is {most}, not {hard}: only CAP_SYS_RESOURCE could raise it")


def _set_scheduler(wanted: Scheduler) -> None:
    times = (wanted.runtime, wanted.deadline, wanted.period)
    try:
        syscalls.sched_setattr(wanted.policy, wanted.flags, wanted.nice, wanted.priority, times)
    except OSError as error:
        raise HostError("set process.scheduler", error) from error
