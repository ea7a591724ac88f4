# SPDX-License-Identifier: Apache-2.0
"""What of config.json has no effect is said: to everybody, or to whoever debugs."""

import json

import pytest


def messages(urunc, level):
    records = map(json.loads, urunc.log.read_text().splitlines())
    return [record["msg"] for record in records if record["level"] == level]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"windows": {}}, "windows has no effect: this is Linux"),
        ({"solaris": {}}, "solaris has no effect"),
        ({"zos": {}}, "zos has no effect"),
        ({"process": {"commandLine": "a b"}}, "process.commandLine has no effect: it is for Windows"),
        ({"process": {"user": {"username": "me"}}}, "process.user.username has no effect: it is for Windows"),
        ({"process": {"execCPUAffinity": {"initial": "0"}}}, "process.execCPUAffinity has no effect"),
        (
            {"linux": {"devices": [{"type": "c", "path": "/dev/x", "major": 1, "minor": 3}]}},
            "linux.devices: the monitor may use these 1, but a guest has devices of its own",
        ),
        (
            {"mounts": [{"destination": "/tmp", "type": "tmpfs", "source": "t"}]},
            "the mount of type tmpfs at /tmp has no effect: the guest mounts its own",
        ),
    ],
)
def test_what_has_no_effect_is_said(urunc, bundle, more, said):
    for key, value in more.items():
        bundle.config[key] = {**bundle.config.get(key, {}), **value} if isinstance(value, dict) else value
    urunc.create(bundle)
    assert any(message.startswith(said) for message in messages(urunc, "info"))


def test_what_engines_always_ask_for_is_said_to_whoever_debugs(urunc, bundle):
    bundle.config["linux"].update(maskedPaths=["/proc/kcore"], readonlyPaths=["/proc/sys"])
    bundle.config["linux"]["resources"] = {"memory": {"useHierarchy": True}}
    bundle.config["mounts"] = [{"destination": "/proc", "type": "proc", "source": "proc"}]
    urunc.create(bundle)
    assert messages(urunc, "info") == []
    urunc("delete", "--force", "c1")
    argv = urunc.argv
    urunc.argv = lambda *words: [argv()[0], "--debug", *argv(*words)[1:]]
    urunc.create(bundle)
    said = messages(urunc, "debug")
    for key in ("linux.maskedPaths", "linux.readonlyPaths", "linux.resources.memory.useHierarchy"):
        assert any(message.startswith(f"{key} has no effect") for message in said)
    assert any(message.startswith("the mount of type proc at /proc has no effect") for message in said)


def test_a_guest_that_has_no_network_in_the_hosts_namespace_is_a_warning(urunc, bundle):
    kinds = bundle.config["linux"]["namespaces"]
    bundle.config["linux"]["namespaces"] = [one for one in kinds if one["type"] != "network"]
    urunc.create(bundle)
    assert [said for said in messages(urunc, "warning") if "so the guest has no network" in said]
    urunc.log.write_text("")
    urunc("delete", "--force", "c1")
    bundle.config["annotations"] = {"run.urunc.network": "user"}
    urunc.create(bundle)
    assert not [said for said in messages(urunc, "warning") if "network" in said]


def test_a_field_that_nobody_knows_is_a_warning(urunc, bundle):
    bundle.config["linux"]["colour"] = "blue"
    urunc.create(bundle)
    assert messages(urunc, "warning")[0] == "config.json: linux.colour is not known, so it has no effect"


def test_a_capability_that_nobody_knows_is_a_warning(urunc, bundle):
    bundle.config["process"]["capabilities"] = {"bounding": ["CAP_CHOWN", "CAP_FLY"]}
    urunc.create(bundle)
    said = "process.capabilities: CAP_FLY is not known, so it has no effect"
    assert messages(urunc, "warning")[0] == said


def test_the_engines_version_is_that_of_the_state(urunc, bundle):
    bundle.config["ociVersion"] = "1.1.0-rc.3"
    urunc.create(bundle)
    assert urunc.state()["ociVersion"] == "1.1.0-rc.3"
