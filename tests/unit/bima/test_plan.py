# SPDX-License-Identifier: Apache-2.0
"""What an image is to be: the rules of COPY, the labels, the command, the kernel."""

from __future__ import annotations

import json
import os
from base64 import b64decode
from typing import TYPE_CHECKING

import pytest

from bima.containerfile import parse
from bima.context import Context
from bima.errors import ContainerfileError, ContextError, ImageError, KernelError
from bima.plan import ImagePlan, plan
from bima.platform import Platform
from bima.tree import Data, Directory, File, Link
from urunc_common.errors import ConfigError, Error

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LABELS = """
LABEL com.urunc.unikernel.unikernelType=generic
LABEL com.urunc.unikernel.hypervisor=qemu
LABEL com.urunc.unikernel.binary=/k
"""
WHOLE = f"COPY kernel /k{LABELS}"


@pytest.fixture
def context(project_at: Callable[..., Path], tmp_path: Path) -> Path:
    """A build directory with a little of everything."""
    files = {
        name: name.encode() for name in ("a", "b", "dir/one", "dir/sub/two", "dir/.hidden", "with blank")
    }
    path = project_at(tmp_path / "context", files)
    (path / "dir/link").symlink_to("/nowhere/at/all")
    (path / "to-dir").symlink_to("dir")
    (path / "to-a").symlink_to("a")
    (path / "out").symlink_to("/etc")
    (path / "up").symlink_to("../outside")
    (tmp_path / "outside").write_bytes(b"secret")
    return path


DECLARES = "run.urunc.ports"


def planned(context: Path, text: str, platform: Platform | None = None) -> ImagePlan:
    return plan(parse(text, "C"), Context(context), platform)


def copied(context: Path, *copies: str) -> dict[str, str]:
    """Image path -> what the file says, `/` for a directory, `-> target` for a link."""
    result = planned(context, "\n".join([WHOLE, *(f"COPY {copy}" for copy in copies)]))
    found = {}
    for layer in result.layers[1:-1]:
        for path, entry in layer.entries.items():
            match entry:
                case Directory():
                    found[path] = "/"
                case Link(target):
                    found[path] = f"-> {target}"
                case Data(content):
                    found[path] = content.decode()
                case File(source):
                    found[path] = source.read_text()
    return found


DIR = {
    ".hidden": "dir/.hidden",
    "link": "-> /nowhere/at/all",
    "one": "dir/one",
    "sub": "/",
    "sub/two": "dir/sub/two",
}


def below(top: str) -> dict[str, str]:
    return {f"{top}/{path}": what for path, what in DIR.items()}


@pytest.mark.parametrize(
    ("copies", "files"),
    [
        (["a /x"], {"x": "a"}),
        (["a x/y/z"], {"x": "/", "x/y": "/", "x/y/z": "a"}),
        (["a /x/"], {"x": "/", "x/a": "a"}),
        (["a /"], {"a": "a"}),
        (["a ."], {"a": "a"}),
        (["a ./"], {"a": "a"}),
        (["/a /x"], {"x": "a"}),
        (["./dir/../a /x"], {"x": "a"}),
        (["a ../../x"], {"x": "a"}),
        (["a b /x/"], {"x": "/", "x/a": "a", "x/b": "b"}),
        (["[ab] /x/"], {"x": "/", "x/a": "a", "x/b": "b"}),
        (
            ["dir/[^l]* /x/"],
            {"x": "/", "x/.hidden": "dir/.hidden", "x/one": "dir/one", "x/two": "dir/sub/two"},
        ),
        (["dir /x"], {"x": "/", **below("x")}),
        (["dir/ /x/"], {"x": "/", **below("x")}),
        (["dir /"], DIR),
        (["dir/sub /x", "a /x"], {"x": "/", "x/two": "dir/sub/two", "x/a": "a"}),
        (["a /x", "b /x"], {"x": "b"}),
        (["to-a /x"], {"x": "a"}),
        (["to-a /x/"], {"x": "/", "x/to-a": "a"}),
        (["to-dir/one /x"], {"x": "dir/one"}),
        (["to-dir /x"], {"x": "/", **below("x")}),
        (['["with blank", "/x y"]'], {"x y": "with blank"}),
        (["dir/sub /x", "dir/sub /x"], {"x": "/", "x/two": "dir/sub/two"}),
    ],
)
def test_copy_follows_dockers_rules(context: Path, copies: list[str], files: dict[str, str]) -> None:
    assert copied(context, *copies) == files


def test_the_image_sees_through_links_it_has_got(context: Path) -> None:
    (context / "root/usr/lib").mkdir(parents=True)
    (context / "root/lib").symlink_to("usr/lib")
    (context / "root/usr/lib/again").symlink_to("/lib")
    found = copied(context, "root /", "a /lib/", "b /usr/lib/again/x/y")
    assert found == {
        "usr": "/",
        "usr/lib": "/",
        "usr/lib/again": "-> /lib",
        "lib": "-> usr/lib",
        "usr/lib/a": "a",
        "usr/lib/x": "/",
        "usr/lib/x/y": "b",
    }


