# SPDX-License-Identifier: Apache-2.0
"""The first process of Linux guests: what is installed is what the sources give, on every machine."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from capabilities import ROOT

from urunc_common.guest import init_file

ARCHITECTURES = {"x86_64": 62, "aarch64": 183}


@pytest.fixture(scope="module", name="fresh")
def fresh_fixture(tmp_path_factory):
    folder = tmp_path_factory.mktemp("init")
    subprocess.run([ROOT / "packages/init/build", folder], check=True)
    return folder


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_a_fresh_build_gives_the_same_bytes(arch, fresh):
    assert (fresh / f"init-{arch}").read_bytes() == Path(init_file(arch)).read_bytes()


@pytest.mark.parametrize(("arch", "machine"), ARCHITECTURES.items())
def test_it_is_one_small_file_for_its_architecture(arch, machine):
    data = Path(init_file(arch)).read_bytes()
    assert (data[:4], int.from_bytes(data[18:20], "little")) == (b"\x7fELF", machine)
    assert b"/lib/ld-" not in data, "it needs a loader"
    assert len(data) < 96 << 10


def test_the_wheel_has_it(tmp_path):
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*command, "--wheel-dir", tmp_path, ROOT / "packages/common"], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        for arch in ARCHITECTURES:
            name = f"urunc_common/data/init-{arch}"
            assert archive.read(name) == Path(init_file(arch)).read_bytes()
