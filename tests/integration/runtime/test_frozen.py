# SPDX-License-Identifier: Apache-2.0
"""The command as it is installed: its modules are in one file."""

import shutil
import subprocess
import sys

import pytest
from capabilities import ROOT

PACKAGES = {"urunc": "runtime", "urunc_common": "common"}


@pytest.fixture
def library(tmp_path):
    """A folder with both packages and the frozen file."""
    folder = tmp_path / "library"
    for package, source in PACKAGES.items():
        shutil.copytree(ROOT / "packages" / source / "src" / package, folder / package)
    subprocess.run([sys.executable, ROOT / "scripts/freeze", "urunc.frozen", folder, *PACKAGES], check=True)
    return folder


def launcher(command, library):
    words = [
        ROOT / "scripts/launcher",
        "--frozen",
        library / "urunc.frozen",
        sys.executable,
        command,
        library,
        library,
    ]
    subprocess.run(words, check=True)
    return command


@pytest.fixture
def installed(urunc, library, tmp_path):
    """The runtime, all of whose modules are in the file alone."""
    for file in library.rglob("*.py"):
        file.unlink()
    urunc.launcher = launcher(tmp_path / "urunc", library)
    return urunc


def test_a_container_lives_on_frozen_modules_alone(installed, bundle):
    installed.create(bundle)
    installed("start", "c1")
    assert "-kernel" in installed.report()["argv"]
    assert installed.state()["status"] == "running"
    installed("delete", "--force", "c1")


def test_frozen_modules_run_when_they_are_used_and_say_where_their_files_are(library, tmp_path):
    command = launcher(tmp_path / "urunc", library)
    head, _, _ = command.read_text().partition("from urunc.cli")
    command.write_text(
        f"{head}import urunc_common.cpio; from urunc_common import guest\n"
        "print(type(sys.modules['urunc_common.cpio']).__name__)\n"
        "print(guest.init_file('x86_64'))\n"
    )
    said = subprocess.check_output([command], text=True).splitlines()
    assert said == ["Unused", f"{library}/urunc_common/data/init-x86_64"]
