# SPDX-License-Identifier: Apache-2.0
"""What is found about a host and its engines, judged.  Pure."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Any

from urunc_common.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

OLDEST_KERNEL = (5, 12)
SHIM = "io.containerd.urunc.v2"
_CRI = ("io.containerd.grpc.v1.cri", "io.containerd.cri.v1.runtime")


class Finding(Record):
    """One line of a diagnosis; without `needed`, urunc runs without it, too."""

    name: str
    found: str
    remedy: str = ""
    good: bool = True
    needed: bool = False


def has(name: str, found: str) -> Finding:
    """What is as it should be."""
    return Finding(name, found, good=True)


def lacks(name: str, found: str, remedy: str, *, needed: bool = False) -> Finding:
    """What is not there, or not usable."""
    return Finding(name, found, remedy, good=False, needed=needed)


def kernel(release: str) -> Finding:
    """Whether it is new enough."""
    numbers = tuple(int(part) for part in release.split("-")[0].split(".")[:2] if part.isdecimal())
    remedy = f"use Linux {'.'.join(map(str, OLDEST_KERNEL))} or newer"
    return Finding("kernel", release, remedy, good=numbers >= OLDEST_KERNEL, needed=True)


def containerd(text: str, is_executable: Callable[[str], bool]) -> Iterator[Finding]:
    """What containerd's configuration says of runtimes that are urunc."""
    name = "containerd configuration"
    try:
        plugins = tomllib.loads(text).get("plugins", {})
        runtimes = [_inside(plugins, plugin, "containerd", "runtimes") for plugin in _CRI]
    except tomllib.TOMLDecodeError as error:
        yield lacks(name, f"is no TOML: {error}", "repair it", needed=True)
        return
    ours = {key: one for table in runtimes for key, one in table.items() if _is_ours(key, one)}
    if not ours:
        yield lacks(name, "has no runtime handler for urunc", "for Kubernetes, see deploy/README.md")
    for key, one in ours.items():
        yield _handler(f"{name}, handler {key}", one, is_executable)


def docker(text: str, is_executable: Callable[[str], bool]) -> Finding:
    """What docker's configuration says."""
    name = "docker configuration"
    try:
        path = _inside(json.loads(text or "{}"), "runtimes", "urunc").get("path", "")
    except ValueError as error:
        return lacks(name, f"is no JSON: {error}", "repair it", needed=True)
    if not path:
        return lacks(name, "has no runtime urunc", "see deploy/README.md")
    return _executable(name, str(path), is_executable)


def table(findings: Sequence[Finding]) -> list[str]:
    """As lines for people."""
    width = max(len(one.name) for one in findings)
    return [
        f"{_sign(one)} {one.name.ljust(width)}  {one.found}" + ("" if one.good else _behind(one.remedy))
        for one in findings
    ]


def documents(findings: Sequence[Finding]) -> list[dict[str, object]]:
    """As values for programs."""
    return [
        {
            "name": one.name, "ok": one.good, "needed": one.needed, "found": one.found,
            "remedy": "" if one.good else one.remedy,
        }
        for one in findings
    ]  # fmt: skip


def _handler(name: str, one: Mapping[str, Any], is_executable: Callable[[str], bool]) -> Finding:
    if one.get("runtime_type") != SHIM:
        return _executable(name, str(_inside(one, "options").get("BinaryName", "")), is_executable)
    if "options" in one:
        remedy = "use io.containerd.runc.v2 with BinaryName, or remove the options"
        return lacks(name, f"{SHIM} takes no options, but has a table of them", remedy, needed=True)
    return has(name, SHIM)


def _executable(name: str, path: str, is_executable: Callable[[str], bool]) -> Finding:
    good = is_executable(path)
    found = path if good else f"{path} cannot be executed"
    return Finding(name, found, "name the path of urunc", good=good, needed=True)


def _is_ours(key: str, one: object) -> bool:
    if not isinstance(one, dict):
        return False
    binary = str(_inside(one, "options").get("BinaryName", ""))
    return key == "urunc" or one.get("runtime_type") == SHIM or binary.rpartition("/")[2] == "urunc"


def _inside(values: object, *keys: str) -> dict[str, Any]:
    """The table at the end of these keys, empty where there is none."""
    for key in keys:
        values = values.get(key) if isinstance(values, dict) else None
    return values if isinstance(values, dict) else {}


def _sign(one: Finding) -> str:
    return "✓" if one.good else "✗" if one.needed else "-"


def _behind(remedy: str) -> str:
    return f"; {remedy}" if remedy else ""
