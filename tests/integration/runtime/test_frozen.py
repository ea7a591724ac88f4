# SPDX-License-Identifier: Apache-2.0
"""The command as it is installed: its modules are in one file."""

import shutil
import subprocess
import sys

import pytest
from capabilities import ROOT

FINDER = ("urunc_common/__init__.py", "urunc_common/frozen.py")
PACKAGES = {"urunc": "runtime", "urunc_common": "common"}


@pytest.fixture
def library(tmp_path):
    """A folder with both packages and the frozen file."""
    folder = tmp_path / "library"
    for package, source in PACKAGES.items():
        shutil.copytree(ROOT / "packages" / source / "src" / package, folder / package)
    subprocess.run([sys.executable, ROOT / "scripts/freeze", "urunc.frozen", folder, *PACKAGES], check=True)
    return folder


@pytest.fixture
def installed(urunc, library, tmp_path):
    """The runtime, all of whose modules but the one that finds them are in the file alone."""
    for file in library.rglob("*.py"):
        if str(file.relative_to(library)) not in FINDER:
            file.unlink()
    urunc.launcher = tmp_path / "urunc"
    command = [ROOT / "scripts/launcher", "--frozen", library / "urunc.frozen", sys.executable]
    subprocess.run([*command, urunc.launcher, library, library], check=True)
    return urunc


def test_a_container_lives_on_frozen_modules_alone(installed, bundle):
    installed.create(bundle)
    installed("start", "c1")
    assert "-kernel" in installed.report()["argv"]
    assert installed.state()["status"] == "running"
    installed("delete", "--force", "c1")


def test_a_frozen_module_says_where_its_files_are(library):
    program = (
        f"import sys; sys.path.insert(0, {str(library)!r})\n"
        f"from urunc_common import frozen; frozen.use({str(library / 'urunc.frozen')!r})\n"
        "from urunc_common import guest; print(guest.init_file('x86_64'))"
    )
    said = subprocess.check_output([sys.executable, "-IS", "-c", program], text=True)
    assert said.strip() == f"{library}/urunc_common/data/init-x86_64"
