# SPDX-License-Identifier: Apache-2.0
"""The program as its user sees it."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bima.layout import Layout


def until(condition: Callable[[], object]) -> None:
    """Wait for something that another process does."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_help_lists_the_commands_and_loads_none_of_them() -> None:
    program = (
        "import sys; sys.argv = ['bima', '--help']; from bima import cli\n"
        "try: cli.main()\n"
        "finally: print([name for name in sys.modules if name.startswith(('oras', 'docker', 'jinja2',"
        " 'requests', 'bima.commands'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "package a unikernel as an image" in done.stdout
    assert done.stdout.endswith("\n[]\n")


def test_an_unknown_command_names_the_nearest(bima: Callable[..., Any]) -> None:
    done = bima("biuld")
    assert done.status == 2
    assert "did you mean build?" in done.err


def test_build_prints_the_digest_and_keeps_the_image(
    project: Path, store: Layout, bima: Callable[..., Any]
) -> None:
    done = bima("build", "-t", "hello", project)
    assert (done.status, done.out) == (0, store.index["docker.io/library/hello:latest"].digest + "\n")
    assert "COPY kernel /boot/kernel" in done.err
    assert bima("build", "-q", "-t", "hello", project).err == ""
    assert bima("images", "-q").out == "hello:latest\n"
    listed = bima("images").out.splitlines()[1].split()
    assert listed[:5] == ["hello:latest", done.out[:19], "linux/amd64", "generic", "qemu"]


def test_inspect_prints_manifest_config_and_configuration(project: Path, bima: Callable[..., Any]) -> None:
    digest = bima("build", "-t", "hello", project).out.strip()
    document = json.loads(bima("inspect", "hello").out)
    assert document["name"] == "docker.io/library/hello:latest"
    assert document["digest"] == digest
    assert document["config"]["config"]["Cmd"] == ["hello", "big world"]
    assert document["manifest"]["annotations"]["com.urunc.unikernel.hypervisor"] == "qemu"
    assert document["unikernel"]["binary"] == "/boot/kernel"


def test_rmi_removes_the_image_and_its_blobs(
    project: Path, bima: Callable[..., Any], left: Callable[[], list[str]]
) -> None:
    bima("build", "-t", "a", project)
    bima("build", "-t", "b", project)
    assert bima("rmi", "a").out == "a\n"
    assert left() != []
    assert bima("rmi", "b").status == 0
    assert left() == []
    done = bima("rmi", "b")
    assert (done.status, done.err) == (
        1,
        f"bima: no image b:latest in {os.environ['XDG_DATA_HOME']}/bima; `bima images` lists them\n",
    )


def test_building_a_name_again_removes_the_old_image(
    project: Path, store: Layout, bima: Callable[..., Any]
) -> None:
    bima("build", "-t", "a", project)
    with (project / "Containerfile").open("a") as file:
        file.write("ENV MORE=1\n")
    bima("build", "-t", "a", project)
    (descriptor,) = store.index.values()
    assert len(list(store.blobs.iterdir())) == len(store.reachable(descriptor))


def test_an_image_for_elsewhere_is_not_kept(
    project: Path, tmp_path: Path, bima: Callable[..., Any], left: Callable[[], list[str]]
) -> None:
    assert bima("build", "-t", "a", "-o", f"oci:{tmp_path}/out", project).status == 0
    assert left() == []


@pytest.mark.parametrize(
    ("words", "line", "message"),
    [
        ([], "COPPY a b", "Containerfile:9: unknown instruction 'COPPY'; did you mean COPY?"),
        ([], "COPY missing /x", "Containerfile:9: missing is not in the build directory"),
        ([], "COPY ../x /x", "Containerfile:9: ../x is outside the build directory"),
        ([], "LABEL a=" + "x" * 4096, "Containerfile:9: label a and its value have 4097 bytes"),
        ([], "LABEL com.urunc.unikernel.hypervizor=x", "unknown key com.urunc.unikernel.hypervizor"),
        (["--platform", "linux/arm64"], "", "built for amd64, not for arm64"),
        (["-o", "dokcer"], "", "unknown output 'dokcer'; did you mean docker?"),
        (["-t", "Not/Valid"], "", "image name 'Not/Valid'"),
        (["-t", "a@sha256:" + "0" * 64], "", "has a digest"),
        (["-f", "none"], "", "cannot read none: No such file or directory"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(
    project: Path,
    left: Callable[[], list[str]],
    bima: Callable[..., Any],
    words: list[str],
    line: str,
    message: str,
) -> None:
    with (project / "Containerfile").open("a") as file:
        file.write(f"\n{line}\n")
    done = bima("build", "-t", "x", *words, project)
    assert done.status == 1
    assert done.out == ""
    assert done.err.startswith("bima: ")
    assert done.err.count("\n") == 1
    assert message in done.err
    assert left() == []


def test_the_containerfile_is_looked_for_in_the_context(
    project: Path, tmp_path: Path, bima: Callable[..., Any]
) -> None:
    (project / "Containerfile").rename(project / "Dockerfile")
    assert bima("build", "-t", "x", project).status == 0
    (project / "Dockerfile").rename(tmp_path / "Elsewhere")
    assert "has no Containerfile, Dockerfile, bunnyfile or Kraftfile" in bima("build", "-t", "x", project).err
    assert bima("build", "-t", "x", "-f", tmp_path / "Elsewhere", project).status == 0
    assert "is not a directory" in bima("build", "-t", "x", tmp_path / "nowhere").err


def test_a_containerfile_that_never_ends_is_refused(project: Path, bima: Callable[..., Any]) -> None:
    done = bima("build", "-t", "x", "-f", "/dev/zero", project)
    assert done.err == "bima: /dev/zero has over 1048576 bytes; is it a Containerfile?\n"


def test_a_mistake_of_ours_is_one_sentence(bima: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bima.store.default", lambda: 1 // 0)
    done = bima("images")
    assert done.status == 1
    assert done.err.startswith("bima: internal error at ")
    assert done.err.endswith("ZeroDivisionError: integer division or modulo by zero; please report this\n")


@pytest.mark.parametrize("data", [b"FROM scratch\n\xff", b"FROM scratch\n\0"])
def test_a_containerfile_that_is_not_text_is_refused(
    project: Path, bima: Callable[..., Any], data: bytes
) -> None:
    (project / "Containerfile").write_bytes(data)
    assert "Containerfile:2: this is not" in bima("build", "-t", "x", project).err


def test_a_wrong_epoch_is_refused(
    project: Path, bima: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    assert "SOURCE_DATE_EPOCH is 'yesterday'" in bima("build", "-t", "x", project).err
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    bima("build", "-t", "x", project)
    assert json.loads(bima("inspect", "x").out)["config"]["created"] == "1970-01-02T00:00:00Z"


@pytest.fixture
def slow(project: Path) -> Path:
    """A build that takes long: many gigabytes of nothing, which cost no space."""
    with (project / "huge").open("wb") as file:
        file.truncate(1 << 36)
    with (project / "Containerfile").open("a") as file:
        file.write("COPY huge /huge\n")
    return project


def half_done(store: Layout) -> bool:
    """Whether a first layer of a draft is written and a second one begun."""
    return any(store.path.glob(".draft-*/blobs/sha256/*")) and any(store.path.glob(".draft-*/.partial-*"))


def test_ctrl_c_in_the_middle_of_a_build_leaves_no_blob(
    slow: Path, store: Layout, start: Callable[..., subprocess.Popen[str]], left: Callable[[], list[str]]
) -> None:
    process = start("build", "-t", "x", slow)
    until(lambda: half_done(store))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert (process.returncode, out) == (130, "")
    assert err.endswith("bima: interrupted\n")
    assert left() == []


def test_a_killed_build_is_cleaned_up_by_the_next(
    slow: Path,
    project_at: Callable[..., Path],
    tmp_path: Path,
    store: Layout,
    start: Callable[..., subprocess.Popen[str]],
    bima: Callable[..., Any],
    left: Callable[[], list[str]],
) -> None:
    process = start("build", "-t", "x", slow)
    until(lambda: half_done(store))
    process.kill()
    process.communicate()
    assert left() != []
    assert bima("images", "-q").out == ""
    bima("build", "-t", "y", project_at(tmp_path / "quick"))
    bima("rmi", "y")
    assert left() == []


def test_a_slow_build_does_not_keep_others_waiting(
    slow: Path,
    project_at: Callable[..., Path],
    tmp_path: Path,
    store: Layout,
    start: Callable[..., subprocess.Popen[str]],
    bima: Callable[..., Any],
) -> None:
    process = start("build", "-t", "x", slow)
    until(lambda: half_done(store))
    assert bima("build", "-t", "y", project_at(tmp_path / "quick")).status == 0
    assert bima("rmi", "y").status == 0
    assert half_done(store)
    process.send_signal(signal.SIGINT)
    process.communicate()


def test_concurrent_builds_into_one_store_all_succeed(
    project_at: Callable[..., Path],
    tmp_path: Path,
    store: Layout,
    start: Callable[..., subprocess.Popen[str]],
) -> None:
    names = [f"image-{number}" for number in range(6)]
    projects = [
        project_at(tmp_path / name, {"kernel": b"\x7fELF\2\1\1" + bytes(11) + b"\x3e\0" + name.encode()})
        for name in names
    ]
    processes = [start("build", "-t", name, project) for name, project in zip(names, projects, strict=True)]
    for process in processes:
        _, err = process.communicate()
        assert process.returncode == 0, err
    assert list(store.index) == [f"docker.io/library/{name}:latest" for name in names]
    for descriptor in store.index.values():
        for digest in store.reachable(descriptor):
            assert store.read(digest)


def test_a_full_disk_is_a_sentence_and_leaves_nothing(
    project_at: Callable[..., Path],
    tmp_path: Path,
    bima: Callable[..., Any],
    left: Callable[[], list[str]],
) -> None:
    project = project_at(
        tmp_path / "big", {"kernel": b"\x7fELF\2\1\1" + bytes(11) + b"\x3e\0" + os.urandom(99_999)}
    )
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        done = bima("build", "-t", "x", project)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert done.status == 1
    assert "bima: cannot write to" in done.err
    assert "File too large" in done.err
    assert left() == []
