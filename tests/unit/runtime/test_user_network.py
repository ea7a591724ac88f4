# SPDX-License-Identifier: Apache-2.0
"""The annotation that says which network a guest has."""

import json

import pytest

from urunc import bundle as bundles
from urunc.errors import BundleError
from urunc.machine import UserNetwork
from urunc.user_network import KEY, parse


def test_without_the_annotation_there_is_none():
    assert parse({"other": "user"}) is None


@pytest.mark.parametrize("value", ["own", "shared"])
def test_the_containers_network_is_not_the_monitors(value):
    assert parse({KEY: value}) is None


def test_a_network_without_ports():
    assert parse({KEY: "user"}) == UserNetwork()


def test_ports_of_both_protocols():
    assert parse({KEY: "user,tcp:8080:80,udp:53:5353"}) == UserNetwork((("tcp", 8080, 80), ("udp", 53, 5353)))


@pytest.mark.parametrize(
    "value",
    [
        "", "bridge", "own,tcp:80:80", "shared,",
        "user,", "user,tcp:80", "user,sctp:1:2", "user,tcp:0:80", "user,tcp:1:65536",
        "user,tcp:1:99999999999999", "user,tcp:1:2:3", "user,tcp:a:b", "user,tcp:1:2,id=x", "user,tcp:٣:80",
    ],
)  # fmt: skip
def test_anything_else_is_refused(value):
    with pytest.raises(BundleError, match=KEY):
        parse({KEY: value})


def test_a_bundle_has_it_parsed():
    spec = {"root": {"path": "rootfs"}, "annotations": {KEY: "user,tcp:8080:80"}}
    assert bundles.from_text(json.dumps(spec), "/b").user_network == UserNetwork((("tcp", 8080, 80),))
