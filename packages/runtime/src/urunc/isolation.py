# SPDX-License-Identifier: Apache-2.0
"""Whether what a container asks of its namespaces goes together.  Pure; what does not is named by its key."""

from __future__ import annotations

from urunc.errors import BundleError, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from urunc.bundle import Bundle, IdMap

_IPC = (
    "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax",
    "kernel.shmmni", "kernel.shm_rmid_forced",
)  # fmt: skip
_LONGEST_NAME = 64


def check(bundle: Bundle, *, own_network: bool) -> None:
    """Raises Unsupported for what is not served, BundleError for what contradicts itself."""
    for sentence in bundle.others.refused:
        raise Unsupported(sentence, hint="leave it out")
    _check_names(bundle)
    _check_users(bundle)
    time = bundle.namespace("time")
    if bundle.isolation.time_offsets and (time is None or time.path):
        raise BundleError("linux.timeOffsets: the container has no time namespace of its own")
    kinds = {namespace.kind for namespace in bundle.namespaces}
    for key, _ in bundle.isolation.sysctls:
        _check_sysctl(key, kinds, own_network=own_network)


def sysctl_path(key: str) -> str:
    """Where it is below /proc/sys; whichever of dot and slash comes first in a name separates its parts."""
    dot, slash = (key.find(sign) % (len(key) + 1) for sign in "./")
    return key.translate({46: "/", 47: "."}) if dot < slash else key


def _check_names(bundle: Bundle) -> None:
    for key, name in (("hostname", bundle.hostname), ("domainname", bundle.domainname)):
        if name and bundle.namespace("uts") is None:
            raise BundleError(
                f"{key} is {name!r}, but the container has the host's UTS namespace",
                hint="add a uts namespace to linux.namespaces, or leave the name out",
            )
        if len(name.encode()) > _LONGEST_NAME:
            raise BundleError(f"{key} is over {_LONGEST_NAME} bytes long")


def _check_users(bundle: Bundle) -> None:
    found, wanted = bundle.namespace("user"), bundle.isolation
    for key, maps in (("uidMappings", wanted.uids), ("gidMappings", wanted.gids)):
        if maps and found is None:
            raise BundleError(f"linux.{key}: the container has no user namespace")
        if found and not found.path and not maps:
            raise BundleError(f"linux.{key} is missing, and the container has a user namespace of its own")
    if wanted.uids and wanted.gids:
        _require_mapped("uid", (bundle.user.uid,), wanted.uids)
        _require_mapped("gid", (bundle.user.gid,), wanted.gids)
        _require_mapped("additionalGids", bundle.user.groups, wanted.gids)


def _require_mapped(key: str, ids: Iterable[int], maps: tuple[IdMap, ...]) -> None:
    for number in ids:
        if all(not one.container <= number < one.container + one.size for one in maps):
            raise BundleError(f"process.user.{key}: {number} is not an id of the container's user namespace")


def _check_sysctl(key: str, kinds: set[str], *, own_network: bool) -> None:
    parts = sysctl_path(key).split("/")
    name = ".".join(parts)
    if not all(parts) or {".", ".."} & set(parts) or name.split() != [name]:
        raise BundleError(f"linux.sysctl: {key!r} is no name of a sysctl")
    if name == "kernel.hostname":
        raise BundleError(f"linux.sysctl: {key} is what hostname says", hint="set hostname instead")
    own = (
        (parts[0] == "net" and own_network)
        or ((name in _IPC or name.startswith("fs.mqueue.")) and "ipc" in kinds)
        or (name == "kernel.domainname" and "uts" in kinds)
    )
    if not own:
        raise BundleError(
            f"linux.sysctl: {key} is not in a namespace of the container's own",
            hint="add the namespace, or set it on the host",
        )
