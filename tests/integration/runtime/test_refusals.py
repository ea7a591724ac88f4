# SPDX-License-Identifier: Apache-2.0
"""Bad input: one sentence that names what is wrong, and nothing left behind."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from urunc_common.cpio import archive


def refused(urunc, bundle):
    said = urunc.said(urunc.create(bundle, check=False))
    assert urunc.leftovers() == []
    return said


def test_a_bundle_without_config_json(urunc, tmp_path):
    assert "config.json: No such file or directory" in urunc.fails("create", "--bundle", str(tmp_path), "c1")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot read {}: Is a directory; a bundle is a directory with config.json in it"),
        (b"", "{} is not valid JSON: Expecting value: line 1 column 1"),
        (b'{"root": {"path": "rootfs"}', "{} is not valid JSON: Expecting ',' delimiter: line 1 column 28"),
        (b"\xff", "{} is not UTF-8"),
    ],
)
def test_a_config_json_that_cannot_be_read(urunc, tmp_path, content, said):
    file = tmp_path / "config.json"
    if content is None:
        file.mkdir()
    else:
        file.write_bytes(content)
    assert urunc.fails("create", "--bundle", str(tmp_path), "c1").startswith(said.format(file))
    assert urunc.leftovers() == []


def test_a_bundle_without_rootfs(urunc, bundle):
    bundle.config["root"]["path"] = "missing"
    assert f"cannot open the root file system {bundle.path}/missing" in refused(urunc, bundle)


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ({"unikernelType": "templeos"}, "unknown value 'templeos'"),
        ({"hypervisor": "qmeu"}, "did you mean 'qemu'?"),
        ({"unikernelType": "unikraft", "hypervisor": "hvt"}, "does not run on hvt; unikraft runs on fire"),
        ({"binary": "/../kernel.elf"}, "is not a clean path inside the image"),
        ({"binary": "/missing"}, "the kernel /missing is not in the image"),
        ({"unikernelType": "mirage", "initrd": "/missing"}, "mirage unikernel cannot use an initrd"),
        ({"unikernelType": "unikraft", "initrd": "/missing"}, "the initrd /missing is not in the image"),
        ({"binray": "/kernel.elf"}, "did you mean com.urunc.unikernel.binary?"),
    ],
)
def test_what_the_image_says_wrongly(urunc, bundle, image, said):
    bundle.image.update(image)
    assert said in refused(urunc, bundle)


def test_a_urunc_json_that_is_not_json(urunc, bundle):
    bundle.image = None
    (bundle.rootfs / "urunc.json").write_text("{")
    assert "/urunc.json of the image is not valid JSON" in refused(urunc, bundle)


def test_a_urunc_json_that_is_a_link_out_of_the_image(urunc, bundle):
    bundle.image = None
    (bundle.rootfs / "urunc.json").symlink_to("/etc/passwd")
    assert "/urunc.json of the image is a symbolic link" in refused(urunc, bundle)


@pytest.mark.parametrize("name", ["urunc.json", "kernel.elf"])
def test_a_fifo_hangs_nobody(urunc, bundle, name):
    if name == "urunc.json":
        bundle.image = None
    else:
        (bundle.rootfs / name).unlink()
    os.mkfifo(bundle.rootfs / name)
    assert "is not a regular file" in refused(urunc, bundle)


def test_a_device_node_is_no_kernel(urunc, bundle):
    (bundle.rootfs / "kernel.elf").unlink()
    os.mknod(bundle.rootfs / "kernel.elf", 0o20666, os.makedev(1, 5))
    assert "the kernel /kernel.elf of the image is not a regular file" in refused(urunc, bundle)


def test_an_empty_file_is_no_kernel(urunc, bundle):
    (bundle.rootfs / "kernel.elf").write_bytes(b"")
    assert refused(urunc, bundle) == "the kernel /kernel.elf of the image is empty"


def test_a_link_does_not_lead_out_of_the_image(urunc, bundle, tmp_path):
    (tmp_path / "secret").write_text("of the host")
    (bundle.rootfs / "link").symlink_to(tmp_path / "secret")
    (bundle.rootfs / "climb").symlink_to("../" * 20 + str(tmp_path / "secret"))
    for name in ("link", "climb"):
        bundle.image["binary"] = f"/{name}"
        assert f"the kernel /{name} is not in the image" in refused(urunc, bundle)


def test_a_link_inside_the_image_is_followed_there(urunc, bundle):
    (bundle.rootfs / "link").symlink_to("/kernel.elf")
    bundle.image["binary"] = "/link"
    urunc.create(bundle)


def test_a_kernel_that_the_user_may_not_read(urunc, bundle):
    (bundle.rootfs / "kernel.elf").chmod(0o600)
    bundle.config["process"]["user"]["uid"] = 1000
    assert "user 1000 may not read the kernel /kernel.elf" in refused(urunc, bundle)


def test_a_monitor_that_is_not_installed(urunc, bundle):
    urunc.environment["PATH"] = "/nowhere"
    said = refused(urunc, bundle)
    assert said.startswith("the monitor qemu-system-x86_64 is not installed; install qemu-system-x86")


def test_a_monitor_that_cannot_be_executed_fails_start(urunc, bundle):
    program = Path(urunc.environment["PATH"].split(":")[0], "qemu-system-x86_64")
    program.write_bytes(b"\x7fELF is what it only looks like")
    urunc.create(bundle)
    assert f"execute {program}: Exec format error" in urunc.fails("start", "c1")
    urunc.wait_for("stopped")


def test_too_little_memory_names_what_is_enough(urunc, bundle):
    bundle.config["linux"]["resources"] = {"memory": {"limit": 64 << 20}}
    said = refused(urunc, bundle)
    enough = int(said.split("at least ")[1].split(" MiB")[0])
    bundle.config["linux"]["resources"]["memory"]["limit"] = (enough << 20) - 1
    refused(urunc, bundle)
    bundle.config["linux"]["resources"]["memory"]["limit"] = enough << 20
    urunc.create(bundle)


@pytest.mark.parametrize(
    ("namespace", "said"),
    [
        (
            {"type": "network", "path": "/run/netns/missing"},
            "cannot open the network namespace /run/netns/missing",
        ),
        ({"type": "ipc", "path": "/etc/hostname"}, "/etc/hostname is not a ipc namespace"),
        ({"type": "uts", "path": "/proc/self/ns/net"}, "/proc/self/ns/net is not a uts namespace"),
        ({"type": "user"}, "linux.uidMappings is missing, and the container has a user namespace of its own"),
    ],
)
def test_namespaces_that_cannot_be(urunc, bundle, namespace, said):
    bundle.config["linux"]["namespaces"] = [namespace]
    assert said in refused(urunc, bundle)


@pytest.mark.skipif(Path("/run/systemd/system").exists(), reason="systemd runs here")
def test_a_cgroup_for_systemd_where_it_does_not_run(urunc, bundle):
    bundle.config["linux"]["cgroupsPath"] = "system.slice:urunc:c1"
    assert "systemd does not run on this host, so it cannot make a cgroup; use" in refused(urunc, bundle)


@pytest.mark.parametrize(
    ("path", "said"),
    [("/a/../../b", "does not name a cgroup"), ("system:urunc:c1", "is no slice of systemd")],
)
def test_cgroup_paths_that_cannot_be(urunc, bundle, path, said):
    bundle.config["linux"]["cgroupsPath"] = path
    assert said in refused(urunc, bundle)


def test_a_terminal_without_a_socket_and_a_socket_without_a_terminal(urunc, bundle, tmp_path):
    socket = ("--console-socket", str(tmp_path / "nobody"))
    assert "wants no terminal" in urunc.said(urunc.create(bundle, "c1", *socket, check=False))
    bundle.config["process"]["terminal"] = True
    assert "there is no --console-socket" in refused(urunc, bundle)
    said = urunc.said(urunc.create(bundle, "c1", *socket, check=False))
    assert f"send the terminal to the console socket {tmp_path}/nobody" in said
    assert urunc.leftovers() == []


def test_a_state_root_that_cannot_be_written(urunc, bundle, tmp_path):
    (tmp_path / "state").write_text("a file")
    assert "make the state directory" in urunc.said(urunc.create(bundle, check=False))


def test_a_full_disk_leaves_no_container(urunc, bundle):
    urunc.root.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(urunc.root)], check=True)
    try:
        (urunc.root / "ballast").write_bytes(b"x" * 4096)
        said = urunc.said(urunc.create(bundle, check=False))
        assert "No space left on device" in said
        assert [path.name for path in urunc.root.iterdir()] == ["ballast"]
    finally:
        subprocess.run(["umount", str(urunc.root)], check=True)


def test_a_disk_that_fills_up_keeps_the_old_state(urunc, bundle):
    urunc.root.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(urunc.root)], check=True)
    urunc.use_shell_as_monitor()
    try:
        urunc.create(bundle)
        subprocess.run(["dd", "if=/dev/zero", f"of={urunc.root}/ballast"], capture_output=True, check=False)
        assert "save the state of container c1" in urunc.fails("start", "c1")
        # The file is the old one, and the monitor runs, so that is what state says.
        assert urunc.state()["status"] == "running"
        (urunc.root / "ballast").unlink()
        urunc("delete", "--force", "c1")
    finally:
        subprocess.run(["umount", "--lazy", str(urunc.root)], check=True)


def test_a_configuration_file_with_a_mistake(urunc, bundle):
    path = Path(urunc.environment["URUNC_CONFIG_FILE"])
    path.write_text('[monitors.qemu]\nacell = "tcg"\n')
    assert "unknown key monitors.qemu.acell; did you mean monitors.qemu.accel?" in refused(urunc, bundle)
    path.write_text("[monitors")
    assert f"cannot read {path}" in refused(urunc, bundle)
    urunc.environment["URUNC_CONFIG_FILE"] = "/missing.toml"
    assert "URUNC_CONFIG_FILE names /missing.toml, which does not exist" in refused(urunc, bundle)


def test_an_unknown_signal(urunc, bundle):
    urunc.create(bundle)
    for signal in ("NOPE", "0", "65", "RTMIN+31"):
        assert f"unknown signal '{signal}'" in urunc.fails("kill", "c1", signal)
    urunc("kill", "c1", "RTMIN+30")


@pytest.mark.parametrize(
    "annotations",
    [
        {},
        # What a pod says of its containers reaches its pause container as well.
        {"io.kubernetes.cri.container-type": "sandbox", "com.urunc.unikernel.hypervisor": "qemu"},
        {"io.kubernetes.cri-o.ContainerType": "sandbox", "com.urunc.unikernel.hypervisor": "qemu"},
        {"io.kubernetes.cri-o.ContainerType": "sandbox", "com.urunc.unikernel.binary": "/kernel.elf"},
        # And the ordinary containers beside them.
        {"io.kubernetes.cri.container-type": "container", "com.urunc.unikernel.hypervisor": "qemu"},
        {"io.kubernetes.cri-o.ContainerType": "container", "com.urunc.unikernel.hypervisor": "qemu"},
    ],
)
def test_an_ordinary_container_is_handed_to_the_ordinary_runtime(urunc, bundle, tmp_path, annotations):
    bundle.image = None
    bundle.config["annotations"] = annotations
    recorder = urunc.programs / "runc"
    directory = urunc.root / "c1"
    recorder.write_text(
        "#!/bin/sh\n"
        f'printf "%s\\n" "$@" >> {tmp_path}/calls\n'
        f"mkdir -p {directory}; touch {directory}/state.json\n"
    )
    recorder.chmod(0o755)
    urunc.create(bundle)
    for verb in (("start", "c1"), ("state", "c1"), ("kill", "c1", "9"), ("ps", "c1"), ("delete", "c1")):
        urunc(*verb)
    calls = (tmp_path / "calls").read_text().splitlines()
    assert [word for word in calls if word in ("create", "start", "state", "kill", "ps", "delete")] == [
        "create", "start", "state", "kill", "ps", "delete",
    ]  # fmt: skip
    assert calls.count("--root") == 6
    for path in (urunc.root / "c1").iterdir():
        path.unlink()
    (urunc.root / "c1").rmdir()


@pytest.mark.parametrize(
    "annotations",
    [
        {"com.urunc.unikernel.hypervisor": "qemu"},
        {"io.kubernetes.cri.container-type": "container", "com.urunc.unikernel.binary": "/kernel.elf"},
    ],
    ids=["not in a pod", "with a kernel"],
)
def test_half_a_description_is_no_ordinary_container(urunc, bundle, annotations):
    bundle.image = None
    bundle.config["annotations"] = annotations
    assert "missing com.urunc.unikernel.unikernelType" in refused(urunc, bundle)


def test_a_limit_that_the_host_has_not_got_is_none(urunc, bundle):
    bundle.config["linux"]["resources"] = {"memory": {"limit": 9223372036854771712}}
    urunc.create(bundle)
    urunc("start", "c1")
    argv = urunc.report()["argv"]
    assert argv[argv.index("-m") + 1] == "256M"


def test_without_an_ordinary_runtime_the_hand_over_says_so(urunc, bundle):
    bundle.image = None
    urunc.environment["PATH"] = "/nowhere"
    assert "but runc, which runs those, cannot be executed" in refused(urunc, bundle)


def test_half_a_configuration_is_never_handed_over(urunc, bundle):
    bundle.image = None
    bundle.config["annotations"] = {"com.urunc.unikernel.hypervisor": "qemu"}
    assert "missing com.urunc.unikernel.unikernelType, com.urunc.unikernel.binary" in refused(urunc, bundle)


def test_annotations_alone_make_a_unikernel(urunc, bundle):
    bundle.config["annotations"] = {
        f"com.urunc.unikernel.{key}": value for key, value in bundle.image.items()
    }
    bundle.image = None
    urunc.create(bundle)
    assert json.loads(urunc("state", "c1").stdout)["annotations"] == bundle.config["annotations"]


def test_an_initrd_that_linux_would_not_unpack_is_refused(urunc, bundle):
    (bundle.rootfs / "initrd").write_bytes(b"not an archive")
    bundle.image.update(unikernelType="linux", initrd="/initrd")
    said = urunc.said(urunc.create(bundle, check=False))
    assert "the initrd /initrd is no archive that linux unpacks" in said
    assert urunc.leftovers() == []


def test_a_file_that_has_vanished_before_the_start_is_named(urunc, bundle, tmp_path):
    hosts, hook = tmp_path / "hosts", tmp_path / "hook"
    hosts.write_text("127.0.0.1 localhost\n")
    hook.write_text(f"#!/bin/sh\nrm {hosts}\n")
    hook.chmod(0o755)
    (bundle.rootfs / "initrd").write_bytes(archive([]))
    bundle.image.update(unikernelType="linux", initrd="/initrd")
    mount = {"type": "bind", "source": str(hosts), "destination": "/etc/hosts", "options": ["rbind"]}
    bundle.config.update(mounts=[mount], hooks={"createContainer": [{"path": str(hook)}]})
    urunc.create(bundle)
    assert f"copy the volume {hosts}: No such file or directory" in urunc.fails("start", "c1")
