# SPDX-License-Identifier: Apache-2.0
"""Kernels and root file systems become images, by flags alone."""

from __future__ import annotations

import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

import pytest
from capabilities import require
from sample_image import make_image

from bima.layout import Layout

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Mapping
    from pathlib import Path

    Bima = Callable[..., subprocess.CompletedProcess[str]]

KERNEL = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\x3e\x00" + b"kernel" * 99
PREFIX = "com.urunc.unikernel."
UNIKRAFT = ("--type", "unikraft", "--monitor", "qemu")
LINUX = ("--type", "linux", "--monitor", "qemu")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A kernel, and root file systems of each kind."""
    files = {
        "k": KERNEL,
        "root/etc/conf": b"conf",
        "root/server": b"server",
        "app/Dockerfile": b'FROM scratch\nCOPY server /bin/\nENV A=1\nWORKDIR /srv\nCMD ["/bin/server"]\n',
        "app/server": b"server",
        "made.cpio": b"070701" + b"0" * 104,
        "made.ext": bytes(1080) + b"\x53\xef" + bytes(1000),
        "made.erofs": bytes(1024) + b"\xe2\xe1\xf5\xe0" + bytes(1000),
        "text": b"just text",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    with tarfile.open(tmp_path / "root.tar", "w") as tar:
        tar.add(tmp_path / "root/server", "bin/server")
    return tmp_path


def packed(bima: Bima, folder: Path, *words: str) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The config, with the annotations beside it, and the image's files."""
    done = bima("pack", "-q", "-t", "x", "-o", f"oci:{folder}/out", "-k", f"{folder}/k", *words)
    assert done.returncode == 0, done.stderr
    return image(folder)


