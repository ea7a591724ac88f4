# SPDX-License-Identifier: Apache-2.0
"""The config.json that bima asks urunc to run, as urunc reads it."""

from __future__ import annotations

import json

import pytest

from bima import bundle
from bima.bundle import NetworkNamespace, Program, UserNetwork
from bima.errors import UsageError
from bima.port import Port
from urunc import bundle as runtime
from urunc.bundle import Bundle, Namespace
from urunc.machine import UserNetwork as RuntimeNetwork

IMAGE = {"config": {"Entrypoint": ["/program"], "Cmd": ["-x", "y"], "Env": ["A=1", "B=2"]}}


def read(program: Program, network: NetworkNamespace | UserNetwork) -> Bundle:
    return runtime.from_text(json.dumps(bundle.document("web", program, network)), "/b")


def test_of_an_ordinary_user_the_program_is_that_user_whoever_it_is_inside() -> None:
    document = bundle.document("web", Program(("a",), user=(7, 8)), UserNetwork(), (1000, 100))
    found = runtime.from_text(json.dumps(document), "/b")
    assert found.namespaces[0] == Namespace("user")
    assert (found.owner.uid, found.owner.gid) == (1000, 100)
    assert (found.user.uid, found.user.gid) == (7, 8)


def test_words_replace_the_command_but_not_the_entrypoint() -> None:
    assert bundle.program_args(IMAGE, ()) == ("/program", "-x", "y")
    assert bundle.program_args(IMAGE, ("z",)) == ("/program", "z")
    assert bundle.program_args({"config": {"Cmd": ["a"]}}, ("z",)) == ("z",)
    assert bundle.program_args({}, ()) == ()


def test_a_variable_of_the_command_line_replaces_the_images() -> None:
    assert bundle.environment(IMAGE, ("C=3", "A=4")) == ("A=4", "B=2", "C=3")
    assert bundle.environment({}, ()) == ()


def test_what_was_asked_for_arrives() -> None:
    program = Program(("a", "b c"), ("K=V",), terminal=True, memory_limit=1 << 28)
    found = read(program, NetworkNamespace("/run/netns/bima-web"))
    assert (found.args, found.env, found.terminal, found.memory_limit) == (
        ("a", "b c"),
        ("K=V",),
        True,
        1 << 28,
    )
    assert (found.rootfs, found.cgroups_path) == ("/b/rootfs", "/bima/web")
    assert found.namespace("network") == Namespace("network", "/run/netns/bima-web")


def test_the_monitor_is_shut_in() -> None:
    found = read(Program(()), NetworkNamespace())
    assert found.seccomp
    assert found.no_new_privileges
    assert found.memory_limit is None
    assert {namespace.kind for namespace in found.namespaces} >= {"pid", "ipc", "uts", "mount", "network"}


def test_without_a_network_the_namespace_is_new() -> None:
    assert read(Program(()), NetworkNamespace()).namespace("network") == Namespace("network")


def test_the_user_mode_network_is_in_the_namespace_of_the_host() -> None:
    found = read(Program(()), UserNetwork((Port(8080, 80), Port(53, 5353, "udp"))))
    assert found.namespace("network") is None
    assert found.user_network == RuntimeNetwork((("tcp", 8080, 80), ("udp", 53, 5353)))


def test_the_user_mode_network_has_no_single_address() -> None:
    with pytest.raises(UsageError, match="every address"):
        UserNetwork((Port(8080, 80, address="127.0.0.1"),))
