# SPDX-License-Identifier: Apache-2.0
"""Control groups: making them, moving into them, emptying and removing them."""

from __future__ import annotations

import posix
import time

from urunc.errors import HostError
from urunc.hierarchy import Hierarchy, parse_mounts
from urunc.host import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SIGKILL = 9
_ATTEMPTS = 200
_PAUSE_S = 0.005


def find() -> tuple[Hierarchy, ...]:
    """The hierarchies of this mount namespace."""
    return tuple(
        one.replace(controllers=tuple(read(f"{one.mount_point}/cgroup.controllers").split()))
        if one.unified
        else one
        for one in parse_mounts(read("/proc/self/mountinfo"))
    )


def delegated(
    hierarchies: Iterable[Hierarchy], directories: Iterable[str]
) -> tuple[tuple[Hierarchy, ...], tuple[str, ...]]:
    """Those in which an ordinary user may make this cgroup."""
    both = zip(hierarchies, directories, strict=True)
    found = [(one, directory) for one, directory in both if posix.access(_nearest(directory), posix.W_OK)]
    return tuple(one for one, _ in found), tuple(directory for _, directory in found)


def _nearest(cgroup: str) -> str:
    """What there is of a cgroup."""
    missing = _missing(cgroup)
    return missing[0].rpartition("/")[0] if missing else cgroup


def make(cgroup: str) -> tuple[str, ...]:
    """Make a cgroup's directory; returns what was made, outermost first.  Raises HostError."""
    made: list[str] = []
    try:
        for directory in _missing(cgroup):
            if _make_one(directory):
                made.append(directory)
            _inherit_cpuset(directory)
    except OSError as error:
        remove(made)
        raise HostError(f"make the cgroup {cgroup}", error) from error
    return tuple(made)


def enter(cgroup: str, pid: int) -> None:
    """Move a process.  Raises HostError."""
    try:
        write(f"{cgroup}/cgroup.procs", str(pid))
    except OSError as error:
        raise HostError(f"move process {pid} into the cgroup {cgroup}", error) from error


def members(cgroup: str) -> tuple[int, ...]:
    """The pids in a cgroup and those below it; a cgroup that is gone has none."""
    found: set[int] = set()
    for directory in _tree(cgroup):
        try:
            found.update(map(int, read(f"{directory}/cgroup.procs").split()))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return tuple(sorted(found))


def signal(cgroups: Iterable[str], number: int) -> bool:
    """Send a signal to every member; whether there was one."""
    pids = {pid for cgroup in cgroups for pid in members(cgroup)}
    for pid in pids:
        try:
            posix.kill(pid, number)
        except ProcessLookupError:
            continue
    return bool(pids)


def kill(cgroups: Iterable[str]) -> None:
    """Kill every member, and wait until there is none.  Raises HostError."""
    cgroups = tuple(cgroups)
    for _ in range(_ATTEMPTS):
        if not signal(cgroups, _SIGKILL):
            return
        time.sleep(_PAUSE_S)
    raise HostError(f"kill all processes in {', '.join(cgroups)}", TimeoutError(110, "they do not end"))


def remove(made: Iterable[str]) -> None:
    """Remove directories that `make` made, innermost first; one that others use by now stays."""
    for directory in sorted(made, key=len, reverse=True):
        for child in reversed(tuple(_tree(directory))):
            _remove_one(child)


def _missing(cgroup: str) -> list[str]:
    missing: list[str] = []
    # Whoever made it may have been killed, or not be so far, before it could be entered.
    while not files.exists(cgroup) or _is_unset(cgroup):
        missing.insert(0, cgroup)
        cgroup = cgroup.rpartition("/")[0]
    return missing


def _make_one(directory: str) -> bool:
    try:
        posix.mkdir(directory, 0o755)
    except FileExistsError:
        return False  # another container has just made it, and owns it
    return True


def _is_unset(directory: str) -> bool:
    cpus = f"{directory}/cpuset.cpus"
    return files.exists(cpus) and not files.exists(f"{directory}/cgroup.type") and not read(cpus).strip()


def _inherit_cpuset(directory: str) -> None:
    # In version 1 nothing can enter a new cpuset before it has cpus and memory nodes.
    for name in ("cpuset.cpus", "cpuset.mems"):
        if files.exists(f"{directory}/{name}") and not files.exists(f"{directory}/cgroup.type"):
            parent = directory.rpartition("/")[0]
            write(f"{directory}/{name}", read(f"{parent}/{name}").strip())


def _tree(cgroup: str) -> Iterator[str]:
    """A cgroup and those below it, outermost first."""
    yield cgroup
    try:
        entries = list(posix.scandir(cgroup))
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _tree(entry.path)


def _remove_one(directory: str) -> None:
    # A cgroup stays busy for a moment after its last process was reaped.
    for _ in range(_ATTEMPTS):
        try:
            posix.rmdir(directory)
        except FileNotFoundError:
            return
        except OSError:
            if members(directory) or any(child != directory for child in _tree(directory)):
                return
            time.sleep(_PAUSE_S)
        else:
            return


def read(path: str) -> str:
    """A whole file of a cgroup.  Raises OSError."""
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(path: str, text: str) -> None:
    """One line for the kernel.  Raises OSError."""
    descriptor = posix.open(path, posix.O_WRONLY | posix.O_CLOEXEC)
    try:
        posix.write(descriptor, text.encode())
    finally:
        posix.close(descriptor)
