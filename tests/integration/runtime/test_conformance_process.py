# SPDX-License-Identifier: Apache-2.0
"""What config.json asks of its process holds for the monitor, as it does for the program of runc."""

import os
import subprocess
import time

import pytest
from capabilities import require
from conformance import Process, Runc, Urunc

# linux/capability.h
CHOWN, DAC_OVERRIDE, MKNOD, SYS_TIME = 1 << 0, 1 << 1, 1 << 27, 1 << 25


@pytest.fixture(params=[Urunc, Runc], ids=["urunc", "runc"])
def subject(request, tmp_path):
    if request.param is Urunc:
        yield Urunc(request.getfixturevalue("urunc"), request.getfixturevalue("bundle"))
        return
    require("runc", "busybox")
    runc = Runc(tmp_path)
    yield runc
    runc.end()


@pytest.fixture(params=["urunc", "util-linux"])
def process(request):
    """As `subject`, for what runc learnt later than in Debian 12: a command does it."""

    def start(asked: dict, *command: str) -> Process:
        if request.param == "urunc":
            subject = Urunc(request.getfixturevalue("urunc"), request.getfixturevalue("bundle"))
            subject.config["process"].update(asked.get("process", {}))
            subject.config["linux"].update(asked.get("linux", {}))
            return subject.start()
        child = subprocess.Popen([*command, "sleep", "600"])
        request.addfinalizer(lambda: (child.kill(), child.wait()))
        while (found := Process(child.pid)).text("comm").strip() != "sleep":
            time.sleep(0.005)
        return found

    return start


def test_the_user_is_the_containers_with_all_its_groups(subject):
    subject.config["process"]["user"] = {"uid": 1234, "gid": 234, "additionalGids": [34, 4]}
    found = subject.start()
    assert found.status("Uid").split() == ["1234"] * 4
    assert found.status("Gid").split() == ["234"] * 4
    assert {"34", "4"} <= set(found.status("Groups").split())


def test_the_umask_is_the_containers(subject):
    subject.config["process"]["user"]["umask"] = 0o27
    assert subject.start().status("Umask") == "0027"


def test_the_umask_is_022_where_none_is_asked_for(subject):
    assert subject.start().status("Umask") == "0022"


@pytest.mark.parametrize("wanted", [True, False])
def test_no_new_privileges_is_what_is_asked_for(subject, wanted):
    subject.config["process"]["noNewPrivileges"] = wanted
    assert subject.start().status("NoNewPrivs") == str(int(wanted))


def test_the_oom_score_is_the_containers(subject):
    subject.config["process"]["oomScoreAdj"] = 321
    assert subject.start().text("oom_score_adj").strip() == "321"


def test_without_capabilities_there_is_none(subject):
    assert set(subject.start().capabilities().values()) == {0}


def test_a_capability_that_no_monitor_needs_is_nobodys(urunc, bundle):
    subject = Urunc(urunc, bundle)
    sets = ("bounding", "permitted", "effective", "inheritable", "ambient")
    bundle.config["process"]["capabilities"] = {name: ["CAP_SYS_TIME", "CAP_CHOWN"] for name in sets}
    assert set(subject.start().capabilities().values()) == {0}


def use_9p(subject):
    """Which QEMU serves itself, for the users of the guest."""
    if subject.name == "urunc":
        subject.bundle.image.update(unikernelType="linux", mountRootfs="true")
        subject.config["annotations"] = {"run.urunc.root": "9p"}


@pytest.mark.parametrize(
    ("uid", "asked", "expected"),
    [
        (0, ("bounding", "permitted", "effective"), {"Bnd", "Prm", "Eff"}),
        (0, ("bounding", "permitted", "effective", "inheritable"), {"Bnd", "Prm", "Eff", "Inh"}),
        (7, ("bounding", "permitted", "effective", "inheritable"), {"Bnd", "Inh"}),
        (7, ("bounding", "permitted", "effective", "inheritable", "ambient"),
         {"Bnd", "Prm", "Eff", "Inh", "Amb"}),
    ],
)  # fmt: skip
def test_capabilities_are_in_the_sets_that_are_asked_for(subject, uid, asked, expected):
    use_9p(subject)
    subject.config["process"]["user"]["uid"] = uid
    subject.config["process"]["capabilities"] = {name: ["CAP_CHOWN", "CAP_MKNOD"] for name in asked}
    found = subject.start().capabilities()
    assert found == {name: CHOWN | MKNOD if name in expected else 0 for name in found}


