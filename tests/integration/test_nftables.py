# SPDX-License-Identifier: Apache-2.0
"""The kernel has from us what it would have from `nft`, word for word."""

from __future__ import annotations

import re
import subprocess

import pytest
from capabilities import require
from namespaces import inside, ip, namespace

from urunc import subnet
from urunc.host import forwarding, name_service, nftables
from urunc.host.netlink import NETFILTER, Socket
from urunc.interfaces import Interface
from urunc.resolver import Server
from urunc_common.ports import parse

WANTED = """table ip urunc7 { comment "ab12"
  chain arriving {
    type nat hook prerouting priority -183
    fib daddr type local tcp dport 80 dnat to 169.254.64.30
    fib daddr type local udp dport 53 dnat to 169.254.64.30
    fib daddr type local tcp dport 8000-8100 dnat to 169.254.64.30
  }
  chain own {
    type nat hook output priority -183
    fib daddr type local tcp dport 80 dnat to 169.254.64.30
    fib daddr type local udp dport 53 dnat to 169.254.64.30
    fib daddr type local tcp dport 8000-8100 dnat to 169.254.64.30
  }
  chain loopback {
    type nat hook prerouting priority -99
    iifname "urunc7" ip daddr 169.254.64.1 udp dport 53 dnat to 127.0.0.11:4000
    iifname "urunc7" ip daddr 169.254.64.29 dnat to 127.0.0.1
  }
  chain rest {
    type nat hook prerouting priority -91
    iifname != "urunc7" socket wildcard != 2 accept
    iifname != "urunc7" fib daddr type local meta l4proto != icmp dnat to 169.254.64.30
  }
  chain source {
    type nat hook postrouting priority 100
    ip saddr 169.254.64.30 masquerade
    oifname "urunc7" ip saddr 127.0.0.0/8 masquerade
  }
}
"""
WANTED6 = (
    re.sub(".*dport 53 dnat to 127.*\n", "", WANTED)
    .replace("table ip ", "table ip6 ")
    .replace("ip saddr", "ip6 saddr").replace("ip daddr", "ip6 daddr")
    .replace("!= icmp", "!= ipv6-icmp")
    .replace("169.254.64.29", "fd75:7275:6e63:7::1").replace("169.254.64.30", "fd75:7275:6e63:7::2")
    .replace("127.0.0.0/8", "::1").replace("127.0.0.1", "::1")
)  # fmt: skip
# All programs have one or the other; nft does not let this be said.
A_SOCKET = "socket wildcard != 2 "
PORTS = parse("80,53/udp,8000-8100")


# Where a guest has the namespace for itself: only what it asks the name server.
NAMES = """table netdev tap0_urunc { comment "ab12"
  chain questions {
    type filter hook ingress device "tap0_urunc" priority 0
    ip daddr 169.254.64.1 ip saddr set 169.254.64.2 meta pkttype set host
  }
}
table ip tap0_urunc { comment "ab12"
  chain servers {
    type nat hook prerouting priority -100
    iifname "tap0_urunc" ip daddr 169.254.64.1 udp dport 53 dnat to 127.0.0.11:4000
  }
  chain answers {
    type filter hook postrouting priority 300
    oifname "tap0_urunc" ip daddr 169.254.64.2 ip daddr set 10.1.2.3
  }
}
"""


def listed(name: str) -> str:
    argv = ["ip", "netns", "exec", name, "nft", "list", "ruleset"]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def nft(name: str, text: str) -> None:
    subprocess.run(["ip", "netns", "exec", name, "nft", "-f", "-"], input=text, text=True, check=True)


def make(comment: str = "ab12") -> None:
    place, servers = subnet.of_slot(7), [Server("udp", "127.0.0.11", 4000)]
    chains = forwarding.chains("urunc7", place.ipv4, PORTS, rest=True, servers=servers)
    chains6 = forwarding.chains("urunc7", place.ipv6, PORTS, rest=True)
    with Socket(NETFILTER) as socket:
        nftables.commit(socket, nftables.replacement(nftables.IP, "urunc7", comment, chains))
        nftables.commit(socket, nftables.replacement(nftables.IP6, "urunc7", comment, chains6))


def test_a_table_is_listed_as_if_nft_had_made_it() -> None:
    require("root", "nft")
    with namespace() as ours, namespace() as theirs:
        with inside(ours):
            make()
        nft(theirs, (WANTED + WANTED6).replace(A_SOCKET, ""))
        assert listed(ours).replace(A_SOCKET, "") == listed(theirs)
        assert listed(ours).count(A_SOCKET) == 2


@pytest.mark.parametrize(
    "before", ["", "table ip urunc7 {\n chain old {\n }\n}\n"], ids=["nothing", "another"]
)
def test_a_table_takes_the_place_of_what_was_there(before: str) -> None:
    require("root", "nft")
    with namespace() as name:
        nft(name, before)
        with inside(name):
            make()
        assert listed(name).startswith("table ip urunc7 {")
        assert "old" not in listed(name)


def test_a_table_is_found_by_its_comment_and_removed() -> None:
    require("root", "nft")
    with namespace() as name, inside(name):
        make("mine")
        nft(name, "table ip6 other {\n}\n")
        with Socket(NETFILTER) as socket:
            found = nftables.tables(socket)
            assert {(one.family, one.name, one.comment) for one in found} == {
                (2, "urunc7", "mine"),
                (10, "urunc7", "mine"),
                (10, "other", ""),
            }
            for _ in range(2):
                nftables.commit(socket, [nftables.removal(one) for one in found if one.comment])
        assert listed(name).split() == ["table", "ip6", "other", "{", "}"]


def test_a_table_that_has_taken_the_place_of_a_removed_one_stays() -> None:
    require("root", "nft")
    with namespace() as name, inside(name):
        make("first")
        with Socket(NETFILTER) as socket:
            first = nftables.tables(socket)
            make("second")
            nftables.commit(socket, [nftables.removal(one) for one in first])
            assert [one.comment for one in nftables.tables(socket)] == ["second", "second"]


def test_the_way_to_a_name_server_is_listed_as_if_nft_had_made_it() -> None:
    require("root", "nft")
    interface = Interface(2, "eth0", "02:00:00:00:00:02", 1500, "10.1.2.3", 24, "10.1.2.1")
    servers = [Server("udp", "127.0.0.11", 4000)]
    with namespace() as ours, namespace() as theirs:
        for name in (ours, theirs):
            ip("-n", name, "link", "add", "tap0_urunc", "type", "veth", "peer", "name", "other")
        with inside(ours), Socket(NETFILTER) as socket:
            nftables.commit(socket, name_service.rules("tap0_urunc", "ab12", interface, servers))
        nft(theirs, NAMES)
        assert listed(ours) == listed(theirs)
