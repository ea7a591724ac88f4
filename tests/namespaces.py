# SPDX-License-Identifier: Apache-2.0
"""Network namespaces for tests, and what is in them."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from urunc.host.syscalls import CLONE_NEWNET, setns

if TYPE_CHECKING:
    from collections.abc import Iterator

NUMBERS = itertools.count()


def ip(*words: str) -> Any:
    """What `ip` says."""
    done = subprocess.run(["ip", "-json", *words], check=True, capture_output=True, text=True)
    return json.loads(done.stdout or "[]")


def tc(*words: str) -> Any:
    """What `tc` says."""
    done = subprocess.run(["tc", "-json", *words], check=True, capture_output=True, text=True)
    return json.loads(done.stdout or "[]")


def path(name: str) -> str:
    """Where a namespace is."""
    return f"/run/netns/{name}"


@contextmanager
def namespace() -> Iterator[str]:
    """A new one, by its name."""
    name = f"test-network-{os.getpid()}-{next(NUMBERS)}"
    ip("netns", "add", name)
    try:
        yield name
    finally:
        ip("netns", "delete", name)


def traces(name: str) -> list[str]:
    """What of us is in a namespace: taps, redirections, tables."""
    taps = [link["ifname"] for link in ip("-n", name, "link") if "urunc" in link["ifname"]]
    qdiscs = [one["kind"] for one in tc("-n", name, "qdisc") if one["kind"] == "ingress"]
    nft = ["ip", "netns", "exec", name, "nft", "list", "tables"]
    tables = subprocess.run(nft, capture_output=True, text=True, check=True).stdout.splitlines()
    return taps + qdiscs + tables


@contextmanager
def inside(name: str) -> Iterator[None]:
    """This thread is there for a while."""
    with open("/proc/self/ns/net") as home, open(path(name)) as target:
        setns(target.fileno(), CLONE_NEWNET)
        try:
            yield
        finally:
            setns(home.fileno(), CLONE_NEWNET)
