# SPDX-License-Identifier: Apache-2.0
"""create, start, state, kill and delete, and what they say when they cannot."""

import signal
import subprocess
from pathlib import Path

import pytest


def test_a_container_goes_through_its_states(urunc, bundle):
    urunc.create(bundle)
    created = urunc.state()
    assert (created["status"], created["id"], created["bundle"]) == ("created", "c1", str(bundle.path))
    urunc("start", "c1")
    running = urunc.state()
    assert (running["status"], running["pid"]) == ("running", created["pid"])
    urunc.report()  # as process 1 it is deaf to signals that it does not handle yet
    urunc("kill", "c1", "TERM")
    urunc.wait_for("stopped")
    assert urunc.state()["pid"] == 0
    urunc("delete", "c1")
    assert urunc.leftovers() == []


def test_the_pid_file_names_the_process_that_becomes_the_monitor(urunc, bundle, tmp_path):
    urunc.create(bundle, "c1", "--pid-file", str(tmp_path / "pid"))
    urunc("start", "c1")
    assert int((tmp_path / "pid").read_text()) == urunc.state()["pid"]
    urunc.report()
    command = (tmp_path / "x").joinpath("/proc", str(urunc.state()["pid"]), "cmdline").read_bytes()
    assert b"-append" in command


def test_a_pid_file_may_be_at_the_top_of_another_file_system(urunc, bundle, tmp_path):
    file = Path(f"/urunc-test-{tmp_path.parent.name}-{tmp_path.name}.pid")
    (tmp_path / "here").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(tmp_path / "here")], check=True)
    try:
        urunc.create(bundle, "c1", "--pid-file", str(file), cwd=tmp_path / "here")
        assert int(file.read_text()) == urunc.state()["pid"]
    finally:
        file.unlink(missing_ok=True)
        subprocess.run(["umount", str(tmp_path / "here")], check=True)


@pytest.mark.parametrize("number", ["9", "KILL", "SIGKILL", "kill"])
def test_kill_takes_every_spelling_of_a_signal(urunc, bundle, number):
    urunc.create(bundle)
    urunc("start", "c1")
    urunc("kill", "c1", number)
    urunc.wait_for("stopped")


def test_a_stop_signal_ends_a_container_that_was_only_created(urunc, bundle):
    urunc.create(bundle)
    urunc("kill", "c1", "TERM")
    urunc.wait_for("stopped")


def test_a_signal_for_the_guest_does_not_end_the_monitor(urunc, bundle):
    urunc.create(bundle)
    urunc("start", "c1")
    urunc.report()
    urunc("kill", "c1", "HUP")
    assert urunc.state()["status"] == "running"
    assert "dropped" in urunc.log.read_text()


def test_run_returns_the_monitors_status_and_deletes_the_container(urunc, bundle):
    bundle.config["process"]["args"] = ["7"]
    bundle.write()
    urunc.ids.append("c1")
    assert urunc("run", "--bundle", str(bundle.path), "c1", check=False).returncode == 7
    assert urunc.leftovers() == []


def test_run_passes_a_signal_on(urunc, bundle):
    bundle.write()
    urunc.ids.append("c1")
    with urunc.output.open("ab") as output:
        command = urunc.argv("run", "--bundle", str(bundle.path), "c1")
        process = subprocess.Popen(command, stdout=output, stdin=subprocess.DEVNULL, env=urunc.environment)
    urunc.report()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 0
    assert urunc.leftovers() == []


def test_signals_that_come_at_once_do_not_stop_each_other(urunc, bundle):
    bundle.write()
    urunc.ids.append("c1")
    with urunc.output.open("ab") as output:
        command = urunc.argv("run", "--bundle", str(bundle.path), "c1")
        process = subprocess.Popen(command, stdout=output, stdin=subprocess.DEVNULL, env=urunc.environment)
    urunc.report()
    for number in [signal.SIGHUP, signal.SIGINT, signal.SIGTERM] * 20:
        process.send_signal(number)
    assert process.wait(timeout=20) == 0
    assert urunc.leftovers() == []


