# SPDX-License-Identifier: Apache-2.0
"""What config.json asks of namespaces holds for the monitor, as it does for the program of runc."""

import os
import subprocess
import time
from pathlib import Path

import pytest
from capabilities import require
from conformance import NAMESPACES, PATIENCE_S, Process, Runc, Urunc

FILES = {"mount": "mnt", "network": "net"}


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
def elsewhere():
    """A process in namespaces of its own, for others to join."""
    kinds = ("--pid", "--fork", "--kill-child", "--ipc", "--uts", "--net", "--mount", "--cgroup", "--time")
    parent = subprocess.Popen(["unshare", *kinds, "sleep", "600"])
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
    deadline = time.monotonic() + PATIENCE_S
    while not (found := children.read_text().split()) or Process(int(found[0])).text("comm") != "sleep\n":
        assert time.monotonic() < deadline, "unshare makes no child"
        time.sleep(0.005)
    yield Process(int(found[0]))
    parent.kill()
    parent.wait()


def ours() -> Process:
    return Process(os.getpid())


def file(kind: str) -> str:
    return FILES.get(kind, kind)


def ask(subject, kind: str, path: str = "") -> None:
    rest = [entry for entry in subject.config["linux"]["namespaces"] if entry["type"] != kind]
    subject.config["linux"]["namespaces"] = [*rest, {"type": kind, **({"path": path} if path else {})}]


def leave_out(subject, kind: str) -> None:
    entries = subject.config["linux"]["namespaces"]
    subject.config["linux"]["namespaces"] = [entry for entry in entries if entry["type"] != kind]


@pytest.mark.parametrize("kind", NAMESPACES)
def test_a_namespace_without_a_path_is_new(subject, kind):
    assert subject.start().namespace(file(kind)) != ours().namespace(file(kind))


@pytest.mark.parametrize("kind", [kind for kind in NAMESPACES if kind not in ("mount",)])
def test_a_namespace_that_is_not_named_is_the_hosts(subject, kind):
    leave_out(subject, kind)
    assert subject.start().namespace(file(kind)) == ours().namespace(file(kind))


@pytest.mark.parametrize("kind", [kind for kind in NAMESPACES if kind not in ("mount",)])
def test_a_namespace_with_a_path_is_joined(subject, elsewhere, kind):
    ask(subject, kind, f"/proc/{elsewhere.pid}/ns/{file(kind)}")
    assert subject.start().namespace(file(kind)) == elsewhere.namespace(file(kind))


def test_all_namespaces_can_be_joined_at_once(subject, elsewhere):
    kinds = [kind for kind in NAMESPACES if kind != "mount"]
    for kind in kinds:
        ask(subject, kind, f"/proc/{elsewhere.pid}/ns/{file(kind)}")
    found = subject.start()
    assert [found.namespace(file(kind)) for kind in kinds] == [
        elsewhere.namespace(file(kind)) for kind in kinds
    ]


@pytest.mark.parametrize("kind", [kind for kind in (*NAMESPACES, "time") if kind != "mount"])
def test_a_path_to_another_kind_of_namespace_is_refused_by_name(urunc, bundle, kind):
    subject = Urunc(urunc, bundle)
    wrong = "/proc/self/ns/mnt"
    ask(subject, kind, wrong)
    assert subject.start(check=False) == f"{wrong} is not a {kind} namespace"
    assert urunc.leftovers() == []


def test_the_hostname_is_that_of_its_namespace(subject):
    subject.config["hostname"] = "elsewhere"
    assert subject.start().inside("uts", "hostname") == "elsewhere"
    assert os.uname().nodename != "elsewhere"


def test_a_hostname_is_set_in_a_namespace_that_is_joined(subject, elsewhere):
    subject.config["hostname"] = "together"
    ask(subject, "uts", f"/proc/{elsewhere.pid}/ns/uts")
    subject.start()
    assert elsewhere.inside("uts", "hostname") == "together"


def test_the_domainname_is_that_of_its_namespace(urunc, bundle):
    subject = Urunc(urunc, bundle)
    bundle.config["domainname"] = "example.org"
    assert subject.start().inside("uts", "domainname") == "example.org"


def test_a_hostname_without_a_namespace_is_refused(subject):
    subject.config["hostname"] = "elsewhere"
    leave_out(subject, "uts")
    assert "uts" in subject.start(check=False).lower()


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [
        ("net.ipv4.ip_default_ttl", "77", "net"),
        ("net/ipv4/ip_local_reserved_ports", "8080", "net"),
        ("kernel.shmmax", "123456", "ipc"),
        ("fs.mqueue.msg_max", "12", "ipc"),
    ],
)
def test_a_sysctl_holds_in_the_containers_namespace_alone(subject, key, value, kind):
    path = Path("/proc/sys", key.replace(".", "/"))
    before = path.read_text()
    subject.config["linux"]["sysctl"] = {key: value}
    if kind == "ipc" and "mqueue" in key:
        # There it is only where a mount of it is.
        words = ["unshare", "--mount", "sh", "-c", f"mount -t mqueue q /dev/mqueue 2>/dev/null; cat {path}"]
    else:
        words = ["cat", str(path)]
    assert subject.start().inside(kind, *words) == value
    assert path.read_text() == before


