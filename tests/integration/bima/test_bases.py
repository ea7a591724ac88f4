# SPDX-License-Identifier: Apache-2.0
"""Images built on images of all places; and what takes a builder of containers."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import os
import shutil
import tarfile
from typing import TYPE_CHECKING

import pytest
from capabilities import require
from daemons import run
from faults import Fault, faulty
from sample_image import make_image
from servers import dockerd, registry

from bima.layout import BuiltImage, Layout
from bima.outputs import Options
from bima.registry.push import push

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from servers import Registry

    Bima = Callable[..., subprocess.CompletedProcess[str]]

KERNEL = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\x3e\x00" + b"kernel" * 99
LABELS = """
LABEL com.urunc.unikernel.unikernelType=generic com.urunc.unikernel.hypervisor=qemu
LABEL com.urunc.unikernel.binary=/k
"""
BASE = {"etc/passwd": b"web:x:7:8::/:\n", "bin/sh": b"shell", "k": KERNEL}


@pytest.fixture
def server() -> Iterator[Registry]:
    require("registry")
    with registry() as server:
        yield server


@pytest.fixture
def context(tmp_path: Path) -> Path:
    path = tmp_path / "context"
    path.mkdir()
    (path / "kernel").write_bytes(KERNEL)
    return path


def built(bima: Bima, context: Path, text: str, *words: str) -> tuple[BuiltImage, dict[str, bytes]]:
    """The image, and the files of its own layers."""
    (context / "Containerfile").write_text(text)
    out = context.parent / "out"
    shutil.rmtree(out, ignore_errors=True)
    done = bima("build", "--plain-http", "-q", "-t", "x", "-o", f"oci:{out}", *words, str(context))
    assert done.returncode == 0, done.stderr
    layout = Layout(out)
    ((_, descriptor),) = layout.index.items()
    image = BuiltImage(layout, descriptor, None)  # type: ignore[arg-type]
    return image, files(image)


def files(image: BuiltImage) -> dict[str, bytes]:
    found = {}
    for layer in image.manifest["layers"]:
        data = image.layout.read(layer["digest"])
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            for member in tar:
                if file := tar.extractfile(member):
                    found[member.name] = file.read()
    return found


@pytest.mark.parametrize("kind", ["registry", "store", "oci", "oci-archive", "docker-archive"])
def test_an_image_of_any_place_is_a_base(
    server: Registry, bima: Bima, context: Path, tmp_path: Path, kind: str
) -> None:
    base = make_image(tmp_path / "base", f"{server.host}/lab/base:1", files=BASE)
    push(base, Options(plain_http=True))
    name = f"{server.host}/lab/base:1"
    if kind != "registry":
        where = {"store": "store", "docker-archive": f"oci-archive:{tmp_path}/file"}.get(
            kind, f"{kind}:{tmp_path}/{kind}"
        )
        assert bima("copy", "--plain-http", name, where).returncode == 0
        if kind == "docker-archive":  # our own archives are both
            strip_layout(tmp_path / "file")
        name = (
            f"{kind}:{tmp_path}/file" if kind == "docker-archive" else where.replace("store", f"store:{name}")
        )
    image, found = built(bima, context, f"FROM {name}\nCOPY --chown=web kernel /etc/{LABELS}")
    assert found["etc/passwd"] == BASE["etc/passwd"]
    assert found["etc/kernel"] == KERNEL
    config = image.layout.document(image.config_digest)
    assert config["config"]["Cmd"] == ["hello"]
    assert config["rootfs"]["diff_ids"][:3] == base.layout.document(base.config_digest)["rootfs"]["diff_ids"]
    assert len(config["history"]) == 3 + 4


def strip_layout(path: Path) -> None:
    """Leave what docker of old understands."""
    plain = io.BytesIO()
    with tarfile.open(path) as whole, tarfile.open(fileobj=plain, mode="w") as half:
        for member in whole:
            if member.name not in ("index.json", "oci-layout"):
                half.addfile(member, whole.extractfile(member))
    path.write_bytes(gzip.compress(plain.getvalue()))


def test_a_base_is_fetched_once_and_then_in_the_store(
    server: Registry, bima: Bima, context: Path, tmp_path: Path
) -> None:
    push(make_image(tmp_path / "base", f"{server.host}/lab/base:1", files=BASE), Options(plain_http=True))
    text = f"FROM {server.host}/lab/base:1\nCOPY kernel /k2{LABELS}"
    first, _ = built(bima, context, text)
    server.stop()
    again, _ = built(bima, context, text)
    assert first.descriptor.digest == again.descriptor.digest
    (context / "Containerfile").write_text(text)
    done = bima("build", "-t", "x", "--pull", "--plain-http", str(context))
    assert (done.returncode, "Containerfile:1: " in done.stderr) == (1, True)


def test_files_are_copied_out_of_an_image(
    server: Registry, bima: Bima, context: Path, tmp_path: Path
) -> None:
    push(make_image(tmp_path / "base", f"{server.host}/lab/base:1", files=BASE), Options(plain_http=True))
    text = f"FROM scratch\nCOPY --from={server.host}/lab/base:1 k bin /x/{LABELS.replace('/k', '/x/k')}"
    image, found = built(bima, context, text)
    assert sorted(found) == ["urunc.json", "x/k", "x/sh"]
    assert len(image.manifest["layers"]) == 2


def test_what_a_base_says_in_urunc_json_is_kept(
    server: Registry, bima: Bima, context: Path, tmp_path: Path
) -> None:
    stored = {
        f"com.urunc.unikernel.{key}": base64.b64encode(value.encode()).decode()
        for key, value in (("unikernelType", "generic"), ("hypervisor", "qemu"), ("binary", "/k"))
    }
    base = make_image(
        tmp_path / "base",
        f"{server.host}/lab/base:1",
        files={"k": KERNEL, "urunc.json": json.dumps(stored).encode()},
    )
    push(base, Options(plain_http=True))
    text = f'FROM {server.host}/lab/base:1\nLABEL com.urunc.unikernel.unikernelType=""\n'
    image, _ = built(bima, context, text.replace('=""', "=generic"))
    assert image.manifest["annotations"]["com.urunc.unikernel.binary"] == "/k"


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_an_archive_is_unpacked_by_add_and_not_by_copy(
    bima: Bima, context: Path, pack: Callable[[bytes], bytes]
) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo("sub/file")
        info.size, info.mode, info.uid = 3, 0o4711, 5
        tar.addfile(info, io.BytesIO(b"abc"))
    (context / "archive").write_bytes(pack(buffer.getvalue()))
    text = f"COPY kernel /k{LABELS}ADD archive kernel /one/\nCOPY archive /two/"
    _, found = built(bima, context, text)
    assert found["one/sub/file"] == b"abc"
    assert found["one/kernel"] == KERNEL
    assert found["two/archive"] == (context / "archive").read_bytes()


def test_an_address_is_added_if_its_checksum_is_right(bima: Bima, context: Path) -> None:
    checksum = hashlib.sha256(b"text").hexdigest()
    with faulty() as proxy:
        proxy.faults.append(Fault("GET", "/file.txt", status=200, body=b"text", times=9))
        add = f"http://{proxy.host}/file.txt /x/"
        _, found = built(bima, context, f"COPY kernel /k{LABELS}ADD --checksum=sha256:{checksum} {add}")
        assert found["x/file.txt"] == b"text"
        for option, message in (
            ("", "may be another file tomorrow"),
            (f"--checksum=sha256:{'0' * 64} ", f"has the checksum sha256:{checksum}"),
        ):
            (context / "Containerfile").write_text(f"COPY kernel /k{LABELS}ADD {option}{add}")
            done = bima("build", "-t", "x", str(context))
            assert done.returncode == 1
            assert message in done.stderr
            assert "Containerfile:4: " in done.stderr


@pytest.fixture(params=["buildah", "podman", "docker"])
def builder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """One of the programs, with storage of its own."""
    require("root", "busybox")
    if request.param == "docker":
        require("docker")
        with dockerd() as server:
            monkeypatch.setenv("DOCKER_HOST", server.host)
            yield "docker"
            assert server.docker("images", "-q", "--filter", "dangling=false").stdout == ""
        return
    require(request.param)
    (tmp_path / "storage.conf").write_text(
        f'[storage]\ndriver = "vfs"\nrunroot = "{tmp_path}/runroot"\ngraphroot = "{tmp_path}/graphroot"\n'
    )
    (tmp_path / "containers.conf").write_text('[containers]\ndefault_ulimits = ["nofile=1024:20000"]\n')
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(tmp_path / "storage.conf"))
    monkeypatch.setenv("CONTAINERS_CONF", str(tmp_path / "containers.conf"))
    monkeypatch.setenv("BUILDAH_ISOLATION", "chroot")
    yield request.param


def test_run_is_done_by_a_program_that_can(builder: str, bima: Bima, context: Path) -> None:
    busybox = shutil.which("busybox")
    assert busybox
    shutil.copy(busybox, context / "busybox")
    text = f"""FROM scratch AS made
