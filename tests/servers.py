# SPDX-License-Identifier: Apache-2.0
"""Real servers for tests, each a context manager with a private directory, on loopback, ended by its pid.

    with registry(tls=True) as server: ...    server.host, server.ca_file
    with containerd() as server: server.ctr("images", "ls")
    with dockerd() as server: server.docker("images")

Two servers of a kind can run at once.  What containerd cannot move lies in /run/containerd/{s,fifo,runc}.
"""

from __future__ import annotations

import json
import os
import signal
import ssl
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from capabilities import SEARCH
from daemons import certificate, daemon, end, free_port, private_directory, run, wait

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Mapping

USER, PASSWORD = "lab", "secret"
HTPASSWD = "lab:$2b$04$.bJxQScs9eOKin/546pPZuUnlvY5hAQ3xmxC8JyKhL/OQhyAr8ICq\n"
NO_CRI = 'disabled_plugins = ["io.containerd.grpc.v1.cri"]'


@dataclass(frozen=True)
class Registry:
    """A running registry; `host` is how an image name begins."""

    host: str
    scheme: str
    directory: Path
    process: subprocess.Popen[bytes]
    ca_file: Path | None = None

    @property
    def data(self) -> Path:
        """Where the registry keeps blobs, tags and unfinished uploads."""
        return self.directory / "data/docker/registry/v2"

    @property
    def log(self) -> str:
        """What the registry logged so far, its requests among it."""
        return (self.directory / "log").read_text()

    def stop(self) -> None:
        """Have the registry down while the test goes on."""
        end(self.process)


@dataclass(frozen=True)
class Containerd:
    """A running containerd with its own root, state and socket."""

    address: str
    directory: Path

    def ctr(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run ctr against this containerd; its standard input is empty, for ctr never ends it."""
        return run("ctr", "--address", self.address, *arguments, check=check)


@dataclass(frozen=True)
class Dockerd:
    """A running dockerd on a containerd of its own; `host` is what DOCKER_HOST takes."""

    host: str
    directory: Path

    @property
    def environment(self) -> dict[str, str]:
        """What a docker client needs to reach this daemon, and no other configuration."""
        return {**os.environ, "DOCKER_HOST": self.host, "DOCKER_CONFIG": str(self.directory)}

    def docker(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the docker client against this daemon."""
        return run("docker", *arguments, check=check, env=self.environment)


@contextmanager
def registry(
    *, tls: bool = False, basic: bool = False, auth: Mapping[str, object] | None = None, port: int = 0
) -> Iterator[Registry]:
    """docker-registry; `basic` asks for USER and PASSWORD, `auth` is any other `auth:` section."""
    with private_directory("registry") as directory:
        host, scheme = f"127.0.0.1:{port or free_port()}", "https" if tls else "http"
        ca_file = certificate(directory)[0] if tls else None
        config = directory / "config.yml"
        config.write_text(_registry_config(directory, host, tls=tls, basic=basic, auth=auth))
        with daemon("docker-registry", "serve", str(config), directory=directory) as process:
            wait(process, directory, lambda: _answers(f"{scheme}://{host}/v2/"))
            yield Registry(host, scheme, directory, process, ca_file)


@contextmanager
def containerd(*, cri: str = "", path: str = SEARCH) -> Iterator[Containerd]:
    """containerd; `cri` is the TOML of its CRI plugin, off when empty; shims are found in `path`."""
    with private_directory("containerd") as directory:
        address = f"{directory}/c.sock"
        config = directory / "config.toml"
        config.write_text(_containerd_config(directory, address, cri))
        with daemon("containerd", "--config", str(config), directory=directory, path=path) as process:
            server = Containerd(address, directory)
            wait(process, directory, lambda: server.ctr("version", check=False).returncode == 0)
            try:
                yield server
            finally:
                _end_shims(address)


@contextmanager
def dockerd(
    *, runtimes: Mapping[str, str] | None = None, bridge: str = "none", path: str = SEARCH
) -> Iterator[Dockerd]:
    """dockerd; without a bridge it leaves the host's network and firewall alone."""
    with containerd(path=path) as lower, private_directory("dockerd") as directory:
        host = f"unix://{directory}/d.sock"
        config = directory / "daemon.json"
        config.write_text(_dockerd_config(directory, host, lower.address, runtimes or {}, bridge))
        with daemon("dockerd", "--config-file", str(config), directory=directory, path=path) as process:
            server = Dockerd(host, directory)
            wait(process, directory, lambda: server.docker("version", check=False).returncode == 0)
            yield server


def _registry_config(
    directory: Path, host: str, *, tls: bool, basic: bool, auth: Mapping[str, object] | None
) -> str:
    """The configuration, as JSON, which is YAML too."""
    http: dict[str, object] = {"addr": host, "secret": "test"}
    if tls:
        http["tls"] = {"certificate": f"{directory}/ca.crt", "key": f"{directory}/key.pem"}
    config: dict[str, object] = {
        "version": "0.1",
        "log": {"level": "info"},
        "storage": {"filesystem": {"rootdirectory": f"{directory}/data"}, "delete": {"enabled": True}},
        "http": http,
    }
    if basic:
        (directory / "htpasswd").write_text(HTPASSWD)
        config["auth"] = {"htpasswd": {"realm": "test", "path": f"{directory}/htpasswd"}}
    if auth:
        config["auth"] = auth
    return json.dumps(config)


def _containerd_config(directory: Path, address: str, cri: str) -> str:
    return f"""version = 2
root = "{directory}/root"
state = "{directory}/state"
{"" if cri else NO_CRI}
[grpc]
  address = "{address}"
[ttrpc]
  address = "{address}.ttrpc"
[plugins."io.containerd.internal.v1.opt"]
  path = "{directory}/opt"
{cri}
"""


def _dockerd_config(
    directory: Path, host: str, containerd_address: str, runtimes: Mapping[str, str], bridge: str
) -> str:
    config: dict[str, object] = {
        "data-root": f"{directory}/root",
        "exec-root": f"{directory}/exec",
        "pidfile": f"{directory}/pid",
        "hosts": [host],
        "containerd": containerd_address,
        "runtimes": {name: {"path": path} for name, path in runtimes.items()},
        "bridge": bridge,
    }
    if bridge == "none":
        config |= {"iptables": False, "ip-forward": False, "ip-masq": False}
    return json.dumps(config)


def _answers(url: str) -> bool:
    """Whether an HTTP server is there, whatever it thinks of us."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    try:
        opener.open(url, timeout=5).close()
    except urllib.error.HTTPError as error:
        error.close()
    except OSError:
        return False
    return True


def _end_shims(address: str) -> None:
    """Shims outlive containerd on purpose; those of ours are known by our socket in their arguments."""
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if address.encode() in words and b"shim" in words[0]:
                os.kill(int(entry.name), signal.SIGKILL)
