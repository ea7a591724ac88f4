# SPDX-License-Identifier: Apache-2.0
"""How each bind mount of the engine reaches the guest.  Pure.

A root that is shared has them all in it.  A guest with our own first process gets directories as a share of
their own, live, and single files as copies; where there is no share, directories as copies, too.  Another
guest gets copies in its root, where that is a file which can take them.
"""

from __future__ import annotations

from urunc import guests, monitors
from urunc.errors import Unsupported
from urunc.machine import (
    COMPRESSED,
    COPY,
    EXT,
    NEWC,
    NINEP,
    PLACED,
    VIRTIOFS,
    VOLUMES,
    WITHIN,
    Share,
    Volume,
)
from urunc_common import guest as first_process
from urunc_common.record import Record
from urunc_common.rules import a_unikernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from urunc.bundle import Bind
    from urunc.guests import GuestModule
    from urunc.machine import Root
    from urunc.monitors import MonitorModule
    from urunc_common.config import UnikernelConfig

# The annotation of a container that says how its directories are to reach the guest.
KEY = "run.urunc.volumes"
KINDS = (VIRTIOFS, NINEP, COPY)
TAG = "volumes"
# What a guest has of its own.
_OWN = ("/dev", "/proc", "/sys")
# What engines mount into every container, whether it has a use for them or not.
_ENGINES = (
    "/etc/resolv.conf", "/etc/hosts", "/etc/hostname", "/run/.containerenv", "/run/secrets",
    "/sbin/docker-init", "/var/run/secrets/kubernetes.io/serviceaccount",
)  # fmt: skip
_TAKES = {
    NEWC: "copies can be put into an initrd that is a cpio archive, not compressed",
    COMPRESSED: "or into a compressed one",
    EXT: "copies can be put into a block image with ext2, ext3 or ext4, below where it is mounted",
}


class Decision(Record):
    """What becomes of one bind mount; `notice` is what its user should know, `reason` why it is so."""

    bind: Bind
    volume: Volume | None
    reason: str
    notice: str = ""


class Found(Record):
    """What the decision is based on, besides the mounts."""

    config: UnikernelConfig
    root: Root
    format: str = ""
    """What the file is that is to become the root."""
    below: str = ""
    """Where the guest mounts that, if it is not what the container's own root is."""
    args: tuple[str, ...] = ()
    virtiofsd: bool = False
    wanted: str = ""
    """One of KINDS or empty."""


def decide(binds: Iterable[tuple[Bind, bool]], found: Found) -> tuple[Decision, ...]:
    """For each bind, with whether it is a directory.  Raises Unsupported."""
    return tuple(
        _decide(bind, index, found, is_directory=is_directory)
        for index, (bind, is_directory) in enumerate(binds)
    )


def shares(root: Root, decisions: Iterable[Decision]) -> tuple[Share, ...]:
    """What the guest is to see of the host: its root, and all volumes together."""
    found = [root] if isinstance(root, Share) else []
    kinds = [one.volume.kind for one in decisions if one.volume and one.volume.kind in (VIRTIOFS, NINEP)]
    if kinds:
        found.append(Share(TAG, VOLUMES, kinds[0]))
    return tuple(found)


def _decide(bind: Bind, index: int, found: Found, *, is_directory: bool) -> Decision:
    target, guest = bind.destination, guests.load(found.config.type)
    if any(_is_in(target, own) for own in _OWN):
        reason = f"a guest has a {target} of its own"
        return Decision(bind, None, reason, f"the mount at {target} is left out: {reason}")
    if isinstance(found.root, Share):
        volume = Volume(WITHIN, "", target, bind.readonly)
        return Decision(bind, volume, f"live: the root is shared by {found.root.kind}, and has it in it")
    if not guests.has_first_process(guest, found.args):
        return _placed(bind, guest, found)
    if not is_directory:
        return _copied(bind, index, "a single file is a copy in the guest's memory")
    kind, reason = _share_kind(guest, monitors.load(found.config.hypervisor), found)
    if kind == COPY:
        return _copied(bind, index, reason)
    return Decision(bind, Volume(kind, f"{TAG}/{index}", target, bind.readonly), reason)


def _is_in(path: str, directory: str) -> bool:
    return path == directory or path.startswith(f"{directory}/")


def _share_kind(guest: GuestModule, monitor: MonitorModule, found: Found) -> tuple[str, str]:
    """How a directory reaches a guest with our first process, and why so."""
    if found.wanted:
        return found.wanted, f"{found.wanted} is asked for"
    if VIRTIOFS in guest.CONTAINER.shares and VIRTIOFS in monitor.OFFERS and found.virtiofsd:
        return VIRTIOFS, "live: shared by virtiofs"
    why = "virtiofsd is not installed" if VIRTIOFS in monitor.OFFERS else "the monitor has no virtiofs"
    if NINEP in guest.CONTAINER.shares and NINEP in monitor.OFFERS:
        return NINEP, f"live: shared by 9p; {why}"
    return COPY, f"a copy in the guest's memory: {why}, and no 9p"


def _copied(bind: Bind, index: int, reason: str) -> Decision:
    path = f"{first_process.VOLUMES}/{index}"
    return Decision(bind, Volume(COPY, path, bind.destination, bind.readonly), reason, _notice(bind))


def _notice(bind: Bind) -> str:
    return f"the guest gets a copy of {bind.source} at {bind.destination}, as it is now"


def _placed(bind: Bind, guest: GuestModule, found: Found) -> Decision:
    """For a guest that mounts nothing itself; what every container has is no reason to refuse one."""
    inside = bind.destination.startswith(f"{found.below}/")
    if found.format in guest.PLACES and inside and found.wanted in ("", COPY):
        path = bind.destination.removeprefix(found.below)
        volume = Volume(PLACED, path, bind.destination, bind.readonly)
        return Decision(bind, volume, "a copy in the guest's root", _notice(bind))
    reason = f"{a_unikernel(found.config.type)} has no way to it with this root"
    if any(_is_in(bind.destination, path) for path in _ENGINES):
        missing = f"the mount of {bind.source} at {bind.destination} is left out: {reason}"
        return Decision(bind, None, reason, missing)
    raise Unsupported(
        f"the volume {bind.source} cannot be had at {bind.destination}: {reason}",
        hint=_possible(guest, monitors.load(found.config.hypervisor)),
    )


def _possible(guest: GuestModule, monitor: MonitorModule) -> str:
    shared = any(kind in monitor.OFFERS for kind in guest.CONTAINER.shares)
    ways = ["with mountRootfs and no other root it is shared, volumes included"] if shared else []
    ways += [_TAKES[form] for form in guest.PLACES]
    return "; ".join(ways) or "put the files into the image"