@pytest.mark.parametrize(
    ("copy", "message"),
    [
        ("missing /x", "missing is not in the build directory"),
        ("dir/missing /x", "dir/missing is not in the build directory"),
        ("a/b /x", "a/b: Not a directory"),
        ("*.none /x", "matches *.none"),
        ("../outside /x", "../outside is outside the build directory"),
        ("dir/../../outside /x", "dir/../../outside is outside the build directory"),
        ("/../outside /x", "is outside the build directory"),
        ("../* /x/", "is outside the build directory"),
        ("up /x", "up is outside the build directory"),
        ("out/passwd /x", "out/passwd is outside the build directory"),
        ("out /x", "out is outside the build directory"),
        ("o*t/passwd /x", "is outside the build directory"),
        ("dir/link /x", "dir/link is not in the build directory"),
    ],
)
def test_a_source_that_is_missing_or_outside_is_named_with_its_line(
    context: Path, copy: str, message: str
) -> None:
    with pytest.raises(ContextError) as refused:
        copied(context, copy)
    assert str(refused.value).startswith("C:6: ")
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("copies", "message"),
    [
        (["a /x", "b /x/y"], "/x is already a file, so it cannot become a directory"),
        (["dir/sub /d/one", "dir /d"], "/d/one is already a directory, so it cannot become a file"),
        (["a /x", "dir /x"], "/x is already a file"),
        (["a /.wh.x"], "/.wh.x: a name in an image cannot begin with .wh."),
        (["a /urunc.json"], "/urunc.json was copied"),
        (["a /" + "n" * 256], "a name in it 255"),
        (["a /" + "n/" * 3000], "a path in an image has up to 4095 bytes"),
        (["[ab] /y"], "[ab] are 2 files, and /y is one"),
    ],
)
def test_what_cannot_be_in_an_image_is_refused(context: Path, copies: list[str], message: str) -> None:
    with pytest.raises(Error) as refused:
        copied(context, *copies)
    assert message in str(refused.value)


def test_a_pipe_is_not_copied(context: Path) -> None:
    os.mkfifo(context / "dir/pipe")
    with pytest.raises(ContextError, match="dir/pipe is neither a file"):
        copied(context, "dir /x")


def test_a_circle_of_links_in_the_image_is_an_error(context: Path) -> None:
    (context / "loop").mkdir()
    (context / "loop/x").symlink_to("x")
    with pytest.raises(ImageError, match="circle of symbolic links"):
        copied(context, "loop /", "a /x/y")


def test_the_configuration_is_annotations_labels_and_a_file(context: Path) -> None:
    result = planned(context, WHOLE + "LABEL other=thing\nENV A=1 B=2\nENV A=3\nENTRYPOINT e\nCMD c d")
    ours = {
        "com.urunc.unikernel.unikernelType": "generic",
        "com.urunc.unikernel.hypervisor": "qemu",
        "com.urunc.unikernel.binary": "/k",
    }
    assert result.annotations == ours
    assert result.config.labels == {"other": "thing", **ours}
    assert result.config.env == ("A=3", "B=2")
    assert result.config.entrypoint == ("e",)
    assert result.config.cmd == ("c", "d")
    assert result.layers[-1].entries == {
        "urunc.json": Data(
            b'{"com.urunc.unikernel.binary":"L2s=","com.urunc.unikernel.hypervisor":"cWVtdQ==",'
            b'"com.urunc.unikernel.unikernelType":"Z2VuZXJpYw=="}'
        )
    }


@pytest.mark.parametrize(
    ("text", "cmd"),
    [
        ("LABEL com.urunc.unikernel.cmdline='redis \"two words\"'", ("redis", "two words")),
        ('LABEL com.urunc.unikernel.cmdline={"a": "b c"}', ('{"a": "b c"}',)),
        ("LABEL com.urunc.unikernel.cmdline=x\nCMD y", ("y",)),
        ("LABEL com.urunc.unikernel.cmdline=x\nENTRYPOINT y", ()),
        ("", ()),
    ],
)
def test_an_old_command_line_becomes_the_command(context: Path, text: str, cmd: tuple[str, ...]) -> None:
    assert planned(context, WHOLE + text).config.cmd == cmd


