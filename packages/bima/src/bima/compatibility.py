# SPDX-License-Identifier: Apache-2.0
"""What other versions of the runtime make of an image, under each engine.  Pure.

An engine tells a runtime the manifest's annotations, or nothing; version 0.8 also asks containerd for them
and for the labels.  Up to 0.7 annotations are base64, as urunc.json is in all versions.  What a version
cannot read, it runs as an ordinary container.
"""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

from urunc_common import config as contract
from urunc_common.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSIONS = ("0.6", "0.7", "0.8")
ENGINES = ("containerd", "docker", "podman")
_OLD_GUESTS = ("rumprun", "unikraft", "mirage", "mewz", "linux")
_GUESTS = {"0.6": _OLD_GUESTS, "0.7": _OLD_GUESTS, "0.8": (*_OLD_GUESTS, "hermit")}
_OLD_MONITORS = ("qemu", "firecracker", "hvt", "spt")
_MONITORS = {"0.6": _OLD_MONITORS, "0.7": _OLD_MONITORS, "0.8": (*_OLD_MONITORS, "cloud-hypervisor")}
_REQUIRED = tuple(contract.KEYS[field] for field in contract.REQUIRED)


@dataclass(frozen=True)
class Said:
    """All that an image says about its unikernel, by the ways in which it does."""

    annotations: Mapping[str, str]
    labels: Mapping[str, str]
    stored: Mapping[str, str]


@dataclass(frozen=True)
class Outcome:
    """Whether an image boots, and why it does or does not."""

    version: str
    engine: str
    boots: bool
    why: str

    def __str__(self) -> str:
        verb = "boots" if self.boots else "does not boot"
        return f"{self.version}  {self.engine:10}  {verb}: {self.why}"


def judge(said: Said, version: str, engine: str) -> Outcome:
    """One version under one engine."""
    try:
        values, where = _read(said, version, engine)
        _require_known(values, version)
    except ValueError as error:
        return Outcome(version, engine, False, str(error))  # noqa: FBT003
    guest, monitor = (values[contract.KEYS[field]] for field in ("type", "hypervisor"))
    return Outcome(version, engine, True, f"{guest} on {monitor}, by {where}")  # noqa: FBT003


def _read(said: Said, version: str, engine: str) -> tuple[dict[str, str], str]:
    """The values that count, and where they are from."""
    told = _told(said, version, engine)
    if _counts(told, version):
        if version == "0.8":
            return told, "annotations and labels"
        return _decoded(told, "the annotations, which"), "the annotations"
    stored = {key: value for key, value in said.stored.items() if key.startswith(contract.PREFIX)}
    if not stored:
        raise ValueError("it is an ordinary container: urunc.json is missing")
    return _decoded(stored, "urunc.json, which"), "urunc.json"


def _told(said: Said, version: str, engine: str) -> dict[str, str]:
    """What the runtime is told besides the image's files."""
    if engine == "podman":
        return contract.merge({}, said.annotations)
    if engine == "containerd" and version == "0.8":
        return contract.merge(said.labels, said.annotations)
    return {}


def _counts(told: Mapping[str, str], version: str) -> bool:
    """0.6 takes any key for everything; later versions want all that must be there."""
    if version == "0.6":
        return any(told.values())
    return all(told.get(key) for key in _REQUIRED)


def _decoded(values: Mapping[str, str], what: str) -> dict[str, str]:
    try:
        return {
            key: a2b_base64(value.encode(), strict_mode=True).decode().strip("\r\n")
            for key, value in values.items()
        }
    except (Base64Error, UnicodeError) as error:
        raise ValueError(f"it is an ordinary container: it reads {what} are not base64") from error


def _require_known(values: Mapping[str, str], version: str) -> None:
    """Raise ValueError for what a version does not know; newer ones check all values."""
    missing = [key for key in _REQUIRED if not values.get(key)]
    if missing:
        raise ValueError(f"it is an ordinary container: {', '.join(missing)} is missing")
    for field, known in (("type", _GUESTS[version]), ("hypervisor", _MONITORS[version])):
        value = values[contract.KEYS[field]]
        if value not in known:
            raise ValueError(f"{version} does not know the {field} {value!r}")
    if version == "0.8":
        try:
            contract.from_annotations(dict(values))
        except ConfigError as error:
            raise ValueError(str(error)) from error
