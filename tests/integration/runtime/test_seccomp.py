# SPDX-License-Identifier: Apache-2.0
"""The engine's seccomp profile on the monitor: loaded, refused, and compiled once."""

import copy
import json
import os
from pathlib import Path

import profiles
import pytest

from urunc.monitors import hvt, qemu, spt

KEPT = Path("/run/urunc/seccomp")
PRIORITY = {"names": ["getpriority"], "action": "SCMP_ACT_ERRNO", "errnoRet": 77}


@pytest.fixture(autouse=True)
def _leave_the_kept_programs_as_they_are():
    before = set(KEPT.glob("*"))
    yield
    for file in set(KEPT.glob("*")) - before:
        file.unlink()


@pytest.fixture
def start(urunc, bundle):
    """Run the fake monitor under a profile: what it reports, and what the kernel says of it."""

    def start(profile, monitor="qemu"):
        urunc.install(monitor)
        bundle.image.update(hypervisor=monitor, unikernelType="generic")
        if profile:
            bundle.config["linux"]["seccomp"] = profile
        urunc.create(bundle)
        urunc("start", "c1")
        report = urunc.report()
        lines = Path(f"/proc/{urunc.state()['pid']}/status").read_text().splitlines()
        return report, dict(line.split(":\t", 1) for line in lines if ":\t" in line)

    return start


@pytest.mark.parametrize(
    ("profile", "answer"),
    [
        (profiles.DOCKER, "errno 1"),
        (profiles.PODMAN, "errno 38"),
        ({**profiles.EVERYTHING, "syscalls": [PRIORITY]}, "errno 77"),
        ({**profiles.EVERYTHING, "syscalls": [PRIORITY], "flags": ["SECCOMP_FILTER_FLAG_TSYNC"]}, "errno 77"),
        ({**profiles.EVERYTHING, "syscalls": [PRIORITY], "flags": ["SECCOMP_FILTER_FLAG_LOG"]}, "errno 77"),
        ({"defaultAction": "SCMP_ACT_LOG"}, 0),
    ],
)
@pytest.mark.parametrize("uid", [0, 1000])
@pytest.mark.parametrize("no_new_privileges", [True, False])
def test_the_monitor_runs_under_the_profile(start, bundle, profile, answer, uid, no_new_privileges):
    bundle.config["process"]["noNewPrivileges"] = no_new_privileges
    bundle.config["process"]["user"] = {"uid": uid, "gid": uid}
    report, status = start(profile)
    assert report["priority"] == answer
    assert (status["Seccomp"], status["Seccomp_filters"]) == ("2", "1")
    assert status["NoNewPrivs"] == str(int(no_new_privileges))
    assert {status[name].strip("0") for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {""}


@pytest.mark.parametrize("monitor", ["qemu", "spt", "hvt"])
@pytest.mark.parametrize("profile", [None, {}])
def test_without_a_profile_nothing_is_filtered(start, profile, monitor):
    report, status = start(profile, monitor)
    assert (status["Seccomp"], status["Seccomp_filters"]) == ("0", "0")
    assert (report["priority"], "-sandbox" in report["argv"]) == (0, False)


def test_a_profile_that_allows_everything_leaves_the_monitors_own_sandbox(start):
    report, status = start(profiles.EVERYTHING)
    assert status["Seccomp"] == "0"
    assert "-sandbox" in report["argv"]


@pytest.mark.parametrize("profile", [profiles.DOCKER, profiles.EVERYTHING])
def test_hvt_may_make_no_call_but_those_on_our_list(urunc, bundle, profile):
    """The fake one is an interpreter, which calls more than a tender does: the kernel ends it."""
    urunc.install("hvt")
    bundle.image.update(hypervisor="hvt")
    bundle.config["linux"]["seccomp"] = profile
    urunc.create(bundle)
    urunc("start", "c1")
    urunc.wait_for("stopped")
    assert urunc.output.read_text() == ""


@pytest.mark.parametrize(("monitor", "needed"), [("qemu", qemu), ("hvt", hvt), ("spt", spt)])
def test_a_profile_that_forbids_what_the_monitor_needs_is_refused(urunc, bundle, monitor, needed):
    urunc.install(monitor)
    bundle.image.update(hypervisor=monitor)
    profile = copy.deepcopy(profiles.DOCKER)
    profile["syscalls"][0]["names"].remove("execve")
    profile["syscalls"].append({"names": ["mprotect", "read"], "action": "SCMP_ACT_KILL"})
    bundle.config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": []}
    said = urunc.said(urunc.create(bundle, check=False))
    assert f"the seccomp profile forbids what {monitor} needs: {', '.join(needed.NEEDED)}; allow" in said
    profile["syscalls"] = profile["syscalls"][::-1]
    bundle.config["linux"]["seccomp"] = profile
    said = urunc.said(urunc.create(bundle, check=False))
    assert f"the seccomp profile forbids what {monitor} needs: execve, mprotect, read; allow" in said
    assert urunc.leftovers() == []


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        ({"defaultAction": "SCMP_ACT_NOTIFY"}, "asks for SCMP_ACT_NOTIFY, but no agent decides"),
        ({**profiles.DOCKER, "architectures": ["SCMP_ARCH_PDP11"]}, "names the architecture pdp11"),
        ({**profiles.DOCKER, "flags": ["FAST"]}, "unknown flag 'FAST'"),
        ({"defaultAction": "ALLOW"}, "unknown action 'ALLOW'"),
    ],
)
def test_a_profile_with_a_mistake_is_refused(urunc, bundle, profile, said):
    bundle.config["linux"]["seccomp"] = profile
    assert said in urunc.said(urunc.create(bundle, check=False))
    assert urunc.leftovers() == []


def test_an_ordinary_container_may_have_a_profile_that_no_monitor_can(urunc, bundle):
    bundle.image = None
    bundle.config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_NOTIFY"}
    recorder = urunc.programs / "runc"
    recorder.write_text(f'#!/bin/sh\necho "$@" > {urunc.root.parent}/calls\n')
    recorder.chmod(0o755)
    urunc.create(bundle)
    assert "create --bundle" in (urunc.root.parent / "calls").read_text()


def test_only_the_first_create_loads_libseccomp(urunc, bundle):
    names = ["getpriority", f"unknown_{os.getpid()}"]
    bundle.config["linux"]["seccomp"] = {**profiles.EVERYTHING, "syscalls": [{**PRIORITY, "names": names}]}

    def loads_libseccomp():
        urunc.create(bundle)
        # The first process is a fork of create.
        maps = Path(f"/proc/{json.loads(urunc('state', 'c1').stdout)['pid']}/maps").read_text()
        urunc("delete", "--force", "c1")
        return "libseccomp" in maps

    assert [loads_libseccomp(), loads_libseccomp()] == [True, False]