def test_an_image_without_labels_of_ours_is_refused(context: Path) -> None:
    with pytest.raises(ImageError, match="nothing says how to boot") as refused:
        planned(context, "COPY kernel /k\nLABEL a=b")
    assert "com.urunc.unikernel.hypervisor" in refused.value.hint


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("hypervisor=qemu", "hypervisor=quemu", "quemu"),
        ("hypervisor=qemu", "hypervizor=qemu", "hypervizor"),
        ("LABEL com.urunc.unikernel.hypervisor=qemu", "", "missing com.urunc.unikernel.hypervisor"),
        ("unikernelType=generic", "unikernelType=rumprun", "a rumprun unikernel does not run on qemu"),
        ("binary=/k", "binary=/../k", "/../k"),
    ],
)
def test_a_wrong_configuration_is_refused_before_it_is_built(
    context: Path, old: str, new: str, message: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        planned(context, WHOLE.replace(old, new))
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("text", "key", "message"),
    [
        (LABELS + "COPY a /a", "binary", "/k is not in the image"),
        (WHOLE + "LABEL com.urunc.unikernel.initrd=/i", "initrd", "/i is not in the image"),
        (
            WHOLE + "LABEL com.urunc.unikernel.block=/d com.urunc.unikernel.blkMntPoint=/",
            "block",
            "/d is not in",
        ),
        ("COPY dir /k" + LABELS, "binary", "/k is not a file in the image"),
    ],
)
def test_a_file_that_the_labels_name_must_be_copied(context: Path, text: str, key: str, message: str) -> None:
    with pytest.raises(ImageError) as refused:
        planned(context, text)
    assert str(refused.value).startswith(f"com.urunc.unikernel.{key}: {message}")
    assert "copied are /" in refused.value.hint


@pytest.mark.parametrize("platform", [None, Platform("amd64")])
def test_an_empty_kernel_is_refused(context: Path, platform: Platform | None) -> None:
    (context / "kernel").write_bytes(b"")
    with pytest.raises(ImageError, match=r"unikernel\.binary: /k is empty"):
        planned(context, WHOLE, platform)


def test_a_kernel_may_come_with_its_directory_or_behind_a_link(context: Path) -> None:
    (context / "boot").mkdir()
    (context / "boot/vmlinuz").write_bytes((context / "kernel").read_bytes())
    (context / "boot/k").symlink_to("vmlinuz")
    assert planned(context, "COPY boot /" + LABELS).config.architecture == "amd64"


def test_a_label_longer_than_containerd_takes_is_refused(context: Path) -> None:
    planned(context, WHOLE + f"LABEL long={'x' * 4092}")
    with pytest.raises(ContainerfileError, match=r"C:5: label long and its value have 4097 bytes"):
        planned(context, WHOLE + f"LABEL long={'x' * 4093}")
    with pytest.raises(ContainerfileError, match="4098 bytes"):
        planned(context, WHOLE + f"LABEL long={'é' * 2047}")


def test_the_platform_overrides_an_unknown_kernel_only(context: Path) -> None:
    text = WHOLE.replace("COPY kernel", "COPY a")
    with pytest.raises(KernelError, match="/k has a format that is not known"):
        planned(context, text)
    assert planned(context, text, Platform("arm", "v7")).config.platform == {
        "os": "linux",
        "architecture": "arm",
        "variant": "v7",
    }
    with pytest.raises(KernelError, match="built for amd64, not for arm64"):
        planned(context, WHOLE, Platform("arm64"))


def test_a_layer_per_copy_and_one_for_the_configuration(context: Path) -> None:
    result = planned(context, f"FROM scratch\n{WHOLE}COPY a /a\nCMD x")
    assert [layer.text for layer in result.layers] == ["COPY kernel /k", "COPY a /a", "/urunc.json"]
    assert sum(not step.empty for step in result.history) == len(result.layers)


def test_a_context_must_be_a_directory(tmp_path: Path) -> None:
    with pytest.raises(ContextError, match="is not a directory"):
        Context(tmp_path / "none")


@pytest.mark.parametrize(
    ("lines", "declared"),
    [
        ("EXPOSE 80 8000-8002\nEXPOSE 53/UDP 81", "80-81/tcp,8000-8002/tcp,53/udp"),
        ('LABEL run.urunc.ports="80-90"', "80-90"),
        ('LABEL run.urunc.ports="80-90"\nEXPOSE 443', "443/tcp"),
    ],
)
def test_exposed_ports_are_declared_to_the_runtime(context: Path, lines: str, declared: str) -> None:
    result = planned(context, f"{WHOLE}{lines}")
    stored = result.layers[-1].entries["urunc.json"]
    assert isinstance(stored, Data)
    assert result.annotations[DECLARES] == result.config.labels[DECLARES] == declared
    assert b64decode(json.loads(stored.content)[DECLARES]).decode() == declared


def test_an_image_that_exposes_nothing_declares_nothing(context: Path) -> None:
    assert DECLARES not in planned(context, WHOLE).annotations


def test_a_label_that_declares_no_ports_is_refused(context: Path) -> None:
    with pytest.raises(ConfigError, match="'http' is no port"):
        planned(context, f'{WHOLE}LABEL run.urunc.ports="http"')
