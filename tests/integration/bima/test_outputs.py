# SPDX-License-Identifier: Apache-2.0
"""Archives, podman, several destinations at once, and what a build tells programs."""

from __future__ import annotations

import json
import tarfile
from typing import TYPE_CHECKING

import pytest
from capabilities import require
from daemons import run

from bima.layout import Layout

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Bima = Callable[..., subprocess.CompletedProcess[str]]

KERNEL = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\x3e\x00" + b"kernel" * 99
TEXT = """COPY kernel /k
COPY --chmod=4755 kernel /dir/program
LABEL com.urunc.unikernel.unikernelType=generic com.urunc.unikernel.hypervisor=qemu
LABEL com.urunc.unikernel.binary=/k
"""


@pytest.fixture
def context(tmp_path: Path) -> Path:
    path = tmp_path / "context"
    path.mkdir()
    (path / "kernel").write_bytes(KERNEL)
    (path / "Containerfile").write_text(TEXT)
    return path


def test_one_build_goes_to_several_places(bima: Bima, context: Path, tmp_path: Path) -> None:
    places = [
        f"oci:{tmp_path}/dir",
        f"docker-archive:{tmp_path}/d.tar",
        f"rootfs-tar:{tmp_path}/r.tar",
        "store",
    ]
    words = [word for place in places for word in ("-o", place)]
    done = bima("build", "-q", "-t", "x", *words, str(context))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{next(iter(Layout(tmp_path / 'dir').index.values())).digest}\n"
    assert bima("images", "-q").stdout == "x:latest\n"
    with tarfile.open(tmp_path / "r.tar") as tar:
        found = {each.name: oct(each.mode) for each in tar}
    assert found == {"dir": "0o755", "dir/program": "0o4755", "k": "0o644", "urunc.json": "0o644"}
    with tarfile.open(tmp_path / "d.tar") as tar:
        assert "manifest.json" in tar.getnames()
        assert "index.json" not in tar.getnames()


def test_skopeo_reads_a_docker_archive(bima: Bima, context: Path, tmp_path: Path) -> None:
    require("skopeo")
    assert (
        bima("build", "-q", "-t", "x:1", "-o", f"docker-archive:{tmp_path}/d.tar", str(context)).returncode
        == 0
    )
    said = json.loads(run("skopeo", "inspect", f"docker-archive:{tmp_path}/d.tar").stdout)
    assert said["Architecture"] == "amd64"
    assert len(said["Layers"]) == 3


def test_podman_takes_an_image(
    bima: Bima, context: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require("podman", "root")
    (tmp_path / "storage.conf").write_text(
        f'[storage]\ndriver = "vfs"\nrunroot = "{tmp_path}/runroot"\ngraphroot = "{tmp_path}/graphroot"\n'
    )
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(tmp_path / "storage.conf"))
    done = bima("build", "-q", "-t", "example.org/x:1", "-o", "podman", str(context))
    assert done.returncode == 0, done.stderr
    said = json.loads(run("podman", "inspect", "example.org/x:1").stdout)
    assert said[0]["Digest"] == done.stdout.strip()


def test_podman_that_is_not_there_is_told(bima: Bima, context: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(context))
    done = bima("build", "-t", "x", "-o", "podman", "-q", str(context))
    assert (done.returncode, done.stderr) == (1, "bima: podman is not installed\n")


def test_digests_are_written_for_programs(bima: Bima, context: Path, tmp_path: Path) -> None:
    files = [
        word
        for name in ("iidfile", "digestfile", "metadata-file")
        for word in (f"--{name}", str(tmp_path / name))
    ]
    done = bima(
        "build", "-q", "-t", "x:1", "-o", f"oci:{tmp_path}/dir", "--format", "json", *files, str(context)
    )
    said = json.loads(done.stdout)
    digest = said["containerimage.digest"]
    assert said == json.loads((tmp_path / "metadata-file").read_text())
    assert said["image.name"] == "docker.io/library/x:1"
    assert (tmp_path / "iidfile").read_text() == (tmp_path / "digestfile").read_text() == digest
    layout = Layout(tmp_path / "dir")
    assert layout.document(digest)["config"]["digest"] == said["containerimage.config.digest"]
    done = bima("build", "-q", "-t", "x", "-o", f"docker-archive:{tmp_path}/d", *files, str(context))
    assert (tmp_path / "iidfile").read_text() == said["containerimage.config.digest"]
    assert (tmp_path / "digestfile").read_text() == digest


def test_a_file_that_cannot_be_written_is_told(bima: Bima, context: Path, tmp_path: Path) -> None:
    done = bima("build", "-q", "-t", "x", "--iidfile", str(tmp_path / "none/iid"), str(context))
    assert done.returncode == 1
    assert "none/iid: No such file or directory" in done.stderr


def test_nothing_but_the_digest_is_printed_if_one_is_quiet(bima: Bima, context: Path) -> None:
    loud, quiet = (bima("build", "-t", "x", *words, str(context)) for words in ((), ("-q",)))
    assert loud.stdout == quiet.stdout
    assert loud.stderr.count("bytes\n") == 3
    assert quiet.stderr == ""
    assert "\x1b" not in loud.stderr