def test_list_and_ps_show_what_there_is(urunc, bundle):
    urunc.create(bundle, "one")
    urunc.create(bundle, "two")
    urunc("start", "two")
    rows = [line.split()[:3] for line in urunc("list").stdout.splitlines()[1:]]
    pids = {name: str(urunc.state(name)["pid"]) for name in ("one", "two")}
    assert rows == [["one", pids["one"], "created"], ["two", pids["two"], "running"]]
    assert urunc("list", "--quiet").stdout.split() == ["one", "two"]
    assert urunc("ps", "--format", "json", "two").stdout.strip() == f"[{pids['two']}]"


def test_delete_force_ends_a_running_container(urunc, bundle):
    urunc.create(bundle)
    urunc("start", "c1")
    urunc("delete", "--force", "c1")
    assert urunc.leftovers() == []


def test_delete_force_of_an_unknown_container_succeeds(urunc):
    urunc("delete", "--force", "nobody")


def test_kill_all_of_a_stopped_container_succeeds(urunc, bundle):
    bundle.config["process"]["args"] = ["0"]
    urunc.create(bundle)
    urunc("start", "c1")
    urunc.wait_for("stopped")
    urunc("kill", "--all", "c1", "9")


def test_what_is_asked_of_the_wrong_state_is_refused_in_the_words_that_engines_look_for(urunc, bundle):
    bundle.config["process"]["args"] = ["0"]
    urunc.create(bundle)
    assert "container with id exists: c1" in urunc.said(urunc.create(bundle, check=False))
    urunc("start", "c1")
    urunc.wait_for("stopped")
    assert urunc.fails("start", "c1") == "cannot start container c1 in the stopped state"
    assert urunc.fails("kill", "c1", "TERM") == "container not running: c1"
    for verb in (("start",), ("state",), ("kill",), ("delete",)):
        assert urunc.fails(*verb, "nobody") == "container nobody does not exist"


def test_a_running_container_is_neither_started_again_nor_deleted(urunc, bundle):
    urunc.create(bundle)
    urunc("start", "c1")
    assert urunc.fails("start", "c1") == "cannot start container c1 in the running state"
    assert "cannot delete container c1 in the running state; kill it first" in urunc.fails("delete", "c1")
    assert urunc.state()["status"] == "running"


@pytest.mark.parametrize("container_id", ["../x", "a/b", "..", "a b", "x" * 1025])
def test_an_id_that_is_no_file_name_is_refused(urunc, bundle, container_id):
    assert "invalid container id" in urunc.said(urunc.create(bundle, container_id, check=False))
    urunc.ids.clear()


def test_a_reused_pid_is_not_mistaken_for_the_container(urunc, bundle):
    urunc.create(bundle)
    file = urunc.root / "c1" / "container.json"
    pid = urunc.state()["pid"]
    file.write_text(file.read_text().replace('"start_time":', '"start_time":1'))
    assert urunc.state()["status"] == "stopped"
    assert urunc.fails("kill", "c1", "KILL") == "container not running: c1"
    assert (urunc.root / "x").joinpath("/proc", str(pid)).exists()


def test_an_unreadable_state_is_said_and_can_be_removed(urunc, bundle):
    urunc.create(bundle)
    pid = urunc.state()["pid"]
    (urunc.root / "c1" / "container.json").write_text("{")
    assert "cannot be read" in urunc.fails("state", "c1")
    urunc("delete", "--force", "c1")
    subprocess.run(["kill", "-9", str(pid)], check=True)
    urunc.create(bundle)  # what only the state knew of is found again, and goes with the next container


def test_a_cgroup_that_was_there_before_goes_with_the_container(urunc, bundle):
    urunc.create(bundle)
    urunc.ids.append("c2")
    cgroup = next(path for path in urunc.leftovers() if path.startswith("/sys"))
    bundle.config["linux"]["cgroupsPath"] = "/urunc/c2"
    other = Path(cgroup).with_name("c2")
    other.mkdir(exist_ok=True)
    urunc.create(bundle, "c2")
    urunc("delete", "c2")
    assert not other.exists()


