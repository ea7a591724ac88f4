# SPDX-License-Identifier: Apache-2.0
"""What an ordinary user's container gets besides."""

import json

import pytest

from urunc import bundle as bundles
from urunc import rootless
from urunc.bundle import IdMap, Namespace


def load(**more):
    return bundles.from_text(json.dumps({"root": {"path": "r"}, **more}), "/b")


def test_without_further_ids_the_containers_user_is_the_one_who_runs_it():
    found = rootless.adapt(load(process={"user": {"uid": 7, "gid": 8}}), (1000, 100), None)
    assert found.namespaces == (Namespace("user"),)
    assert (found.isolation.uids, found.isolation.gids) == ((IdMap(7, 1000, 1),), (IdMap(8, 100, 1),))
    assert (found.owner.uid, found.owner.gid) == (1000, 100)


def test_with_further_ids_that_one_is_root_and_the_others_follow():
    found = rootless.adapt(
        load(process={"user": {"uid": 7, "gid": 8}}), (1000, 100), ((5000, 60), (6000, 70))
    )
    assert found.isolation.uids == (IdMap(0, 1000, 1), IdMap(1, 5000, 60))
    assert found.isolation.gids == (IdMap(0, 100, 1), IdMap(1, 6000, 70))
    assert (found.owner.uid, found.owner.gid) == (5006, 6007)


def test_maps_of_config_json_are_left_as_they_are():
    maps = [{"containerID": 0, "hostID": 1000, "size": 1}]
    bundle = load(linux={"namespaces": [{"type": "user"}], "uidMappings": maps, "gidMappings": maps})
    assert rootless.adapt(bundle, (1, 1), None) == bundle


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", None),
        ("other:1:2\nme:100000:65536\nme:5:6\n", (100000, 65536)),
        ("1000:7:8", (7, 8)),
        ("me:x:2\nme:1\n# me\n\nme:3:4", (3, 4)),
    ],
)
def test_the_first_range_of_a_user_is_taken(text, found):
    assert rootless.handed(text, ("1000", "me")) == found


def test_a_user_maps_nobody_but_oneself_without_help():
    assert rootless.is_single((IdMap(5, 1000, 1),), 1000)
    assert not rootless.is_single((IdMap(5, 1001, 1),), 1000)
    assert not rootless.is_single((IdMap(5, 1000, 2),), 1000)
    assert not rootless.is_single((IdMap(0, 1000, 1), IdMap(1, 1, 1)), 1000)