@pytest.mark.parametrize(
    ("key", "without"),
    [
        ("kernel.panic", ""),
        ("vm.swappiness", ""),
        ("net.ipv4.ip_forward", "network"),
        ("kernel.shmmax", "ipc"),
        ("kernel.hostname", ""),
    ],
)
def test_a_sysctl_of_the_host_is_refused(subject, key, without):
    leave_out(subject, without)
    subject.config["linux"]["sysctl"] = {key: "1"}
    assert key in subject.start(check=False)


def test_a_sysctl_that_the_kernel_does_not_know_is_refused(subject):
    subject.config["linux"]["sysctl"] = {"net.nothing": "1"}
    found = subject.start(check=False)
    assert "net.nothing" in found or "net/nothing" in found


@pytest.mark.parametrize("by", ["urunc", "util-linux"])
def test_clocks_are_as_far_off_as_is_asked_for(request, by):
    if by == "urunc":
        subject = Urunc(request.getfixturevalue("urunc"), request.getfixturevalue("bundle"))
        ask(subject, "time")
        offsets = {"monotonic": {"secs": 86400, "nanosecs": 5}, "boottime": {"secs": 604800}}
        subject.config["linux"]["timeOffsets"] = offsets
        found = subject.start()
    else:
        words = [
            "unshare",
            "--time",
            "--monotonic",
            "86400",
            "--boottime",
            "604800",
            "--fork",
            "sleep",
            "600",
        ]
        parent = subprocess.Popen([*words[:-3], "--kill-child", *words[-3:]])
        request.addfinalizer(lambda: (parent.kill(), parent.wait()))
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
        while not (born := children.read_text().split()) or Process(int(born[0])).text("comm") != "sleep\n":
            time.sleep(0.005)
        found = Process(int(born[0]))
    offsets = dict(line.split(maxsplit=1) for line in found.text("timens_offsets").splitlines())
    assert [offsets[clock].split()[0] for clock in ("monotonic", "boottime")] == ["86400", "604800"]
    assert found.namespace("time") != ours().namespace("time")


def test_a_time_namespace_is_joined(urunc, bundle, elsewhere):
    subject = Urunc(urunc, bundle)
    ask(subject, "time", f"/proc/{elsewhere.pid}/ns/time")
    assert subject.start().namespace("time") == elsewhere.namespace("time")


def test_a_container_in_another_time_is_still_known(urunc, bundle):
    subject = Urunc(urunc, bundle)
    ask(subject, "time")
    bundle.config["linux"]["timeOffsets"] = {"boottime": {"secs": 1000}}
    subject.start()
    assert urunc.state()["status"] == "running"
    urunc("kill", "c1", "KILL")
    urunc.wait_for("stopped")


def test_offsets_without_a_time_namespace_are_refused(urunc, bundle):
    subject = Urunc(urunc, bundle)
    bundle.config["linux"]["timeOffsets"] = {"monotonic": {"secs": 1}}
    assert subject.start(check=False).startswith("linux.timeOffsets: the container has no time namespace")


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("private", ""),
        ("rslave", ""),
        ("shared", "shared"),
        ("rshared", "shared"),
        ("unbindable", "unbindable"),
    ],
)
def test_what_is_mounted_later_comes_by_the_way_that_is_asked_for(urunc, bundle, asked, expected):
    subject = Urunc(urunc, bundle)
    bundle.config["linux"]["rootfsPropagation"] = asked
    optional = " ".join(subject.start().root_mount().partition(" - ")[0].split()[6:])
    assert optional.partition(":")[0] == expected


def test_the_monitors_root_is_read_only_and_holds_nothing_of_the_host_but_usr(urunc, bundle):
    found = Urunc(urunc, bundle).start()
    assert found.root_mount().split()[5].startswith("ro,")
    assert not any(Path(f"/proc/{found.pid}/root", name).exists() for name in ("etc", "home", "proc", "sys"))
    assert sorted(os.listdir(f"/proc/{found.pid}/root/dev")) == ["null", "urandom"]


def test_nothing_in_proc_can_be_written_where_the_monitor_needs_one(urunc, bundle):
    bundle.image.update(unikernelType="linux", mountRootfs="true")
    bundle.config["annotations"] = {"run.urunc.root": "9p"}
    found = Urunc(urunc, bundle).start()
    (proc,) = [line for line in found.text("mountinfo").splitlines() if line.split()[4] == "/proc"]
    assert proc.split()[5].startswith("ro,")
    with pytest.raises(OSError, match="Read-only file system"):
        Path(f"/proc/{found.pid}/root/proc/sys/kernel/core_pattern").write_text("x")


def test_the_process_is_in_the_cgroup_that_is_asked_for(subject):
    subject.config["linux"]["cgroupsPath"] = f"/here/{subject.name}"
    lines = subject.start().text("cgroup").splitlines()
    assert any(line.endswith(f"/here/{subject.name}") for line in lines)
