# SPDX-License-Identifier: Apache-2.0
"""Where a built image can go: one module with `deliver` per destination, one line here."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from bima.errors import UsageError
from urunc_common.rules import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bima.layout import BuiltImage


@dataclass(frozen=True)
class Options:
    """What some destinations need to be reached; empty is the destination's own default."""

    namespace: str = ""
    address: str = ""
    snapshotter: str = ""
    plain_http: bool = False
    ca_file: str = ""
    verify_tls: bool = True


@dataclass(frozen=True)
class Output:
    """One `-o`: a destination and, for files and directories, where."""

    name: str
    destination: str = ""

    def __str__(self) -> str:
        return f"{self.name}:{self.destination}" if self.destination else self.name


class Deliver(Protocol):
    """Bring the image to its destination, whole or not at all."""

    def __call__(self, image: BuiltImage, destination: str, options: Options) -> None: ...


OUTPUTS: Mapping[str, str] = {
    "store": "store",
    "oci": "layout",
    "oci-archive": "archive",
    "docker-archive": "docker_archive",
    "rootfs-tar": "rootfs_tar",
    "tar": "archive",
    "containerd": "containerd",
    "ctr": "containerd",
    "docker": "docker",
    "podman": "podman",
    "registry": "registry",
}
NEED_PATH = ("oci", "oci-archive", "docker-archive", "rootfs-tar")
TAKE_PATH = (*NEED_PATH, "tar")


def parse(text: str) -> Output:
    """`oci:DIR`, `docker`, … as `-o` takes them."""
    name, colon, destination = text.partition(":")
    if name not in OUTPUTS:
        raise UsageError(
            f"unknown output {name!r}",
            hint=f"did you mean {nearest(name, OUTPUTS)}? known: {', '.join(OUTPUTS)}",
        )
    if name in NEED_PATH and not destination:
        raise UsageError(f"output {name} needs a path", hint=f"write it like -o {name}:PATH")
    if colon and name not in TAKE_PATH:
        raise UsageError(
            f"output {name} takes no path, not {destination!r}", hint="the image's name says it all"
        )
    return Output(name, destination)


def load(name: str) -> Deliver:
    """The `deliver` of an output; its libraries are loaded only now."""
    deliver: Deliver = import_module(f"bima.outputs.{OUTPUTS[name]}").deliver
    return deliver