def test_mistakes_on_the_command_line_are_explained_and_logged(urunc):
    assert urunc.fails("create") == "Missing argument 'ID'; see urunc create --help"
    assert "Did you mean one of: 'start', 'state'?" in urunc.fails("stat", "c1")
    assert "No such option" in urunc.fails("delete", "--forse", "c1")


EXPLAINED = {
    "the host's": (None, {}, "none, since the container is in the host's network namespace"),
    "the monitor's": (None, {"run.urunc.network": "user"}, "user, which is the monitor's own"),
    "declared": (
        "",
        {"run.urunc.network": "shared", "run.urunc.ports": "80,53/udp"},
        "shared, a private link in a new namespace, with the declared ports 80/tcp, 53/udp",
    ),
    "undeclared": (
        "",
        {"run.urunc.network": "shared"},
        "shared, a private link in a new namespace, with those ports that no container listens at",
    ),
    "none declared": (
        "",
        {"run.urunc.network": "shared", "run.urunc.ports": ""},
        "shared, a private link in a new namespace, with no declared ports",
    ),
    "Knative's": (
        "",
        {"io.kubernetes.cri.container-name": "user-container"},
        "static, a private link in a new namespace, with no declared ports",
    ),
}


@pytest.mark.parametrize(("path", "annotations", "network"), EXPLAINED.values(), ids=EXPLAINED)
def test_the_network_is_explained(urunc, bundle, path, annotations, network):
    kept = [one for one in bundle.config["linux"]["namespaces"] if one["type"] != "network"]
    own = [] if path is None else [{"type": "network", **({"path": path} if path else {})}]
    bundle.config["linux"]["namespaces"] = kept + own
    bundle.config["annotations"] = annotations
    bundle.write()
    said = urunc("spec", "--explain", "--bundle", str(bundle.path)).stdout
    assert f"network: {network}\n" in said


def test_what_a_unikernel_cannot_do_is_refused(urunc, bundle):
    urunc.create(bundle)
    assert "restore is not served for the container of a unikernel" in urunc.fails("restore", "c1")
    assert "cannot exec in a created container" in urunc.fails("exec", "c1", "ls")
    assert urunc.state()["status"] == "created"
    urunc("start", "c1")
    assert "a generic unikernel is one program, and has no processes" in urunc.fails("exec", "c1", "ls")


def test_the_stop_signal_of_the_image_ends_a_guest_that_has_no_way_to_receive_it(urunc, bundle):
    bundle.config["annotations"] = {"org.opencontainers.image.stopSignal": "SIGWINCH"}
    urunc.create(bundle)
    urunc("start", "c1")
    urunc.report()
    urunc("kill", "c1", "HUP")
    assert urunc.state()["status"] == "running"
    urunc("kill", "c1", "WINCH")
    urunc.wait_for("stopped")


def test_what_would_be_done_is_explained_without_doing_it(urunc, bundle):
    bundle.image.update(unikernelType="linux", mountRootfs="true")
    bundle.config["mounts"] = [
        {"type": "bind", "source": "/etc/hostname", "destination": "/etc/hostname", "options": ["bind"]}
    ]
    bundle.config["annotations"] = {"run.urunc.root": "9p"}
    bundle.write()
    said = urunc("spec", "--explain", "--bundle", str(bundle.path)).stdout
    assert "guest: linux on qemu (x86_64, tcg)\n" in said
    assert "root: the container's root by 9p; not by device: 9p is asked for" in said
    assert "volume /etc/hostname at /etc/hostname: live: the root is shared by 9p, and has it in it\n" in said
    assert "network: own, all interfaces of a new namespace that have an address\n" in said
    assert "-fsdev local," in said
    assert "monitor, without a network, with 3>&1 4>&2: " in said
    assert "=-1" not in said.replace("panic=-1", "")
    assert urunc.leftovers() == []
    bundle.image = None
    (bundle.rootfs / "urunc.json").unlink()
    bundle.write()
    said = urunc("spec", "--explain", "--bundle", str(bundle.path)).stdout
    assert said == "an ordinary container, for runc\n"
