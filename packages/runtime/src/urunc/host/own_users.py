# SPDX-License-Identifier: Apache-2.0
"""User namespaces of ordinary users: what ids they have, and the programs that map more than their own."""

from __future__ import annotations

import posix

from urunc import rootless
from urunc.errors import HostError, Unsupported
from urunc.host import files, process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.bundle import Bundle, IdMap, Isolation

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PROGRAMS = ("newuidmap", "newgidmap")


def adapt(bundle: Bundle) -> Bundle:
    """With a user namespace, which is what an ordinary user can have others in.  Raises Unsupported."""
    wanted = bundle.namespace("user")
    if wanted and wanted.path:
        raise Unsupported(
            f"an ordinary user's container cannot join the user namespace {wanted.path}",
            hint="leave out its path, or run it as root",
        )
    return rootless.adapt(bundle, (posix.geteuid(), posix.getegid()), _handed())


def write_maps(pid: int, isolation: Isolation) -> None:
    """Say who is who in the user namespace of a process.  Raises HostError, Unsupported."""
    if rootless.is_single(isolation.gids, posix.getegid()):
        # Whoever could drop a group could reach what is closed to that group.
        files.write(f"/proc/{pid}/setgroups", b"deny")
    for name, program, own, maps in (
        ("uid_map", "newuidmap", posix.geteuid(), isolation.uids),
        ("gid_map", "newgidmap", posix.getegid(), isolation.gids),
    ):
        if rootless.is_single(maps, own):
            files.write(f"/proc/{pid}/{name}", f"{maps[0].container} {own} 1".encode())
        else:
            _have_written(program, pid, maps)


def _have_written(program: str, pid: int, maps: tuple[IdMap, ...]) -> None:
    words = [str(number) for one in maps for number in (one.container, one.host, one.size)]
    try:
        process.run((program, str(pid), *words), _PATH)
    except FileNotFoundError as error:
        raise Unsupported(
            f"linux.{program[3]}idMappings has more than this user: {program} is not installed",
            hint="install uidmap, or map nobody but the user",
        ) from error
    except OSError as error:
        raise HostError(f"set linux.{program[3]}idMappings", error) from error


def _handed() -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Ranges of users and groups, where both are there and can be mapped."""
    if not all(process.search(program, _PATH) for program in _PROGRAMS):
        return None
    names = _names(posix.geteuid())
    uids, gids = (rootless.handed(_text(f"/etc/{name}"), names) for name in ("subuid", "subgid"))
    return (uids, gids) if uids and gids else None


def _names(uid: int) -> tuple[str, ...]:
    fields = (line.split(":") for line in _text("/etc/passwd").splitlines())
    return (str(uid), *(entry[0] for entry in fields if len(entry) > 2 and entry[2] == str(uid)))


def _text(path: str) -> str:
    try:
        return files.read(path).decode(errors="replace")
    except OSError:
        return ""
