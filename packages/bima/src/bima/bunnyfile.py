# SPDX-License-Identifier: Apache-2.0
"""bunnyfile text, version 0.1 -> a package.  Pure; errors carry the file, the line and the remedy."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bima import package, words, yamlfile
from bima.package import Include, Package, Place, Root
from urunc_common.rules import GUESTS, MONITORS, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bima.yamlfile import Value

_KEYS = (
    "version", "platforms", "rootfs", "kernel", "cmd", "entrypoint", "envs", "cmdline", "labels",
)  # fmt: skip
_VERSION = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?")
_NEWEST = (0, 1, 0)
_LOCAL, _SCRATCH = "local", "scratch"
# What people call architectures here, where that is not what uname calls them.
_ARCHITECTURES = {"x86": "amd64", "arm": "arm64"}


def parse(text: str, file: str) -> Package:
    """What the file says."""
    top = yamlfile.load(text, file)
    top.require_keys(_KEYS)
    _require_version(top.require("version"))
    platforms = top.require("platforms")
    platforms.require_keys(("framework", "version", "monitor", "architecture"))
    architecture = platforms.find_text("architecture")
    rootfs, labels = top.find("rootfs"), top.find("labels")
    entrypoint = top.find("entrypoint")
    return Package(
        guest=_one_of(platforms.require("framework"), GUESTS),
        monitor=_one_of(platforms.require("monitor"), MONITORS),
        kernel=_kernel(top.require("kernel")),
        version=platforms.find_text("version"),
        architecture=_ARCHITECTURES.get(architecture, architecture),
        root=_root(rootfs, platforms.find_text("framework")) if rootfs else None,
        entrypoint=entrypoint.words if entrypoint else None,
        cmd=_command(top),
        env=_variables(top.find("envs")),
        labels={key: value.text for key, value in labels.section.items()} if labels else {},
    )


def _require_version(value: Value) -> None:
    found = _VERSION.fullmatch(value.text)
    if not found:
        raise value.error(f"{value.text!r} is no version", "write it like v0.1")
    if tuple(int(part or 0) for part in found.groups()) > _NEWEST:
        raise value.error(f"version {value.text} is newer than what is known here, v0.1")


def _one_of(value: Value, known: Iterable[str]) -> str:
    names = tuple(known)
    if value.text not in names:
        raise value.error(
            f"unknown value {value.text!r}",
            f"did you mean {nearest(value.text, names)}? known: {', '.join(names)}",
        )
    return value.text


def _kernel(value: Value) -> Place:
    value.require_keys(("from", "path"))
    return _place(value, value.require("from").text, value.require("path").text)


def _place(value: Value, origin: str, path: str) -> Place:
    return Place(value.line, path, "" if origin == _LOCAL else origin)


def _root(value: Value, guest: str) -> Root:
    value.require_keys(("from", "path", "type", "include"))
    origin, path, kind = value.find_text("from") or _SCRATCH, value.find_text("path"), value.find_text("type")
    if kind:
        package.require_kind(value.require("type").line, kind)
    if guest == "unikraft" and kind and kind not in ("initrd", package.RAW):
        raise value.require("type").error(
            f"unikraft cannot have a root file system of type {kind}", "take initrd"
        )
    if origin == _SCRATCH and path:
        raise value.require("path").error("there is no path in scratch", "say where it is with from:")
    if origin == _LOCAL and not path:
        raise value.error("a root file system from local needs its path", "add path: …")
    include = value.find("include")
    return Root(
        value.line,
        kind,
        None if origin == _SCRATCH else _place(value, origin, path),
        tuple(_include(each) for each in include.values) if include else (),
    )


def _include(value: Value) -> Include:
    """`source`, `source:destination`, or a section."""
    if isinstance(value.content, str):
        source, _, destination = value.content.partition(":")
        origin = _LOCAL
    else:
        value.require_keys(("from", "source", "destination"))
        source, destination = value.require("source").text, value.find_text("destination")
        origin = value.find_text("from") or _LOCAL
    if not source:
        raise value.error("what is to be included has no name", "write it like source:destination")
    return Include(_place(value, origin, source), _target(destination or source))


def _target(path: str) -> str:
    return path if path.startswith("/") else f"/{path}"


def _command(top: Value) -> tuple[str, ...] | None:
    """`cmd`, or else what it was called once."""
    if found := top.find("cmd"):
        return found.words
    cmdline = top.find("cmdline")
    if cmdline is None:
        return None
    try:
        return words.shell(cmdline.text)
    except ValueError as error:
        raise cmdline.error(str(error)) from error


def _variables(value: Value | None) -> tuple[str, ...]:
    for each in value.values if value else ():
        if not each.text.partition("=")[0] or "=" not in each.text:
            raise each.error(f"{each.text!r} is no variable", "write it like NAME=VALUE")
    return value.words if value else ()
