# SPDX-License-Identifier: Apache-2.0
"""What a container asks of its namespaces must go together."""

import json

import pytest

from urunc import bundle as bundles
from urunc import isolation
from urunc_common.errors import Error

ALL = [{"type": kind} for kind in ("ipc", "uts", "network", "pid", "mount", "time")]
MAP = {"containerID": 0, "hostID": 100000, "size": 65536}


def load(**more):
    linux = {"namespaces": ALL, **more.pop("linux", {})}
    return bundles.from_text(json.dumps({"root": {"path": "r"}, "linux": linux, **more}), "/b")


def said(bundle, *, own_network=True):
    try:
        isolation.check(bundle, own_network=own_network)
    except Error as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    "more",
    [
        {"hostname": "h", "domainname": "d"},
        {"linux": {"sysctl": {"net.core.somaxconn": "1", "kernel.sem": "1", "kernel.domainname": "d"}}},
        {"linux": {"timeOffsets": {"boottime": {"secs": 1}}}},
        {"linux": {"namespaces": [{"type": "user"}], "uidMappings": [MAP], "gidMappings": [MAP]}},
        {"linux": {"namespaces": [{"type": "user", "path": "/n"}]}},
    ],
)
def test_what_goes_together(more):
    assert said(load(**more)) == ""


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"vm": {}}, "vm is not served"),
        ({"linux": {"intelRdt": {}}}, "linux.intelRdt is not served"),
        ({"linux": {"seccomp": {"listenerPath": "/s"}}}, "linux.seccomp.listenerPath is not served"),
        (
            {"mounts": [{"destination": "/d", "source": "/s", "type": "bind", "uidMappings": [MAP]}]},
            "mounts[0].uidMappings: idmapped mounts are not served",
        ),
        (
            {"mounts": [{"destination": "/d", "source": "/s", "options": ["bind", "idmap"]}]},
            "mounts[0].options (idmap): idmapped mounts are not served",
        ),
        (
            {"hostname": "h", "linux": {"namespaces": []}},
            "hostname is 'h', but the container has",
        ),
        (
            {"domainname": "d", "linux": {"namespaces": []}},
            "domainname is 'd', but the container has",
        ),
        ({"hostname": "h" * 65}, "hostname is over 64 bytes long"),
        ({"linux": {"uidMappings": [MAP]}}, "linux.uidMappings: the container has no user namespace"),
        ({"linux": {"gidMappings": [MAP]}}, "linux.gidMappings: the container has no user namespace"),
        ({"linux": {"namespaces": [{"type": "user"}]}}, "linux.uidMappings is missing"),
        (
            {
                "process": {"user": {"uid": 65536}},
                "linux": {"namespaces": [{"type": "user"}], "uidMappings": [MAP], "gidMappings": [MAP]},
            },
            "process.user.uid: 65536 is not an id of the container's user namespace",
        ),
        (
            {"linux": {"namespaces": [], "timeOffsets": {"boottime": {}}}},
            "linux.timeOffsets: the container has no time namespace of its own",
        ),
        (
            {"linux": {"namespaces": [{"type": "time", "path": "/n"}], "timeOffsets": {"boottime": {}}}},
            "linux.timeOffsets: the container has no time namespace of its own",
        ),
        ({"linux": {"sysctl": {"kernel.hostname": "h"}}}, "kernel.hostname is what hostname says"),
        (
            {"linux": {"sysctl": {"vm.swappiness": "1"}}},
            "vm.swappiness is not in a namespace",
        ),
        ({"linux": {"sysctl": {"user.max_user_namespaces": "1"}}}, "user.max_user_namespaces is not in a"),
        ({"linux": {"sysctl": {"net/../kernel/panic": "1"}}}, "'net/../kernel/panic' is no name of a sysctl"),
        ({"linux": {"sysctl": {"net..core": "1"}}}, "'net..core' is no name of a sysctl"),
        ({"linux": {"sysctl": {"net.a b": "1"}}}, "'net.a b' is no name of a sysctl"),
        ({"linux": {"sysctl": {"": "1"}}}, "'' is no name of a sysctl"),
    ],
)
def test_what_does_not_is_named_by_its_key(more, sentence):
    assert sentence in said(load(**more))


def test_a_sysctl_of_the_network_needs_another_one_than_the_hosts():
    assert "net.core.x is not in a namespace" in said(
        load(linux={"sysctl": {"net.core.x": "1"}}), own_network=False
    )


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
        ("net/ipv4/ip_forward", "net/ipv4/ip_forward"),
        ("net/ipv4/conf/eth0.100/forwarding", "net/ipv4/conf/eth0.100/forwarding"),
        ("net.ipv4.conf.eth0/100.forwarding", "net/ipv4/conf/eth0.100/forwarding"),
        ("kernel", "kernel"),
    ],
)
def test_the_first_of_dot_and_slash_separates_the_parts_of_a_sysctl(key, path):
    assert isolation.sysctl_path(key) == path
