# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: E501, FBT001  the tables have a row per case
"""What lint says of images that are likely wrong, and verify of other runtimes."""

from __future__ import annotations

import base64
import struct
from typing import TYPE_CHECKING, Any

import pytest

from bima import compatibility, solo5
from bima.compatibility import Said
from bima.findings import Subject, find
from bima.image import ImageConfig, canonical
from bima.tree import Data, Entry, Tree
from urunc_common import config as contract

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ELF = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\x3e\x00" + bytes(300)
EXT = bytes(1080) + b"\x53\xef" + bytes(3000)
EXTENTS = EXT[:1120] + b"\x40\0\0\0" + EXT[1124:]
BZIMAGE = bytes(0x1FE) + b"\x55\xaa\x00\x00HdrS" + bytes(0x30) + b"\x01" + bytes(99)


def note(kind: bytes, content: bytes) -> bytes:
    return struct.pack("<3I", 6, len(content), int.from_bytes(kind, "little")) + b"Solo5\0\0\0" + content


def entry(name: bytes, kind: int) -> bytes:
    return name.ljust(68, b"\0") + struct.pack("<I", kind) + bytes(32)


def kernel(target: int, *devices: tuple[bytes, int]) -> bytes:
    """An ELF file with the notes of Solo5."""
    entries = [entry(b"", 1 << 30), *(entry(*each) for each in devices)]
    manifest = bytes(4) + struct.pack("<2I", 1, len(entries)) + b"".join(entries)
    notes = note(b"ABI1", struct.pack("<4I", target, 1, 0, 0)) + note(b"MFT1", manifest)
    header = (
        b"\x7fELF\x02\x01\x01"
        + bytes(9)
        + struct.pack("<2HI3QI6H", 2, 62, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    )
    return header + struct.pack("<2I6Q", 4, 4, 120, 0, 0, len(notes), len(notes), 4) + notes


HVT = kernel(1, (b"service", 2))


def subject(files: dict[str, bytes], said: dict[str, str], **changes: Any) -> Subject:
    annotations = {contract.KEYS[key]: value for key, value in said.items()}
    entries: dict[str, Entry] = {path: Data(content) for path, content in files.items()}
    entries["urunc.json"] = Data(canonical(contract.encode(annotations)))
    values = {"annotations": annotations, "labels": annotations, **changes}
    config = ImageConfig(values.get("architecture", "amd64"), labels=values["labels"])
    return Subject(values["annotations"], config, Tree(entries))


def said(guest: str, monitor: str, **more: str) -> dict[str, str]:
    return {"type": guest, "hypervisor": monitor, "binary": "/k", **more}


GOOD = (
    ({"k": ELF}, said("generic", "qemu")),
    ({"k": HVT}, said("mirage", "hvt")),
    (
        {"k": kernel(2, (b"net0", 2), (b"disk", 1)), "d": EXT},
        said("mirage", "spt", solo5_net="net0", solo5_block="disk"),
    ),
    ({"k": ELF, "i": b"070701"}, said("unikraft", "qemu", version="0.17.0", initrd="/i")),
    ({"k": ELF, "d": EXT}, said("linux", "firecracker", block="/d", block_mount_point="/")),
    ({"k": BZIMAGE}, said("linux", "qemu", mount_rootfs="true")),
)


@pytest.mark.parametrize(("files", "says"), GOOD)
def test_nothing_is_said_of_a_good_image(files: dict[str, bytes], says: dict[str, str]) -> None:
    assert find(subject(files, says)) == []


@pytest.mark.parametrize(
    ("files", "says", "message", "hint"),
    [
        ({"k": ELF}, said("mirage", "hvt"), "is not made for Solo5, and hvt boots it", "for hvt"),
        ({"k": HVT}, said("mirage", "spt"), "is made for Solo5's hvt, and spt boots it", "for spt"),
        ({"k": HVT}, said("generic", "qemu"), "is made for Solo5's hvt, and qemu boots it", "say hvt"),
        ({"k": kernel(1, (b"net0", 2))}, said("mirage", "hvt"), "net device is called net0, not service", "solo5NetDev=net0"),
        ({"k": kernel(1, (b"disk", 1))}, said("mirage", "hvt"), "block device is called disk, not storage", "solo5BlkDev=disk"),
        ({"k": BZIMAGE}, said("linux", "firecracker", mount_rootfs="true"), "is a bzImage", "vmlinux"),
        ({}, said("generic", "qemu"), "the kernel /k is not in the image", "COPY"),
        ({"k": ELF}, said("unikraft", "qemu"), "which version of Unikraft", "unikernelVersion="),
        ({"k": ELF}, said("linux", "qemu"), "a linux guest has no root", "mountRootfs=true"),
        ({"k": ELF}, said("linux", "qemu", initrd="/i"), "/i is not in the image", "COPY"),
        ({"k": ELF, "i": b"text"}, said("linux", "qemu", initrd="/i"), "/i is no initrd", "bima pack"),
        ({"k": ELF, "d": b"text"}, said("linux", "qemu", block="/d", block_mount_point="/"), "/d is no block", "bima pack"),
        ({"k": HVT.replace(b"service", b"tap\0\0\0\0"), "d": EXTENTS}, said("rumprun", "hvt", block="/d", block_mount_point="/data"), "ext2 only", "ext2"),
    ],
)  # fmt: skip
def test_what_is_likely_wrong_is_said_with_its_remedy(
    files: dict[str, bytes], says: dict[str, str], message: str, hint: str
) -> None:
    (found,) = find(subject(files, says))
    assert message in found.text
    assert hint in found.hint


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"annotations": {}}, "the annotations do not say"),
        ({"labels": {}}, "the labels do not say"),
        ({"architecture": "arm64"}, "the kernel is for amd64, the image for arm64"),
    ],
)
def test_each_way_of_telling_must_say_everything(changes: dict[str, Any], message: str) -> None:
    (found,) = find(subject({"k": ELF}, said("generic", "qemu"), **changes))
    assert message in found.text


