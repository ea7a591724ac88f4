# SPDX-License-Identifier: Apache-2.0
"""How each bind mount of the engine reaches the guest.  Pure.

A root that is shared has them all in it.  A guest with our own first process gets directories as a share of
their own, live, and single files as copies; where there is no share, directories as copies, too.
"""

from __future__ import annotations

from urunc.machine import COPY, NINEP, VIRTIOFS, VOLUMES, WITHIN, Share, Volume
from urunc_common import guest as first_process
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from urunc.bundle import Bind
    from urunc.guests import GuestModule
    from urunc.machine import Root
    from urunc.monitors import MonitorModule

# The annotation of a container that says how its directories are to reach the guest.
KEY = "run.urunc.volumes"
KINDS = (VIRTIOFS, NINEP, COPY)
TAG = "volumes"
# What a guest has of its own.
_OWN = ("/dev", "/proc", "/sys")


class Decision(Record):
    """What becomes of one bind mount; `notice` is what its user should know."""

    bind: Bind
    volume: Volume | None
    notice: str = ""


def decide(
    binds: Iterable[tuple[Bind, bool]],
    root: Root,
    guest: GuestModule,
    monitor: MonitorModule,
    *,
    virtiofsd: bool,
    wanted: str = "",
) -> tuple[Decision, ...]:
    """For each bind, with whether it is a directory; `wanted` is one of KINDS or empty."""
    kind = wanted or _share_kind(guest, monitor, virtiofsd=virtiofsd)
    return tuple(
        _decide(bind, index, root, guest, kind if is_directory else COPY)
        for index, (bind, is_directory) in enumerate(binds)
    )


def shares(root: Root, decisions: Iterable[Decision]) -> tuple[Share, ...]:
    """What the guest is to see of the host: its root, and all volumes together."""
    found = [root] if isinstance(root, Share) else []
    kinds = [one.volume.kind for one in decisions if one.volume and one.volume.kind in (VIRTIOFS, NINEP)]
    if kinds:
        found.append(Share(TAG, VOLUMES, kinds[0]))
    return tuple(found)


def _share_kind(guest: GuestModule, monitor: MonitorModule, *, virtiofsd: bool) -> str:
    if VIRTIOFS in guest.CONTAINER.shares and VIRTIOFS in monitor.OFFERS and virtiofsd:
        return VIRTIOFS
    return NINEP if NINEP in guest.CONTAINER.shares and NINEP in monitor.OFFERS else COPY


def _decide(bind: Bind, index: int, root: Root, guest: GuestModule, kind: str) -> Decision:
    target = bind.destination
    if any(target == own or target.startswith(f"{own}/") for own in _OWN):
        return Decision(bind, None, f"the mount at {target} is left out: a guest has a {target} of its own")
    if isinstance(root, Share):
        return Decision(bind, Volume(WITHIN, "", target, bind.readonly))
    if not guest.BOOTS_FROM_INITRD:
        return Decision(
            bind, None, f"the mount of {bind.source} at {target} does not reach this kind of guest"
        )
    if kind == COPY:
        path = f"{first_process.VOLUMES}/{index}"
        notice = f"the guest gets a copy of {bind.source} at {target}, as it is now"
        return Decision(bind, Volume(COPY, path, target, bind.readonly), notice)
    return Decision(bind, Volume(kind, f"{TAG}/{index}", target, bind.readonly))