COPY busybox /bin/busybox
ARG WORD
RUN ["/bin/busybox", "sh", "-c", "echo made $WORD > /made"]
FROM scratch
COPY kernel /k
COPY --from=made /made /there{LABELS}"""
    _, found = built(bima, context, text, "--builder", builder, "--build-arg", "WORD=here")
    assert found["there"] == b"made here\n"
    text = f"FROM scratch\nCOPY busybox /bin/busybox\nCOPY kernel /k{LABELS}"
    image, found = built(
        bima, context, f'{text}RUN ["/bin/busybox", "touch", "/tmp-file"]\nUSER 5', "--builder", builder
    )
    assert "tmp-file" in found
    assert image.layout.document(image.config_digest)["config"]["User"] == "5"


def test_a_run_that_fails_is_told_with_its_line(builder: str, bima: Bima, context: Path) -> None:
    (context / "Containerfile").write_text(f'FROM scratch\nCOPY kernel /k\n{LABELS}RUN ["/none"]')
    done = bima("build", "-t", "x", "--builder", builder, str(context))
    assert done.returncode == 1
    assert f"Containerfile:6: {builder} cannot build stage 0" in done.stderr


def test_run_without_such_a_program_names_the_line(
    bima: Bima, context: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (context / "Containerfile").write_text("FROM scratch\nRUN make all")
    monkeypatch.setenv("PATH", str(context))
    done = bima("build", "-t", "x", str(context))
    assert (done.returncode, done.stdout) == (1, "")
    assert "Containerfile:2: RUN takes buildah, podman or docker, which is not installed" in done.stderr


def test_an_image_of_a_docker_daemon_is_a_base(
    bima: Bima, context: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require("docker")
    with dockerd() as server:
        monkeypatch.setenv("DOCKER_HOST", server.host)
        (context / "Dockerfile.base").write_text('FROM scratch\nCOPY kernel /from-docker\nCMD ["x"]')
        server.docker("build", "-q", "-t", "base:1", "-f", str(context / "Dockerfile.base"), str(context))
        _, found = built(bima, context, f"FROM docker-daemon:base:1\nCOPY kernel /k{LABELS}")
    assert found["from-docker"] == KERNEL


def test_peers_read_an_image_with_a_base(bima: Bima, server: Registry, context: Path, tmp_path: Path) -> None:
    require("skopeo", "umoci", "root")
    push(make_image(tmp_path / "base", f"{server.host}/lab/base:1", files=BASE), Options(plain_http=True))
    built(bima, context, f"FROM {server.host}/lab/base:1\nCOPY --chown=7:8 --chmod=4711 kernel /x{LABELS}")
    run("skopeo", "copy", f"oci:{tmp_path}/out", f"oci:{tmp_path}/copy:x")
    run("umoci", "unpack", "--image", f"{tmp_path}/copy:x", str(tmp_path / "bundle"))
    facts = os.stat(tmp_path / "bundle/rootfs/x")
    assert (facts.st_mode & 0o7777, facts.st_uid, facts.st_gid) == (0o4711, 7, 8)