def test_an_image_without_urunc_json_is_not_seen_by_docker() -> None:
    one = subject({"k": ELF}, said("generic", "qemu"))
    (found,) = find(Subject(one.annotations, one.config, Tree({"k": Data(ELF)})))
    assert "docker knows nothing else" in found.text


def test_an_ordinary_image_is_told_from_a_wrong_one() -> None:
    (found,) = find(Subject({}, ImageConfig("amd64"), Tree()))
    assert "nothing says how to boot" in found.text
    (found,) = find(subject({"k": ELF}, said("mirage", "quemu")))
    assert "quemu" in found.text


def test_the_notes_of_solo5_are_found_and_nothing_else() -> None:
    assert solo5.find_target(HVT) == "hvt"
    assert solo5.find_devices(kernel(2, (b"a", 1), (b"b", 2))) == [("a", "block"), ("b", "net")]
    for data in (b"", ELF, HVT[:100], HVT[:130], b"\x7fELF\x02\x01" + b"\xff" * 999):
        assert solo5.find_target(data) == ""
        assert solo5.find_devices(data) == []


def test_a_build_says_what_lint_would(project: Path, bima: Callable[..., Any]) -> None:
    text = (project / "Containerfile").read_text().replace("=generic", "=unikraft")
    (project / "Containerfile").write_text(text)
    assert "warning: nothing says which version of Unikraft" in bima("build", "-t", "x", project).err
    done = bima("lint", "x")
    assert (done.status, done.out.count("\n")) == (1, 1)
    (project / "Containerfile").write_text(f"{text}LABEL com.urunc.unikernel.unikernelVersion=0.17.0\n")
    assert "warning" not in bima("build", "-t", "x", project).err
    done = bima("lint", "x")
    assert (done.status, done.out) == (0, "")


