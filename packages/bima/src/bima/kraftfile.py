# SPDX-License-Identifier: Apache-2.0
"""Kraftfile text -> a package: a runtime of Unikraft's catalog, a root file system, a command.  Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bima import words, yamlfile
from bima.package import Package, Place, Root

if TYPE_CHECKING:
    from collections.abc import Callable

    from bima.yamlfile import Value

REGISTRY = "unikraft.org"
KERNEL, INITRD = "/unikraft/bin/kernel", "/unikraft/bin/initrd"
_SERVED = ("spec", "specification", "name", "runtime", "rootfs", "cmd", "env", "labels", "targets")
_UNSERVED = {
    "unikraft": "build the kernel with kraft, and package it with bima pack",
    "libraries": "build the kernel with kraft, and package it with bima pack",
    "template": "copy what the template says into the file",
    "outdir": "nothing is written there; leave it out",
    "volumes": "say it when the image is run",
    "roms": "put the files into the rootfs",
}
_VERSIONS = ("v0.5", "0.5", "v0.6", "0.6", "v0.7", "0.7")
_MONITORS = {"qemu": "qemu", "kvm": "qemu", "fc": "firecracker", "firecracker": "firecracker"}
_KINDS = {"cpio": "initrd", "erofs": "erofs"}


def parse(text: str, file: str, is_here: Callable[[str], bool]) -> Package:
    """What the file says; `is_here` tells what is in the build directory from what is an image."""
    top = yamlfile.load(text, file)
    for key, hint in _UNSERVED.items():
        if key in top.section:
            raise top.section[key].error(f"{key} is not served", hint)
    top.require_keys((*_SERVED, *_UNSERVED))
    _require_version(top)
    runtime = top.require("runtime")
    rootfs, labels, command = top.find("rootfs"), top.find("labels"), top.find("cmd")
    return Package(
        guest="unikraft",
        monitor=_monitor(top.find("targets")),
        kernel=Place(runtime.line, KERNEL, _image(runtime.text)),
        root=_root(rootfs, is_here) if rootfs else _embedded(runtime),
        cmd=_words(command) if command else None,
        env=_variables(top.find("env")),
        labels={key: value.text for key, value in labels.section.items()} if labels else {},
    )


def _require_version(top: Value) -> None:
    found = top.find("spec") or top.require("specification")
    if found.text not in _VERSIONS:
        raise found.error(f"version {found.text!r} is not known here", "known are v0.5, v0.6 and v0.7")


def _image(name: str) -> str:
    """A name without a registry is one of Unikraft's catalog."""
    first, slash, _ = name.partition("/")
    return name if slash and ("." in first or ":" in first) else f"{REGISTRY}/{name}"


def _monitor(targets: Value | None) -> str:
    """What the first target that can be served runs on; QEMU if there is none."""
    for each in targets.values if targets else ():
        if isinstance(each.content, str):
            name = each.content.partition("/")[0]
        else:
            name = each.find_text("platform") or each.find_text("plat")
        if name in _MONITORS:
            return _MONITORS[name]
    if targets and targets.values:
        raise targets.error("none of the targets can be served", f"known are {', '.join(_MONITORS)}")
    return "qemu"


def _root(value: Value, is_here: Callable[[str], bool]) -> Root:
    source, kind = value, ""
    if not isinstance(value.content, str):
        value.require_keys(("source", "format", "type"))
        source, kind = value.require("source"), value.find_text("format") or value.find_text("type")
    if kind in ("oci", "dir", "file", "tarball", "dockerfile"):
        kind = ""  # what it is made of is seen by looking
    if kind and kind not in _KINDS:
        raise value.error(f"the root file system cannot be {kind!r}", f"known are {', '.join(_KINDS)}")
    here = is_here(source.text)
    place = Place(value.line, source.text) if here else Place(value.line, image=source.text)
    return Root(value.line, _KINDS[kind] if kind else "initrd", place)


def _embedded(runtime: Value) -> Root:
    """The initrd that the runtime has itself, if it has one."""
    return Root(runtime.line, "initrd", Place(runtime.line, INITRD, _image(runtime.text)), optional=True)


def _words(value: Value) -> tuple[str, ...]:
    if not isinstance(value.content, str):
        return value.words
    try:
        return words.shell(value.content)
    except ValueError as error:
        raise value.error(str(error)) from error


def _variables(value: Value | None) -> tuple[str, ...]:
    """A list of NAME=VALUE, or a section."""
    if value is None:
        return ()
    if isinstance(value.content, tuple):
        return value.words
    return tuple(f"{name}={each.content or ''}" for name, each in value.section.items())