def image(folder: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    layout = Layout(folder / "out")
    ((_, descriptor),) = layout.index.items()
    manifest = layout.document(descriptor.digest)
    files = {}
    for layer in manifest["layers"]:
        with tarfile.open(fileobj=io.BytesIO(layout.read(layer["digest"]))) as tar:
            files |= {each.name: file.read() for each in tar if (file := tar.extractfile(each))}
    config = layout.document(manifest["config"]["digest"])
    return {**config, "annotations": annotations(manifest)}, files


def annotations(manifest: Mapping[str, Any]) -> dict[str, str]:
    return {key.removeprefix(PREFIX): value for key, value in manifest["annotations"].items()}


def test_a_kernel_alone_is_an_image(bima: Bima, folder: Path) -> None:
    config, files = packed(
        bima, folder, *UNIKRAFT, "--version", "0.17.0", "-e", "A=1", "-l", "x=y", "--", "/a", "-b"
    )
    assert config["annotations"] == {
        "unikernelType": "unikraft", "hypervisor": "qemu", "binary": "/.boot/kernel",
        "unikernelVersion": "0.17.0",
    }  # fmt: skip
    assert files[".boot/kernel"] == KERNEL
    assert sorted(files) == [".boot/kernel", "urunc.json"]
    assert config["architecture"] == "amd64"
    assert (config["config"]["Cmd"], config["config"]["Env"]) == (["/a", "-b"], ["A=1"])
    assert config["config"]["Labels"]["x"] == "y"


@pytest.mark.parametrize(("source", "server"), [("root", "server"), ("root.tar", "bin/server")])
def test_a_directory_or_tar_is_the_images_own_root(
    bima: Bima, folder: Path, source: str, server: str
) -> None:
    config, files = packed(bima, folder, *LINUX, "--rootfs", f"{folder}/{source}")
    assert config["annotations"]["mountRootfs"] == "true"
    assert files[server] == b"server"


@pytest.mark.parametrize("source", ["root", "root.tar", "app/Dockerfile"])
def test_an_initrd_is_made_of_whatever_has_files(bima: Bima, folder: Path, source: str) -> None:
    config, files = packed(bima, folder, *UNIKRAFT, "--rootfs", f"{folder}/{source}")
    assert config["annotations"]["initrd"] == "/.boot/rootfs"
    assert files[".boot/rootfs"].startswith(b"070701")
    assert b"server" in files[".boot/rootfs"]
    assert sorted(files) == [".boot/kernel", ".boot/rootfs", "urunc.json"]
    if source == "app/Dockerfile":
        said = config["config"]
        assert (said["Cmd"], said["Env"], said["WorkingDir"]) == (["/bin/server"], ["A=1"], "/srv")


def test_an_initrd_can_be_made_of_an_image(bima: Bima, folder: Path) -> None:
    make_image(folder / "data/bima", "base", files={"server": b"server"})
    config, files = packed(bima, folder, *UNIKRAFT, "--rootfs", "base", "--rootfs-compression", "gzip")
    assert files[".boot/rootfs"].startswith(b"\x1f\x8b")
    assert config["config"]["Cmd"] == ["hello"]


def test_an_image_as_it_is_can_be_the_root(bima: Bima, folder: Path) -> None:
    base = make_image(folder / "data/bima", "base", files={"server": b"server"})
    config, files = packed(bima, folder, *LINUX, "--rootfs", "base", "--", "new")
    assert files["server"] == b"server"
    assert config["annotations"]["mountRootfs"] == "true"
    assert config["config"]["Cmd"] == ["new"]
    assert (
        config["rootfs"]["diff_ids"][0] == base.layout.document(base.config_digest)["rootfs"]["diff_ids"][0]
    )


@pytest.mark.parametrize(
    ("guest", "kind", "magic", "mount_point"),
    [
        (LINUX, "block", b"\x53\xef", "/"),
        (LINUX, "ext2", b"\x53\xef", "/"),
        (("--type", "rumprun", "--monitor", "hvt"), "block", b"\x53\xef", "/data"),
        (LINUX, "erofs", b"\xe2\xe1\xf5\xe0", "/"),
    ],
)
def test_a_disk_image_is_made_of_a_directory(
    bima: Bima, folder: Path, guest: tuple[str, ...], kind: str, magic: bytes, mount_point: str
) -> None:
    require("e2fsprogs", "erofs-utils")
    config, files = packed(bima, folder, *guest, "--rootfs", f"{folder}/root", "--rootfs-type", kind)
    image = files[".boot/rootfs"]
    assert magic in (image[1080:1082], image[1024:1028])
    assert config["annotations"]["block"] == "/.boot/rootfs"
    assert config["annotations"]["blkMntPoint"] == mount_point


def test_the_size_of_a_disk_image_can_be_chosen(bima: Bima, folder: Path) -> None:
    require("e2fsprogs")
    words = ("--rootfs", f"{folder}/root", "--rootfs-type", "ext4", "--rootfs-size", "33m")
    assert len(packed(bima, folder, *LINUX, *words)[1][".boot/rootfs"]) == 33 << 20


@pytest.mark.parametrize(
    ("name", "key"), [("made.cpio", "initrd"), ("made.ext", "block"), ("made.erofs", "block")]
)
def test_a_finished_root_is_recognised_and_kept_as_it_is(
    bima: Bima, folder: Path, name: str, key: str
) -> None:
    config, files = packed(bima, folder, *LINUX, "--rootfs", f"{folder}/{name}")
    assert files[".boot/rootfs"] == (folder / name).read_bytes()
    assert config["annotations"][key] == "/.boot/rootfs"


def test_a_linux_guest_may_have_an_initrd_that_only_boots_it(bima: Bima, folder: Path) -> None:
    words = ("--rootfs", f"{folder}/made.ext", "--initrd", f"{folder}/made.cpio")
    config, files = packed(bima, folder, *LINUX, *words)
    assert config["annotations"]["initrd"] == "/.boot/initrd"
    assert config["annotations"]["block"] == "/.boot/rootfs"
    assert files[".boot/initrd"] == (folder / "made.cpio").read_bytes()


def test_a_kernel_comes_out_of_an_image(bima: Bima, folder: Path) -> None:
    make_image(folder / "data/bima", "base", files={"boot/kernel": KERNEL, "rest": b"rest"})
    done = bima(
        "pack",
        "-q",
        "-t",
        "x",
        "-o",
        f"oci:{folder}/out",
        "-k",
        "/boot/kernel",
        "--kernel-from",
        "base",
        *UNIKRAFT,
    )
    assert done.returncode == 0, done.stderr
    document = json.loads((folder / "out/index.json").read_text())
    manifest = Layout(folder / "out").document(document["manifests"][0]["digest"])
    assert len(manifest["layers"]) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--rootfs", "text", *UNIKRAFT),
            "text is no root file system that is known here; it can be a directory",
        ),
        (("--rootfs", "Not/There", *UNIKRAFT), "bima pack: image name 'Not/There'"),
        (("-k", "none", *UNIKRAFT), "none is not in"),
        (("-k", "root", *UNIKRAFT), "root is not a file"),
        (("--type", "unikraft", "--monitor", "hvt"), "a unikraft unikernel does not run on hvt"),
        (("--type", "unikraft", "--monitor", "quemu"), "Invalid value for '--monitor'"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_cannot_be_packed_is_refused(bima: Bima, words: tuple[str, ...], message: str) -> None:
    done = bima("pack", "-t", "x", "-k", "k", *words)
    assert done.returncode != 0
    assert message in done.stderr


FILES = {
    "local initrd": """
version: v0.1
platforms: {framework: unikraft, version: 0.17.0, monitor: qemu, architecture: x86}
rootfs: {from: local, path: made.cpio}
kernel: {from: local, path: k}
cmd: ["/server"]
""",
    "catalog": """
version: v0.1
platforms: {framework: unikraft, version: 0.18.0, monitor: qemu, architecture: x86}
rootfs:
  from: scratch
  include: ["root/server:/chttp"]
kernel: {from: base, path: /unikraft/bin/kernel}
cmd: ["/chttp"]
""",
    "raw": """
version: v0.1
platforms: {framework: rumprun, monitor: hvt, architecture: x86}
rootfs:
  from: scratch
  type: raw
  include: ["root/etc/:/conf"]
kernel: {from: local, path: k}
cmd: ["redis-server", "/data/conf/conf"]
""",
    "image": """
version: v0.1
platforms: {framework: linux, monitor: qemu}
rootfs: {from: base, type: raw}
kernel: {from: local, path: k}
""",
    "none": """
version: v0.1
platforms: {framework: mirage, monitor: hvt}
kernel: {from: local, path: k}
cmdline: ""
""",
}
EXPECTED: dict[str, tuple[dict[str, str], list[str], list[str] | None]] = {
    "local initrd": ({"initrd": "/.boot/rootfs"}, [".boot/kernel", ".boot/rootfs"], ["/server"]),
    "catalog": ({"initrd": "/.boot/rootfs"}, [".boot/kernel", ".boot/rootfs"], ["/chttp"]),
    "raw": ({"mountRootfs": "true"}, [".boot/kernel", "conf/conf"], ["redis-server", "/data/conf/conf"]),
    "image": ({"mountRootfs": "true"}, [".boot/kernel", "unikraft/bin/kernel"], ["hello"]),
    "none": ({}, [".boot/kernel"], None),
}


@pytest.mark.parametrize("name", FILES)
def test_the_examples_of_bunny_are_built(bima: Bima, folder: Path, name: str) -> None:
    make_image(folder / "data/bima", "base", files={"unikraft/bin/kernel": KERNEL})
    (folder / "bunnyfile").write_text(FILES[name])
    config, files = built(bima, folder)
    labels, names, cmd = EXPECTED[name]
    assert config["annotations"]["binary"] == "/.boot/kernel"
    assert {
        key: value for key, value in config["annotations"].items() if key in ("initrd", "mountRootfs")
    } == labels
    assert sorted(files) == [*names, "urunc.json"]
    assert config.get("config", {}).get("Cmd") == cmd


def built(bima: Bima, folder: Path, *words: str) -> tuple[dict[str, Any], dict[str, bytes]]:
    done = bima("build", "-q", "-t", "x", "-o", f"oci:{folder}/out", *words, str(folder))
    assert done.returncode == 0, done.stderr
    return image(folder)


def test_a_kraftfile_with_a_dockerfile_is_built(bima: Bima, folder: Path) -> None:
    make_image(folder / "data/bima", "unikraft.org/base:latest", files={"unikraft/bin/kernel": KERNEL})
    (folder / "Kraftfile").write_text(
        "spec: v0.6\nruntime: base:latest\nrootfs: ./app/Dockerfile\n"
        'cmd: ["/bin/server", "-p"]\nenv: {B: 2}\n'
    )
    config, files = built(bima, folder)
    assert config["annotations"]["initrd"] == "/.boot/rootfs"
    assert config["annotations"]["unikernelType"] == "unikraft"
    assert b"bin/server\0" in files[".boot/rootfs"]
    assert (config["config"]["Cmd"], config["config"]["Env"]) == (["/bin/server", "-p"], ["A=1", "B=2"])


def test_a_runtime_of_unikraft_brings_its_version_and_its_initrd(bima: Bima, folder: Path) -> None:
    files = {"unikraft/bin/kernel": KERNEL, "unikraft/bin/initrd": b"070701inside"}
    make_image(folder / "data/bima", "unikraft.org/nginx:1.25", files=files, version="0.16.3")
    (folder / "Kraftfile").write_text("spec: v0.6\nruntime: nginx:1.25\n")
    config, found = built(bima, folder)
    assert found[".boot/rootfs"] == b"070701inside"
    assert config["annotations"]["unikernelVersion"] == "0.16.3"


def test_an_architecture_that_the_kernel_is_not_for_is_refused(bima: Bima, folder: Path) -> None:
    (folder / "bunnyfile").write_text(
        FILES["none"].replace("monitor: hvt", "monitor: hvt, architecture: arm64")
    )
    done = bima("build", "-t", "x", str(folder))
    assert (done.returncode, done.stdout) == (1, "")
    assert "the kernel k is built for amd64, not for arm64" in done.stderr


def test_a_bunnyfile_has_no_stages(bima: Bima, folder: Path) -> None:
    (folder / "bunnyfile").write_text(FILES["none"])
    done = bima("build", "-t", "x", "--target", "y", str(folder))
    assert "has neither stages nor ARG" in done.stderr


def converted(bima: Bima, folder: Path, *words: str) -> tuple[dict[str, Any], dict[str, bytes]]:
    done = bima("convert", "-q", "-t", "x", "-o", f"oci:{folder}/out", *words)
    assert done.returncode == 0, done.stderr
    return image(folder)


def test_an_ordinary_image_becomes_a_linux_guest(bima: Bima, folder: Path) -> None:
    make_image(folder / "data/bima", "ordinary", files={"bin/server": b"server"})
    config, files = converted(
        bima, folder, "ordinary", "-k", f"{folder}/k", "--initrd", f"{folder}/made.cpio"
    )
    assert config["annotations"] == {
        "unikernelType": "linux", "hypervisor": "qemu", "binary": "/.boot/kernel", "initrd": "/.boot/initrd",
        "mountRootfs": "true",
    }  # fmt: skip
    assert files["bin/server"] == b"server"
    assert config["config"]["Cmd"] == ["hello"]
    config, files = converted(
        bima,
        folder,
        "store:ordinary",
        "-k",
        f"{folder}/k",
        "--rootfs-type",
        "initrd",
        "--monitor",
        "firecracker",
    )
    assert config["annotations"]["initrd"] == "/.boot/rootfs"
    assert config["annotations"]["hypervisor"] == "firecracker"


def test_the_kernel_is_the_one_of_the_runtimes_configuration(
    bima: Bima, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_image(folder / "data/bima", "ordinary", files={"bin/server": b"server"})
    monkeypatch.setenv("URUNC_CONFIG_FILE", str(folder / "config.toml"))
    done = bima("convert", "-t", "x", "ordinary")
    assert (done.returncode, "default.kernel" in done.stderr) == (1, True)
    (folder / "config.toml").write_text(f'[default]\nkernel = "{folder}/k"\n')
    assert converted(bima, folder, "ordinary")[1][".boot/kernel"] == KERNEL


def test_an_image_of_unikrafts_catalog_keeps_its_kernel(bima: Bima, folder: Path) -> None:
    files = {"unikraft/bin/kernel": KERNEL, "unikraft/bin/initrd": b"070701inside"}
    make_image(folder / "data/bima", "unikraft.org/nginx:1.25", files=files, version="0.16.3")
    config, found = converted(bima, folder, "unikraft.org/nginx:1.25")
    assert config["annotations"] == {
        "unikernelType": "unikraft", "hypervisor": "qemu", "binary": "/.boot/kernel",
        "initrd": "/.boot/rootfs", "unikernelVersion": "0.16.3",
    }  # fmt: skip
    assert found[".boot/rootfs"] == b"070701inside"
