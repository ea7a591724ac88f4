# SPDX-License-Identifier: Apache-2.0
"""What holds for the monitor only where the host has it: labels, and limits that may be raised."""

import subprocess

import pytest
from capabilities import require
from conformance import Runc, Urunc

pytestmark = pytest.mark.inside

PROFILE = """
profile urunc-test flags=(attach_disconnected) {
  file, network, capability, signal, unix,
  deny /dev/urandom r,
}
"""


@pytest.fixture(params=[Urunc, Runc], ids=["urunc", "runc"])
def subject(request, tmp_path):
    if request.param is Urunc:
        yield Urunc(request.getfixturevalue("urunc"), request.getfixturevalue("bundle"))
        return
    require("runc", "busybox")
    runc = Runc(tmp_path)
    yield runc
    runc.end()


@pytest.fixture
def profile(tmp_path):
    """One that the kernel knows."""
    require("apparmor")
    file = tmp_path / "profile"
    file.write_text(PROFILE)
    subprocess.run(["apparmor_parser", "--skip-cache", "--replace", str(file)], check=True)
    yield "urunc-test"
    subprocess.run(["apparmor_parser", "--remove", str(file)], check=True)


@pytest.mark.parametrize("uid", [0, 1000])
def test_the_profile_of_apparmor_is_the_containers(subject, profile, uid):
    subject.config["process"].update(apparmorProfile=profile, user={"uid": uid, "gid": uid})
    assert subject.start().text("attr/current").strip() == f"{profile} (enforce)"


def test_without_a_profile_nothing_confines(subject):
    require("apparmor")
    assert subject.start().text("attr/current").strip() == "unconfined"


def test_a_profile_that_the_kernel_does_not_know_is_refused(subject):
    require("apparmor")
    subject.config["process"]["apparmorProfile"] = "nobody-loaded-this"
    found = subject.start(check=False)
    assert isinstance(found, str)
    said = "set process.apparmorProfile nobody-loaded-this: No such file or directory"
    assert found == said or subject.name == "runc"


def test_a_score_is_lowered(subject):
    require("sys-resource")
    subject.config["process"]["oomScoreAdj"] = -900
    assert subject.start().text("oom_score_adj").strip() == "-900"


def test_a_limit_is_raised(subject):
    require("sys-resource")
    subject.config["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 1048576, "hard": 1048576}]
    assert subject.start().limit("Max open files") == ["1048576", "1048576"]