def test_no_new_privileges_keeps_root_from_what_is_only_bounding(subject):
    use_9p(subject)
    subject.config["process"].update(noNewPrivileges=True, capabilities={"bounding": ["CAP_CHOWN"]})
    found = subject.start().capabilities()
    assert found == {name: CHOWN if name == "Bnd" else 0 for name in found}


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("RLIMIT_NOFILE", "Max open files"),
        ("RLIMIT_CORE", "Max core file size"),
        ("RLIMIT_NPROC", "Max processes"),
        ("RLIMIT_MEMLOCK", "Max locked memory"),
        ("RLIMIT_SIGPENDING", "Max pending signals"),
        ("RLIMIT_MSGQUEUE", "Max msgqueue size"),
        ("RLIMIT_LOCKS", "Max file locks"),
    ],
)
def test_a_limit_holds(subject, kind, name):
    subject.config["process"]["rlimits"] = [{"type": kind, "soft": 555, "hard": 777}]
    assert subject.start().limit(name) == ["555", "777"]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("RLIMIT_CPU", "Max cpu time"),
        ("RLIMIT_AS", "Max address space"),
        ("RLIMIT_FSIZE", "Max file size"),
        ("RLIMIT_DATA", "Max data size"),
        ("RLIMIT_STACK", "Max stack size"),
    ],
)
def test_a_limit_that_would_end_the_machine_is_for_the_program_in_it(urunc, bundle, kind, name):
    subject = Urunc(urunc, bundle)
    bundle.config["process"]["rlimits"] = [{"type": kind, "soft": 1, "hard": 1}]
    assert subject.start().limit(name) == Process(os.getpid()).limit(name)


def test_a_monitor_has_as_many_descriptors_as_it_needs(urunc, bundle):
    subject = Urunc(urunc, bundle)
    bundle.config["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 3, "hard": 3}]
    assert subject.start().limit("Max open files") == ["256", "256"]


def test_a_limit_that_this_host_lets_nobody_raise_stays_and_is_logged(urunc, bundle):
    subject = Urunc(urunc, bundle)
    words = ["setpriv", "--bounding-set=-sys_resource", "--inh-caps=-all", str(urunc.launcher)]
    before = urunc.argv
    urunc.argv = lambda *rest: [*words, *before(*rest)[1:]]
    most = Process(os.getpid()).limit("Max open files")[1]
    asked = int(most) + 1000
    bundle.config["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": asked, "hard": asked}]
    assert subject.start().limit("Max open files") == [most, most]
    assert f"RLIMIT_NOFILE of the monitor is {most}, not {asked}" in urunc.log.read_text()


@pytest.mark.parametrize(
    ("scheduler", "command", "expected"),
    [
        ({"policy": "SCHED_BATCH", "nice": 5}, ["chrt", "--batch", "0", "nice", "-n", "5"], ("3", "125")),
        ({"policy": "SCHED_IDLE"}, ["chrt", "--idle", "0"], ("5", "120")),
        ({"policy": "SCHED_OTHER", "nice": 7}, ["nice", "-n", "7"], ("0", "127")),
    ],
)  # fmt: skip
def test_the_scheduler_is_the_containers(process, scheduler, command, expected):
    lines = process({"process": {"scheduler": scheduler}}, *command).text("sched").splitlines()
    found = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    assert (found["policy"], found["prio"]) == expected


def test_the_class_of_input_and_output_is_the_containers(process):
    asked = {"process": {"ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 6}}}
    pid = process(asked, "ionice", "--class", "2", "--classdata", "6").pid
    done = subprocess.run(["ionice", "--pid", str(pid)], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "best-effort: prio 6"


def test_the_personality_is_the_containers(process):
    found = process({"linux": {"personality": {"domain": "LINUX32"}}}, "setarch", "linux32")
    assert int(found.text("personality"), 16) == 8


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"apparmorProfile": "locked"}, "process.apparmorProfile is locked, but AppArmor is not enabled on"),
        ({"selinuxLabel": "a_u:b_r:c_t:s0"}, "process.selinuxLabel is a_u:b_r:c_t:s0, but SELinux is not"),
    ],
)
def test_a_label_that_nobody_would_look_at_is_refused(subject, asked, said):
    if os.path.exists("/sys/kernel/security/apparmor") or os.path.exists("/sys/fs/selinux"):
        pytest.skip("this host has what the label is for")
    subject.config["process"].update(asked)
    found = subject.start(check=False)
    assert isinstance(found, str)
    assert said in found or subject.name == "runc"


def test_the_profile_unconfined_needs_no_apparmor(urunc, bundle):
    subject = Urunc(urunc, bundle)
    bundle.config["process"]["apparmorProfile"] = "unconfined"
    assert isinstance(subject.start(), Process)


def test_a_score_that_this_host_lets_nobody_lower_is_refused(subject):
    if Process(os.getpid()).capabilities()["Eff"] >> 24 & 1:
        pytest.skip("this process has CAP_SYS_RESOURCE")
    subject.config["process"]["oomScoreAdj"] = -900
    found = subject.start(check=False)
    assert isinstance(found, str)
    assert "oomScoreAdj to -900: Permission denied" in found or subject.name == "runc"