def encoded(texts: dict[str, str]) -> dict[str, str]:
    return {key: base64.b64encode(value.encode()).decode() for key, value in texts.items()}


PLAIN = {contract.KEYS[key]: value for key, value in said("linux", "qemu").items()}
BASE64 = encoded(PLAIN)


@pytest.mark.parametrize(
    ("told", "version", "engine", "boots", "why"),
    [
        (Said(PLAIN, PLAIN, BASE64), "0.8", "containerd", True, "linux on qemu, by annotations and labels"),
        (Said(PLAIN, PLAIN, BASE64), "0.8", "podman", True, "linux on qemu"),
        (Said(PLAIN, PLAIN, BASE64), "0.8", "docker", True, "by urunc.json"),
        (Said(PLAIN, PLAIN, BASE64), "0.7", "containerd", True, "by urunc.json"),
        (Said(PLAIN, PLAIN, BASE64), "0.7", "podman", False, "not base64"),
        (Said(PLAIN, PLAIN, BASE64), "0.6", "podman", False, "not base64"),
        (Said({}, {}, BASE64), "0.8", "containerd", True, "by urunc.json"),
        (Said({}, PLAIN, {}), "0.8", "containerd", True, "linux on qemu"),
        (Said({}, PLAIN, {}), "0.8", "docker", False, "urunc.json is missing"),
        (Said({}, PLAIN, {}), "0.7", "containerd", False, "urunc.json is missing"),
        (Said(BASE64, {}, {}), "0.8", "podman", False, "does not know the type"),
        (Said(BASE64, {}, {}), "0.7", "podman", True, "by the annotations"),
        (Said({}, {}, PLAIN), "0.8", "docker", False, "not base64"),
        (Said({}, {}, {key: BASE64[key] for key in list(BASE64)[:2]}), "0.8", "docker", False, "binary is missing"),
        (Said({next(iter(PLAIN)): "linux"}, {}, BASE64), "0.7", "podman", True, "by urunc.json"),
        (Said({next(iter(PLAIN)): "linux"}, {}, BASE64), "0.6", "podman", False, "not base64"),
        (Said({}, {}, encoded({**PLAIN, contract.KEYS["type"]: "generic"})), "0.8", "docker", False, "0.8 does not know the type 'generic'"),
        (Said({}, {}, encoded({**PLAIN, contract.KEYS["type"]: "hermit"})), "0.7", "docker", False, "0.7 does not know"),
        (Said({}, {}, encoded({**PLAIN, contract.KEYS["type"]: "hermit"})), "0.8", "docker", True, "hermit on qemu"),
        (Said({}, {}, encoded({**PLAIN, contract.KEYS["hypervisor"]: "hvt"})), "0.8", "docker", False, "does not run on hvt"),
        (Said({}, {}, encoded({**PLAIN, contract.KEYS["binary"]: "/../k"})), "0.8", "docker", False, "/../k"),
    ],
)  # fmt: skip
def test_other_versions_read_an_image_in_their_own_ways(
    told: Said,
    version: str,
    engine: str,
    boots: bool,
    why: str,
) -> None:
    outcome = compatibility.judge(told, version, engine)
    assert (outcome.boots, why in outcome.why) == (boots, True), outcome


def test_verify_tells_for_each_version_and_engine(project: Path, bima: Callable[..., Any]) -> None:
    text = (project / "Containerfile").read_text().replace("=generic", "=unikraft")
    (project / "Containerfile").write_text(text)
    bima("build", "-q", "-t", "x", project)
    done = bima("verify", "x", "--as", "0.8")
    assert (done.status, done.out.count("boots: unikraft on qemu")) == (0, 3)
    done = bima("verify", "x")
    assert (done.status, done.out.count("\n")) == (1, 6)
    assert "0.7  podman      does not boot: " in done.out
    assert "version '0.9' is not known" in bima("verify", "x", "--as", "0.9").err
