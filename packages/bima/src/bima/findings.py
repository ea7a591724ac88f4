# SPDX-License-Identifier: Apache-2.0
"""What is likely wrong with an image, though nothing forbids it: each finding says what to write instead.

Runtimes that cannot read an image run it as an ordinary container, without a word; so it is said here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bima import contents, kernel, solo5
from bima.tree import Data, File, Packed
from urunc_common import config as contract
from urunc_common.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from bima.image import ImageConfig
    from bima.tree import Regular, Tree
    from urunc_common.config import UnikernelConfig

_HEAD = 4096
_LARGEST = 1 << 20
_SOLO5 = ("hvt", "spt")
# What the runtimes assume if nothing is said.
_NET = {"mirage": "service", "rumprun": "tap"}
_BLOCK = {"mirage": "storage", "rumprun": "rootfs"}


@dataclass(frozen=True)
class Finding:
    """One thing, and its remedy."""

    text: str
    hint: str

    def __str__(self) -> str:
        return f"{self.text}; {self.hint}"


@dataclass(frozen=True)
class Subject:
    """What is looked at: all that an image says, and its files."""

    annotations: Mapping[str, str]
    config: ImageConfig
    tree: Tree


def find(subject: Subject) -> list[Finding]:
    """All findings, the worst first."""
    said = {**stored(subject.tree), **ours(subject.config.labels), **ours(subject.annotations)}
    if not contract.is_unikernel(said):
        return [Finding("nothing says how to boot this image", "build it with bima, or bima convert it")]
    try:
        unikernel = contract.from_annotations(said)
    except ConfigError as error:
        return [Finding(str(error), error.hint)]
    return [
        *_channels(subject, contract.to_annotations(unikernel)),
        *_kernel(unikernel, subject),
        *_root(unikernel, subject.tree),
        *_version(unikernel),
    ]


def ours(texts: Mapping[str, str]) -> dict[str, str]:
    """The keys that are about unikernels."""
    return contract.merge({}, texts)


def stored(tree: Tree) -> dict[str, str]:
    """What urunc.json has, as it is; nothing if it cannot be read."""
    file = _file(tree, contract.FILE)
    try:
        found = json.loads(contents.read(file, _LARGEST)) if file else {}
    except ValueError:
        return {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def _channels(subject: Subject, plain: Mapping[str, str]) -> Iterator[Finding]:
    """Engines take different ways to tell a runtime, so each must say everything."""
    again = "build the image again with bima"
    if stored(subject.tree) != contract.encode(plain):
        yield Finding(
            f"/{contract.FILE} does not say all that the image says: docker knows nothing else", again
        )
    for what, found in (("annotations", subject.annotations), ("labels", subject.config.labels)):
        if ours(found) != plain:
            yield Finding(f"the {what} do not say all that the image says, as containerd needs them", again)


def _kernel(unikernel: UnikernelConfig, subject: Subject) -> Iterator[Finding]:
    file = _file(subject.tree, unikernel.binary)
    if file is None:
        yield Finding(f"the kernel {unikernel.binary} is not in the image", "COPY it")
        return
    head = contents.read(file, kernel.HEAD)
    architecture = kernel.find_architecture(head)
    if architecture and subject.config.architecture not in (architecture, _RUNS.get(architecture)):
        yield Finding(
            f"the kernel is for {architecture}, the image for {subject.config.architecture}", "build it again"
        )
    yield from _boots(unikernel, file, head)


def _boots(unikernel: UnikernelConfig, file: Regular, head: bytes) -> Iterator[Finding]:
    """Whether the monitor can load such a file."""
    target = solo5.find_target(contents.read(file, _LARGEST)) if head.startswith(b"\x7fELF") else ""
    monitor = unikernel.hypervisor
    if monitor in _SOLO5 and target != monitor:
        made = f"is made for Solo5's {target}" if target else "is not made for Solo5"
        yield Finding(f"the kernel {made}, and {monitor} boots it", f"build the kernel for {monitor}")
    if monitor not in _SOLO5 and target in _SOLO5:
        yield Finding(f"the kernel is made for Solo5's {target}, and {monitor} boots it", f"say {target}")
    if monitor == "firecracker" and head[0x202:0x206] == b"HdrS":
        yield Finding("the kernel is a bzImage, which firecracker does not boot", "take the vmlinux inside")
    if monitor in _SOLO5:
        yield from _devices(unikernel, solo5.find_devices(contents.read(file, _LARGEST)))


def _devices(unikernel: UnikernelConfig, devices: list[tuple[str, str]]) -> Iterator[Finding]:
    """The names in a Solo5 manifest must be those that the monitor is told."""
    for kind, field, usual in (("net", "solo5_net", _NET), ("block", "solo5_block", _BLOCK)):
        names = [name for name, found in devices if found == kind]
        told = getattr(unikernel, field) or usual.get(unikernel.type, "")
        if names and told not in names:
            yield Finding(
                f"the kernel's {kind} device is called {', '.join(names)}, not {told or 'nothing'}",
                f"write LABEL {contract.KEYS[field]}={names[0]}",
            )


def _root(unikernel: UnikernelConfig, tree: Tree) -> Iterator[Finding]:
    for field in ("initrd", "block"):
        path = getattr(unikernel, field)
        file = _file(tree, path) if path else None
        if path and file is None:
            yield Finding(f"{contract.KEYS[field]}: {path} is not in the image", "COPY it")
        elif file and not _RECOGNISED[field](contents.read(file, _HEAD)):
            yield Finding(f"{path} is no {field} that a kernel knows", "make it with bima pack --rootfs")
    if unikernel.type == "linux" and not (unikernel.initrd or unikernel.block or unikernel.mount_rootfs):
        yield Finding("a linux guest has no root", f"write LABEL {contract.KEYS['mount_rootfs']}=true")
    disk = _file(tree, unikernel.block) if unikernel.type == "rumprun" and unikernel.block else None
    # The incompatible features: extents and the like.
    if disk and contents.read(disk, _HEAD)[1120:1124] not in (b"\x02\0\0\0", b"\0\0\0\0"):
        yield Finding("rumprun reads ext2 only", "make it with bima pack --rootfs-type ext2")


def _version(unikernel: UnikernelConfig) -> Iterator[Finding]:
    if unikernel.type == "unikraft" and not unikernel.version:
        yield Finding(
            "nothing says which version of Unikraft it is, so its arguments are written for the newest",
            f"write LABEL {contract.KEYS['version']}=0.17.0, or whichever it is",
        )


def _file(tree: Tree, path: str) -> Regular | None:
    found = tree.find(path)
    return found if isinstance(found, File | Data | Packed) else None


_RUNS = {"386": "amd64", "arm": "arm64"}
_CPIO = (
    b"070701",
    b"070702",
    b"\x1f\x8b",
    b"\x28\xb5\x2f\xfd",
    b"\xfd7zXZ",
    b"BZh",
    b"\x04\x22\x4d\x18",
    b"\x02\x21",
)
_RECOGNISED: Mapping[str, Callable[[bytes], bool]] = {
    "initrd": lambda head: head.startswith(_CPIO) or head[1024:1028] == b"\xe2\xe1\xf5\xe0",
    "block": lambda head: (
        head[1080:1082] == b"\x53\xef" or head[1024:1028] == b"\xe2\xe1\xf5\xe0" or not any(head)
    ),
}
