# SPDX-License-Identifier: Apache-2.0
"""`mounts` of config.json: bind mounts are volumes, of others the guest has its own.  Pure."""

from __future__ import annotations

from urunc.bundle.linux import id_maps
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.table import Table

_MAPPINGS = ("uidMappings", "gidMappings")
_MAPPED = ("idmap", "ridmap")


class Bind(Record):
    """A bind mount that the engine wants at `destination`."""

    source: str
    destination: str
    readonly: bool = False


class Mounts(Record):
    """Volumes; where the guest is to do with its own; and keys that cannot be served."""

    binds: tuple[Bind, ...] = ()
    others: tuple[tuple[str, str], ...] = ()
    """(kind, destination)"""
    refused: tuple[str, ...] = ()


def mounts(spec: Table, path: str) -> Mounts:
    """Of a bundle in the directory `path`."""
    binds, others, refused = [], [], []
    for index, entry in enumerate(spec.tables("mounts")):
        options, kind = entry.texts("options"), entry.text("type")
        destination = _required(entry, "destination")
        maps = [name for name in _MAPPINGS if id_maps(entry, name)]
        mapped = maps + [f"options ({option})" for option in options if option in _MAPPED]
        refused += [f"mounts[{index}].{name}" for name in mapped]
        if kind == "bind" or "bind" in options or "rbind" in options:
            binds.append(
                Bind(
                    absolute(_required(entry, "source"), path), f"/{destination.lstrip('/')}", "ro" in options
                )
            )
        else:
            entry.text("source")
            others.append((kind, destination))
    return Mounts(tuple(binds), tuple(others), tuple(refused))


def absolute(path: str, directory: str) -> str:
    """From the root."""
    return path if path.startswith("/") else f"{directory}/{path}"


def _required(entry: Table, name: str) -> str:
    value = entry.text(name)
    if not value:
        raise entry.error(name, "is missing")
    return value
