# SPDX-License-Identifier: Apache-2.0
"""bunnyfiles and Kraftfiles: what they mean, and what is refused."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bima import bunnyfile, kraftfile
from bima.errors import ContainerfileError
from bima.recipe import Recipe

if TYPE_CHECKING:
    from bima.package import Package, Place

BUNNY = """#syntax=harbor.nbfc.io/nubificus/bunny:latest
version: v0.1
platforms:
  framework: unikraft
  version: 0.18.0
  monitor: qemu
  architecture: x86
rootfs:
  from: scratch
  include:
  - conf:/etc/conf
  - server
  - {from: "nginx:latest", source: /a, destination: /b}
kernel:
  from: unikraft.org/base:latest
  path: /unikraft/bin/kernel
cmd: ["/chttp", "a b"]
entrypoint: [e]
envs: ["K=V"]
"""
KRAFT = """spec: v0.6
name: app
runtime: base:latest
rootfs: ./Dockerfile
cmd: ["/server", "-x"]
env: {A: 1, B: ""}
labels: {x: y}
targets: [xen/x86_64, fc/x86_64]
"""


def shown(place: Place | None) -> tuple[str, str]:
    assert place
    return place.image, place.path


def test_a_bunnyfile_is_read_whole() -> None:
    found = bunnyfile.parse(BUNNY, "bunnyfile")
    assert (found.guest, found.version, found.monitor, found.architecture) == (
        "unikraft", "0.18.0", "qemu", "amd64",
    )  # fmt: skip
    assert shown(found.kernel) == ("unikraft.org/base:latest", "/unikraft/bin/kernel")
    assert (found.cmd, found.entrypoint, found.env) == (("/chttp", "a b"), ("e",), ("K=V",))
    assert found.root
    assert found.root.source is None
    assert found.root.kind_for("unikraft") == "initrd"
    assert [(shown(each.source), each.destination) for each in found.root.includes] == [
        (("", "conf"), "/etc/conf"),
        (("", "server"), "/server"),
        (("nginx:latest", "/a"), "/b"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "field", "value"),
    [
        ("version: v0.1", "version: 0.1", "version", "0.18.0"),
        ("  version: 0.18.0\n", "", "version", ""),
        ("  version: 0.18.0\n", "  version: 0.10\n", "version", "0.10"),
        ('cmd: ["/chttp", "a b"]', "cmdline: a 'b c'", "cmd", ("a", "b c")),
        ('cmd: ["/chttp", "a b"]', "cmdline: ''", "cmd", ()),
        ('cmd: ["/chttp", "a b"]', 'cmdline: \'{"a": "b c"}\'', "cmd", ('{"a": "b c"}',)),
        ('cmd: ["/chttp", "a b"]\n', "", "cmd", None),
        ("architecture: x86", "architecture: aarch64", "architecture", "aarch64"),
    ],
)
def test_each_part_of_a_bunnyfile_may_differ(old: str, new: str, field: str, value: Any) -> None:
    assert old in BUNNY
    assert getattr(bunnyfile.parse(BUNNY.replace(old, new), "b"), field) == value


@pytest.mark.parametrize(
    ("rootfs", "guest", "kind"),
    [
        ("{from: redis, type: raw}", "linux", "raw"),
        ("{from: redis}", "linux", "raw"),
        ("{from: local, path: a.cpio, type: initrd}", "linux", "initrd"),
        ("{from: local, path: dir, type: block}", "linux", "ext4"),
        ("{from: local, path: dir, type: block}", "rumprun", "ext2"),
        ("{from: local, path: dir, type: erofs}", "linux", "erofs"),
        ("{include: [a]}", "unikraft", "initrd"),
    ],
)
def test_the_kind_of_root_is_as_said_or_usual(rootfs: str, guest: str, kind: str) -> None:
    begin, end = BUNNY.index("rootfs:"), BUNNY.index("kernel:")
    text = f"{BUNNY[:begin]}rootfs: {rootfs}\n{BUNNY[end:]}".replace(
        "framework: unikraft", f"framework: {guest}"
    )
    found = bunnyfile.parse(text, "b")
    assert found.root
    assert found.root.kind_for(guest) == kind


@pytest.mark.parametrize(
    ("old", "new", "line", "message", "hint"),
    [
        ("envs:", "env:", 19, "unknown key 'env'", "envs"),
        ("  monitor: qemu\n", "", 4, "monitor is missing", "monitor: "),
        ("monitor: qemu", "monitor: quemu", 6, "unknown value 'quemu'", "qemu"),
        ("framework: unikraft", "framework: unicraft", 4, "unknown value 'unicraft'", "unikraft"),
        ("version: v0.1\n", "version: v0.2\n", 2, "version v0.2 is newer", ""),
        ("version: v0.1\n", "version: one\n", 2, "'one' is no version", "v0.1"),
        ("version: v0.1\n", "", 2, "version is missing", "version"),
        ("  from: scratch", "  from: scratch\n  path: x", 10, "no path in scratch", "from:"),
        ("  from: scratch", "  from: local", 9, "from local needs its path", "path:"),
        (
            "  from: scratch",
            "  from: x\n  type: blok",
            10,
            "unknown kind of root file system 'blok'",
            "block",
        ),
        ("  from: scratch", "  from: x\n  type: block", 10, "unikraft cannot have a root", "initrd"),
        ("  - server", "  - ''", 12, "has no name", "source:destination"),
        ("  - server", "  - {form: x, source: y}", 12, "unknown key 'form'", "from"),
        ("  - server", "  - [x]", 12, "must be a section", "name: value"),
        ("  path: /unikraft/bin/kernel\n", "", 15, "path is missing", "path"),
        ('envs: ["K=V"]', 'envs: ["K"]', 19, "'K' is no variable", "NAME=VALUE"),
        ("entrypoint: [e]", "entrypoint: e", 18, "must be a list", '["one"'),
        ("entrypoint: [e]", "entrypoint: [[e]]", 18, "must be text", "quotation"),
        ("entrypoint: [e]", "cmd: [e]", 18, "cmd is said twice", "one of them"),
        ("entrypoint: [e]", "entrypoint: [e", 19, "this is no YAML", ""),
        ("entrypoint: [e]", "entrypoint: !!python/object:os.system [e]", 18, "the tag", "leave it out"),
        (
            "entrypoint: [e]",
            "entrypoint: &a [e]\ncmdline: *a",
            19,
            "the alias *a is not served",
            "write it out",
        ),
        ("entrypoint: [e]", "? [e]\n: x", 2, "a key is not a word", ""),
    ],
)
def test_a_mistake_in_a_bunnyfile_is_told_with_its_line(
    old: str, new: str, line: int, message: str, hint: str
) -> None:
    assert old in BUNNY
    with pytest.raises(ContainerfileError) as refused:
        bunnyfile.parse(BUNNY.replace(old, new), "bunnyfile")
    assert message in str(refused.value)
    assert hint in refused.value.hint
    assert refused.value.line == line


def test_a_bomb_of_aliases_is_refused_at_once() -> None:
    levels = [f"a{number}: &a{number} [{', '.join([f'*a{number - 1}'] * 9)}]" for number in range(1, 30)]
    with pytest.raises(ContainerfileError, match="the alias"):
        bunnyfile.parse("a0: &a0 [x]\n" + "\n".join(levels), "b")


def test_what_is_nested_too_deeply_is_refused() -> None:
    with pytest.raises(ContainerfileError, match="no YAML that can be read"):
        bunnyfile.parse("a: " + "[" * 5000 + "]" * 5000, "b")


def kraft(text: str, *here: str) -> Package:
    return kraftfile.parse(text, "Kraftfile", lambda path: path in here)


def test_a_kraftfile_is_read_whole() -> None:
    found = kraft(KRAFT, "./Dockerfile")
    assert (found.guest, found.monitor) == ("unikraft", "firecracker")
    assert shown(found.kernel) == ("unikraft.org/base:latest", "/unikraft/bin/kernel")
    assert (found.cmd, found.env, found.labels) == (("/server", "-x"), ("A=1", "B="), {"x": "y"})
    assert found.root
    assert shown(found.root.source) == ("", "./Dockerfile")
    assert found.root.kind == "initrd"


@pytest.mark.parametrize(
    ("rootfs", "place", "kind"),
    [
        ("nginx:latest", ("nginx:latest", ""), "initrd"),
        ("{source: ./Dockerfile, format: erofs}", ("", "./Dockerfile"), "erofs"),
        ("{source: ./Dockerfile, type: dockerfile}", ("", "./Dockerfile"), "initrd"),
        ("{source: ./Dockerfile, type: cpio}", ("", "./Dockerfile"), "initrd"),
        ("", ("unikraft.org/base:latest", "/unikraft/bin/initrd"), "initrd"),
    ],
)
def test_the_root_of_a_kraftfile_is_here_or_an_image(rootfs: str, place: tuple[str, str], kind: str) -> None:
    found = kraft(KRAFT.replace("./Dockerfile", rootfs), "./Dockerfile")
    assert found.root
    assert (shown(found.root.source), found.root.kind) == (place, kind)


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("base", "unikraft.org/base"),
        ("official/nginx:1.25", "unikraft.org/official/nginx:1.25"),
        ("example.org/base:1", "example.org/base:1"),
        ("localhost:5000/base", "localhost:5000/base"),
    ],
)
def test_a_runtime_without_a_registry_is_of_the_catalog(name: str, image: str) -> None:
    assert kraft(KRAFT.replace("base:latest", name)).kernel.image == image


@pytest.mark.parametrize(
    ("old", "new", "line", "message", "hint"),
    [
        ("name: app", "unikraft: {source: x}", 2, "unikraft is not served", "bima pack"),
        ("name: app", "volumes: [x]", 2, "volumes is not served", "when the image is run"),
        ("name: app", "nmae: app", 2, "unknown key 'nmae'", "name"),
        ("spec: v0.6", "spec: v0.9", 1, "version 'v0.9' is not known", "v0.7"),
        ("spec: v0.6\n", "", 1, "specification is missing", ""),
        ("runtime: base:latest\n", "", 1, "runtime is missing", "runtime"),
        ("[xen/x86_64, fc/x86_64]", "[xen/x86_64]", 8, "none of the targets", "qemu"),
        ("./Dockerfile", "{source: x, format: ext4}", 4, "cannot be 'ext4'", "erofs"),
        ('["/server", "-x"]', '"\'"', 5, "no counterpart", ""),
    ],
)
def test_a_mistake_in_a_kraftfile_is_told_with_its_line(
    old: str, new: str, line: int, message: str, hint: str
) -> None:
    assert old in KRAFT
    with pytest.raises(ContainerfileError) as refused:
        kraft(KRAFT.replace(old, new))
    assert message in str(refused.value)
    assert hint in refused.value.hint
    assert refused.value.line == line


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (BUNNY, "bunnyfile"),
        (KRAFT, "Kraftfile"),
        ("---\nspecification: v0.6", "Kraftfile"),
        ("# syntax=x\nFROM scratch", "Containerfile"),
        ("COPY a:b c", "Containerfile"),
        ("", "Containerfile"),
    ],
)
def test_a_file_is_told_by_its_first_line(text: str, kind: str) -> None:
    assert Recipe(text, "x").kind == kind


@settings(max_examples=20)
@given(st.lists(st.one_of(st.sampled_from([*BUNNY.splitlines(), *KRAFT.splitlines()]), st.text(max_size=9))))
def test_any_text_is_a_package_or_refused(lines: list[str]) -> None:
    text = "\n".join(lines).replace("\0", "")
    with suppress(ContainerfileError):
        bunnyfile.parse(text, "b")
    with suppress(ContainerfileError):
        kraft(text)
