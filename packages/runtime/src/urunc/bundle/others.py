# SPDX-License-Identifier: Apache-2.0
"""What of config.json a machine has no use for, and what it cannot have.  Pure.

Types are checked all the same, and nothing is passed over in silence: docs/specification.md has all fields.
"""

from __future__ import annotations

from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from urunc.bundle.mounts import Mounts
    from urunc.table import Table

_OTHER_PLATFORMS = ("windows", "solaris", "zos")
_RDT = ("closID", "l3CacheSchema", "memBwSchema")
_RDT_FLAGS = ("enableCMT", "enableMBM", "enableMonitoring")
_DEVICE_KINDS = ("b", "c", "u", "p")
_LARGEST = (1 << 32) - 1
# Where engines mount for every container, and a guest has its own.
_USUAL = ("/proc", "/sys", "/dev", "/run")


class Others(Record):
    """Sentences about what is asked for and not served."""

    refused: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    """What a user may miss."""
    remarks: tuple[str, ...] = ()
    """What engines ask for every container."""


def others(spec: Table, mounts: Mounts) -> Others:
    """Look at the fields that nothing else looks at."""
    process, linux = spec.table("process"), spec.table("linux")
    return Others(
        (*_refused(spec, linux), *(f"{key}: idmapped mounts are not served" for key in mounts.refused)),
        (*_notices(spec, process, linux), *_mounts(mounts, usual=False)),
        (*_remarks(linux), *_mounts(mounts, usual=True)),
    )


def _refused(spec: Table, linux: Table) -> Iterator[str]:
    if spec.has("vm"):
        spec.take("vm", dict, {})
        yield "vm is not served: the image's annotations say what boots, and the configuration on what"
    if linux.has("intelRdt"):
        rdt = linux.table("intelRdt")
        _ = [rdt.text(name) for name in _RDT], [rdt.flag(name) for name in _RDT_FLAGS], rdt.texts("schemata")
        yield "linux.intelRdt is not served: it asks for parts of the processor's cache and memory bandwidth"
    seccomp = linux.table("seccomp")
    path, metadata = seccomp.text("listenerPath"), seccomp.text("listenerMetadata")
    if path or metadata:
        yield "linux.seccomp.listenerPath is not served: nobody could answer for the monitor"


def _notices(spec: Table, process: Table, linux: Table) -> Iterator[str]:
    for name in _OTHER_PLATFORMS:
        if spec.has(name):
            spec.take(name, dict, {})
            yield f"{name} has no effect: this is Linux"
    for key, table in (("process.commandLine", process), ("process.user.username", process.table("user"))):
        if table.text(key.rpartition(".")[2]):
            yield f"{key} has no effect: it is for Windows"
    if process.has("execCPUAffinity"):
        affinity = process.table("execCPUAffinity")
        affinity.text("initial"), affinity.text("final")
        yield "process.execCPUAffinity has no effect: what is executed later runs on the guest's processors"
    if count := len([_device(entry) for entry in linux.tables("devices")]):
        yield f"linux.devices: the monitor may use these {count}, but a guest has devices of its own"


def _device(entry: Table) -> str:
    path = entry.text("path")
    if not path.startswith("/"):
        raise entry.error("path", f"is {path!r}, which is not absolute")
    entry.one_of("type", _DEVICE_KINDS)
    for name in ("major", "minor"):
        entry.number(name)
    entry.between("fileMode", 0, _LARGEST)
    entry.identity("uid"), entry.identity("gid")
    return path


def _remarks(linux: Table) -> Iterator[str]:
    for name in ("maskedPaths", "readonlyPaths"):
        if linux.texts(name):
            yield f"linux.{name} has no effect: neither the monitor nor its guest can write to the host's"
    if linux.table("resources").table("memory").has("useHierarchy"):
        linux.table("resources").table("memory").flag("useHierarchy")
        yield "linux.resources.memory.useHierarchy has no effect: it is always so"


def _mounts(mounts: Mounts, *, usual: bool) -> Iterator[str]:
    for kind, place in mounts.others:
        if usual == any(place == own or place.startswith(f"{own}/") for own in _USUAL):
            yield f"the mount of type {kind or 'none'} at {place} has no effect: the guest mounts its own"
