# SPDX-License-Identifier: Apache-2.0
"""A bridge of the tests' own, network namespaces on it, and a look at the pages that are served there."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from capabilities import cni_folder
from daemons import run
from e2e.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CLONE_NEWNET = 0x40000000


@dataclass(frozen=True)
class Network:
    """A CNI network of one plugin."""

    plugin: dict[str, object]

    @contextmanager
    def namespace(self, name: str) -> Iterator[tuple[Path, str]]:
        """A network namespace with an interface on the bridge: its path and address."""
        path = Path("/run/netns") / name
        run("ip", "netns", "add", name)
        try:
            answer = self._call("ADD", path)
            try:
                yield path, answer["ips"][0]["address"].partition("/")[0]
            finally:
                self._call("DEL", path)
        finally:
            run("ip", "netns", "delete", name)

    def _call(self, command: str, namespace: Path) -> dict[str, list[dict[str, str]]]:
        """What an engine does with a plugin: configuration on standard input, the rest in the environment."""
        folder = cni_folder()
        variables = {
            "CNI_COMMAND": command, "CNI_CONTAINERID": namespace.name, "CNI_NETNS": str(namespace),
            "CNI_IFNAME": "eth0", "CNI_PATH": str(folder), "PATH": os.environ["PATH"],
        }  # fmt: skip
        done = subprocess.run(
            [f"{folder}/bridge"], input=json.dumps(self.plugin), env=variables,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        answer: dict[str, list[dict[str, str]]] = json.loads(done.stdout or "{}")
        return answer


@contextmanager
def network(addresses: Path, configurations: Path) -> Iterator[Network]:
    """Make a bridge, and the configuration by which it is nerdctl's default network."""
    subnet = f"10.87.{os.getpid() % 250}.0/24"
    labels = {"nerdctl/default-network": "true"}
    with _bridge(
        "bridge", f"e2e{os.getpid()}", {subnet: "0.0.0.0/0"}, labels, addresses, configurations
    ) as made:
        yield made


@contextmanager
def dual_network(name: str, addresses: Path, configurations: Path) -> Iterator[Network]:
    """Make a bridge with subnets of both versions of IP, as nerdctl's network `name`."""
    number = os.getpid() % 250
    subnets = {f"10.86.{number}.0/24": "0.0.0.0/0", f"fd00:86:{number:x}::/64": "::/0"}
    with _bridge(name, f"e2e{os.getpid()}d", subnets, {}, addresses, configurations) as made:
        yield made


@contextmanager
def _bridge(
    name: str,
    bridge: str,
    subnets: Mapping[str, str],
    labels: Mapping[str, str],
    addresses: Path,
    configurations: Path,
) -> Iterator[Network]:
    """Subnets, and what is reached by their gateways."""
    ipam = {
        "type": "host-local",
        "dataDir": str(addresses),
        "ranges": [[{"subnet": subnet}] for subnet in subnets],
        "routes": [{"dst": destination} for destination in subnets.values()],
    }
    # No masquerading: the plugin leaves its rules if the namespace is gone when it is asked to clean up.
    plugin = {"type": "bridge", "bridge": bridge, "isGateway": True, "ipam": ipam}
    head = {"cniVersion": "1.0.0", "name": name, "nerdctlLabels": labels}
    (configurations / f"{name}.conflist").write_text(json.dumps(head | {"plugins": [plugin]}))
    run("ip", "link", "add", bridge, "type", "bridge")
    try:
        yield Network(head | plugin)
    finally:
        run("ip", "link", "delete", bridge)


@contextmanager
def private_network() -> Iterator[None]:
    """This process, and what it starts, sees a network with nothing but loopback: a host of their own."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/self/ns/net") as home:
        assert libc.unshare(CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        try:
            run("ip", "link", "set", "lo", "up")
            yield
        finally:
            assert libc.setns(home.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())


def page(address: str, path: str = "/") -> str:
    """What a web server answers, once it does; no proxy of this machine is asked."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def answer() -> str:
        try:
            with opener.open(f"http://{address}{path}", timeout=2) as response:
                return str(response.read().decode())
        except OSError:
            return ""

    return eventually(answer, f"an answer from {address}")
