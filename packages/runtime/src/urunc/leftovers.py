# SPDX-License-Identifier: Apache-2.0
"""What a crash has left: containers that no command speaks of again, and traces of those that are gone.

Nothing here asks whose a trace is: it is one if what it serves is not there.  So the containers of other
state roots are safe.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from urunc import state, subnet
from urunc.commands import delete
from urunc.errors import StateError
from urunc.host import cache, cgroups, disconnection, interface, nftables
from urunc.host.netlink import NETFILTER, ROUTE
from urunc.host.netns import open_in
from urunc.host.network import is_tap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from urunc.cli import Context
    from urunc.host.netlink import Socket
    from urunc.host.nftables import Table
    from urunc.interfaces import Link

NAMESPACES = Path("/run/netns")
# A cgroup is empty for a moment before its first process comes.
_NEW_S = 10


class Leftover(NamedTuple):
    """One of them, in words, and how it is removed."""

    what: str
    remove: Callable[[], object]


class Traces(NamedTuple):
    """What of ours is in a network namespace, or what of that serves nobody."""

    taps: Sequence[Link] = ()
    redirected: Sequence[Link] = ()
    tables: Sequence[Table] = ()


def find(context: Context, namespaces: Path = NAMESPACES) -> Iterator[Leftover]:
    """All that there are, of the containers below this state root and of the host's networks and cgroups."""
    yield from _states(context)
    for namespace in _children(namespaces):
        yield from _in_namespace(str(namespace))
    yield from _cgroups(context)
    yield from _packed_roots()


def unused(found: Traces) -> Traces:
    """Pure: a tap that no monitor has open, and what leads to no tap that one has."""
    served = {link.name for link in found.taps if link.carrier}
    return Traces(
        [link for link in found.taps if link.name not in served],
        [] if any(map(is_tap, served)) else found.redirected,
        [table for table in found.tables if table.name not in served],
    )


def _states(context: Context) -> Iterator[Leftover]:
    for directory in filter(Path.is_dir, _children(Path(context.root))):
        if directory.name.startswith("."):
            if not Path("/proc", directory.name.rpartition(".")[2]).exists():
                yield Leftover(f"half a state directory, {directory}", partial(state.remove, str(directory)))
        elif _is_stale(context.root, directory):
            what = f"container {directory.name} in {context.root}, which has no process"
            yield Leftover(what, partial(delete.run, context, delete.Options(directory.name, force=True)))


def _is_stale(root: str, directory: Path) -> bool:
    """Ours, no command is at work on it, and it has no process."""
    if not (directory / state.FILE).exists() or not _is_idle(directory):
        return False
    try:
        found = state.load(root, directory.name)
    except StateError:
        return True
    return not found.pid or state.status(found) == state.STOPPED


def _is_idle(directory: Path) -> bool:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def _in_namespace(namespace: str) -> Iterator[Leftover]:
    found = unused(_look(namespace))
    for table in found.tables:
        yield Leftover(
            f"the table {table.name} of nftables in {namespace}, whose tap nobody uses",
            partial(_act, namespace, NETFILTER, disconnection.remove_tables, [table]),
        )
    for link in found.taps:
        yield Leftover(
            f"the tap {link.name} in {namespace}, which nobody uses",
            partial(_act, namespace, ROUTE, disconnection.remove_taps, [link]),
        )
    for link in found.redirected:
        yield Leftover(
            f"the redirection of {link.name} in {namespace}, to a tap that is gone",
            partial(_act, namespace, ROUTE, disconnection.stop_redirecting, [link]),
        )


def _look(namespace: str) -> Traces:
    taps, redirected, tables = [], [], []
    if socket := open_in(namespace):
        with socket:
            links = interface.links(socket)
            taps = [link for link in links if _is_ours(link.name)]
            others = [link for link in links if not _is_ours(link.name)]
            redirected = [link for link in others if disconnection.is_redirected(socket, link)]
    if socket := open_in(namespace, NETFILTER):
        with socket:
            tables = [table for table in nftables.tables(socket) if _is_ours(table.name)]
    return Traces(taps, redirected, tables)


def _act(
    namespace: str, protocol: int, action: Callable[[Socket, Any], object], on: Sequence[object]
) -> None:
    if socket := open_in(namespace, protocol):
        with socket:
            action(socket, on)


def _is_ours(name: str) -> bool:
    return subnet.is_tap(name) or is_tap(name)


def _cgroups(context: Context) -> Iterator[Leftover]:
    """Below the parent of those containers for which the engine names none."""
    known = {path.name for path in _children(Path(context.root))}
    for hierarchy in cgroups.find():
        for directory in _children(Path(hierarchy.mount_point) / "urunc"):
            if directory.is_dir() and directory.name not in known and _is_empty(directory):
                yield Leftover(f"the empty cgroup {directory}", partial(cgroups.remove, [str(directory)]))


def _packed_roots() -> Iterator[Leftover]:
    for entry in cache.entries():
        if entry.reason:
            what = f"the packed root {entry.path} of {entry.size >> 20} MiB, {entry.reason}"
            yield Leftover(what, partial(cache.remove, entry.path))


def _is_empty(directory: Path) -> bool:
    with suppress(FileNotFoundError):
        is_new = time.time() - directory.stat().st_mtime < _NEW_S
        return not is_new and not cgroups.members(str(directory))
    return False


def _children(directory: Path) -> list[Path]:
    try:
        return sorted(directory.iterdir())
    except FileNotFoundError:
        return []
