# SPDX-License-Identifier: Apache-2.0
"""What is known of a container between two commands: one directory, one file, one lock.

The file holds facts; the status that engines see is derived from them and from the process itself, so it
is true even when a command was killed half way.  OCI runtime specification 1.2, `runtime.md`, State.
"""

from __future__ import annotations

import errno
import fcntl
import posix
import sys

from urunc import jsontext
from urunc.errors import AlreadyExists, HostError, NotFound, StateError, UsageError
from urunc.host import files, freezer, proc
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

FILE = "container.json"
CREATING, CREATED, RUNNING, PAUSED, STOPPED = "creating", "created", "running", "paused", "stopped"
_LONGEST_ID = 1024
_ID_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.")


class State(Record):
    """The facts about one container.  `status` is what was last recorded, not what is true."""

    id: str
    bundle: str
    version: str
    status: str = CREATING
    pid: int = 0
    start_time: int = 0
    created: str = ""
    annotations: Mapping[str, str] = {}
    cgroups: tuple[str, ...] = ()
    made_cgroups: tuple[str, ...] = ()
    freezer: str = ""
    """The file that pauses it, or "" where there is none."""
    unit: str = ""
    """The scope of systemd that has the cgroups, or ""."""
    memory_mib: int = 0
    """What the guest and its monitor take at most."""
    stop_signal: int = 15
    takes_signals: bool = False
    takes_commands: bool = False
    power_button: bool = False
    guest: str = ""
    monitor: str = ""
    detached: tuple[str, ...] = ()
    """What `host.detach` mounts again."""
    network_path: str = ""
    hooks: Mapping[str, Any] = {}

    @property
    def takes_programs(self) -> bool:
        """Whether one more can be started in the guest."""
        return self.takes_signals and self.takes_commands


def check_id(container_id: str) -> str:
    """The id itself, or UsageError unless it is safe as a file name."""
    legal = container_id and len(container_id) <= _LONGEST_ID and _ID_CHARACTERS.issuperset(container_id)
    if not legal or container_id in (".", ".."):
        raise UsageError(f"invalid container id {container_id!r}", hint="use letters, digits and _ + - .")
    return container_id


def directory(root: str, container_id: str) -> str:
    """Where the container's state lives."""
    return f"{root}/{check_id(container_id)}"


def make(root: str, state: State) -> int:
    """Make the state directory, locked and complete from the first moment it can be seen; returns the lock.

    Raises AlreadyExists.
    """
    final = directory(root, state.id)
    temporary = f"{root}/.{state.id}.{posix.getpid()}"
    try:
        files.make_directories(root, 0o711)
        posix.mkdir(temporary, 0o700)
    except OSError as error:
        raise HostError(f"make the state directory {temporary}", error) from error
    try:
        held = lock_directory(temporary)
        save(temporary, state)
        posix.rename(temporary, final)
    except OSError as error:
        remove(temporary)
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
            raise AlreadyExists(state.id) from error
        raise HostError(f"make the state directory {final}", error) from error
    except BaseException:
        remove(temporary)
        raise
    return held


def save(path: str, state: State) -> None:
    """Replace the state file of a directory; a failure leaves the old one.  Raises HostError."""
    content = jsontext.render({name: getattr(state, name) for name in State._fields}).encode()
    try:
        files.replace(f"{path}/{FILE}", content)
    except OSError as error:
        raise HostError(f"save the state of container {state.id} in {path}", error) from error


def load(root: str, container_id: str) -> State:
    """The recorded facts.  Raises NotFound, or StateError when they cannot be read."""
    path = directory(root, container_id)
    try:
        with open(f"{path}/{FILE}", encoding="utf-8") as file:
            values: Any = jsontext.parse(file.read())
        lists = {name: tuple(values[name]) for name in ("cgroups", "made_cgroups", "detached")}
        return State(**{**values, **lists})
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(container_id) from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise StateError(
            f"the state of container {container_id} in {path} cannot be read: {error}",
            hint=f"urunc delete --force {container_id} removes it",
        ) from error


def status(state: State) -> str:
    """What is true now, whatever was recorded."""
    current = progress(state)
    return PAUSED if current in (CREATED, RUNNING) and freezer.is_frozen(state.freezer) else current


def progress(state: State) -> str:
    """The same, whether it is paused or not."""
    if state.status == CREATING and not state.pid:
        return CREATING
    if not proc.is_alive(state.pid, state.start_time):
        return STOPPED
    if state.status == CREATED and proc.executable(state.pid) not in (_own_executable(), ""):
        return RUNNING  # `start` was killed after the exec and could not record it
    return state.status


def document(state: State, current: str) -> dict[str, object]:
    """The state document of the specification, as `state` prints it and hooks read it."""
    return {
        "ociVersion": state.version,
        "id": state.id,
        "status": current,
        "pid": 0 if current == STOPPED else state.pid,
        "bundle": state.bundle,
        "annotations": state.annotations,
    }


def lock(root: str, container_id: str) -> int:
    """Hold the container's lock as long as the returned descriptor is open.  Raises NotFound."""
    path = directory(root, container_id)
    while True:
        try:
            descriptor = lock_directory(path)
        except (FileNotFoundError, NotADirectoryError):
            raise NotFound(container_id) from None
        if _is_same(descriptor, path):
            return descriptor
        posix.close(descriptor)  # it was deleted, and perhaps made again, while we waited


def lock_directory(path: str) -> int:
    """flock(2) a directory; it is held as long as the returned descriptor is open."""
    descriptor = posix.open(path, posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def remove(path: str) -> None:
    """Remove a state directory with what is in it; nothing there is fine.

    For everybody else it is gone at once, not piece by piece.
    """
    root, _, name = path.rpartition("/")
    hidden = path if name.startswith(".") else f"{root}/.{name}.{posix.getpid()}"
    try:
        posix.rename(path, hidden)
    except FileNotFoundError:
        return
    except OSError as error:
        raise HostError(f"remove the state directory {path}", error) from error
    _remove_hidden(hidden)


def remove_halves(root: str, container_id: str) -> None:
    """Remove what is left where making or removing the container's state directory was killed half way."""
    prefix = f".{container_id}."
    try:
        names = posix.listdir(root)
    except FileNotFoundError:
        return
    for name in names:
        pid = name.removeprefix(prefix)
        if name.startswith(prefix) and pid.isdecimal() and not files.exists(f"/proc/{pid}"):
            _remove_hidden(f"{root}/{name}")


def _remove_hidden(path: str) -> None:
    try:
        for entry in posix.scandir(path):
            if entry.is_dir(follow_symlinks=False):
                posix.rmdir(entry.path)
            else:
                files.unlink(entry.path)
        posix.rmdir(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise HostError(f"remove the state directory {path}", error) from error


def _own_executable() -> str:
    return proc.executable(posix.getpid()) or sys.executable


def _is_same(descriptor: int, path: str) -> bool:
    try:
        there = posix.stat(path)
    except FileNotFoundError:
        return False
    here = posix.fstat(descriptor)
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)
