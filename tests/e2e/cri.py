# SPDX-License-Identifier: Apache-2.0
"""The container runtime interface of a private containerd, used as a kubelet uses it: pods and containers.

with kubelet.pod("web") as pod:
    server = pod.run("server", images.BUSYBOX, "httpd", "-f")
    server.execute("cat", "/etc/hosts").output;  server.log();  server.statistics();  server.stop()
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import servers
from capabilities import ROOT, cni_folder
from cri_api.v1 import api_pb2 as cri
from cri_api.v1 import api_pb2_grpc
from daemons import private_directory
from e2e import network
from e2e.leftovers import Leftovers
from e2e.processes import adopting_orphans
from private import empty, private_mounts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from e2e.network import Network
    from servers import Containerd

HANDLER = "urunc"
RUNNING, EXITED = cri.CONTAINER_RUNNING, cri.CONTAINER_EXITED
ANSWER_S, STOP_S = 60, 2
CGROUP = f"e2e-cri-{os.getpid()}"
PLUGIN = 'plugins."io.containerd.grpc.v1.cri"'
OWN_NAMESPACES = cri.NamespaceOption(network=cri.POD, pid=cri.CONTAINER, ipc=cri.POD)


@dataclass(frozen=True)
class Ended:
    """What a program in a container has printed, and its status."""

    status: int
    output: str
    errors: str


@dataclass(frozen=True)
class Kubelet:
    """A client of one containerd, whose pods are on `bridge`."""

    server: Containerd
    bridge: Network
    calls: Any

    @property
    def directory(self) -> Path:
        """The server's folder, where its log is."""
        return self.server.directory

    def load(self, archive: Path) -> None:
        """Give the images of a file to the pods."""
        self.server.ctr("--namespace", "k8s.io", "images", "import", str(archive))

    def call(self, method: str, **fields: Any) -> Any:
        """Any method of the runtime service; its request has the same name."""
        request = getattr(cri, f"{method}Request")(**fields)
        return getattr(self.calls, method)(request, timeout=ANSWER_S)

    @contextmanager
    def pod(self, name: str, *, annotations: Mapping[str, str] | None = None) -> Iterator[Pod]:
        """A pod with its pause container; in the end it is stopped and removed, with all that is in it."""
        logs = self.directory / "logs" / name
        logs.mkdir(parents=True)
        linux = cri.LinuxPodSandboxConfig(
            cgroup_parent=f"/{CGROUP}/{name}",
            security_context=cri.LinuxSandboxSecurityContext(namespace_options=OWN_NAMESPACES),
        )
        config = cri.PodSandboxConfig(
            metadata=cri.PodSandboxMetadata(name=name, uid=name, namespace="default"),
            hostname=name, log_directory=str(logs), annotations=annotations or {}, linux=linux,
        )  # fmt: skip
        id = self.call("RunPodSandbox", config=config, runtime_handler=HANDLER).pod_sandbox_id
        try:
            yield Pod(self, id, config)
        finally:
            self.call("StopPodSandbox", pod_sandbox_id=id)
            self.call("RemovePodSandbox", pod_sandbox_id=id)
            _remove_cgroups(f"{CGROUP}/{name}")
            shutil.rmtree(logs)

    def leftovers(self) -> Leftovers:
        """A snapshot of the host."""
        states = (
            "/run/containerd/runc/k8s.io",
            f"{self.directory}/state/io.containerd.runtime.v2.task/k8s.io",
        )
        return Leftovers(CGROUP, self.directory, map(Path, states))


@dataclass(frozen=True)
class Pod:
    """A running pod."""

    kubelet: Kubelet
    id: str
    config: Any

    @property
    def addresses(self) -> list[str]:
        """The pod's address, and more that it has."""
        found = self.kubelet.call("PodSandboxStatus", pod_sandbox_id=self.id).status.network
        return [found.ip, *(one.ip for one in found.additional_ips)]

    def containers(self) -> Any:
        """All that there are, also those that have ended."""
        return self.kubelet.call(
            "ListContainers", filter=cri.ContainerFilter(pod_sandbox_id=self.id)
        ).containers

    def create(
        self,
        name: str,
        image: str,
        *command: str,
        attempt: int = 0,
        annotations: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        **fields: Any,
    ) -> Container:
        """Any further field is one of ContainerConfig."""
        security = cri.LinuxContainerSecurityContext(namespace_options=OWN_NAMESPACES)
        config = cri.ContainerConfig(
            metadata=cri.ContainerMetadata(name=name, attempt=attempt),
            image=cri.ImageSpec(image=image), command=command, annotations=annotations or {},
            envs=[cri.KeyValue(key=key, value=value) for key, value in (environment or {}).items()],
            log_path=f"{name}.{attempt}.log", linux=cri.LinuxContainerConfig(security_context=security),
            **fields,
        )  # fmt: skip
        made = self.kubelet.call(
            "CreateContainer", pod_sandbox_id=self.id, config=config, sandbox_config=self.config
        )
        return Container(self, made.container_id, config)

    def run(self, name: str, image: str, *command: str, **fields: Any) -> Container:
        """A container that is started."""
        made = self.create(name, image, *command, **fields)
        made.start()
        return made


@dataclass(frozen=True)
class Container:
    """A container of a pod."""

    pod: Pod
    id: str
    config: Any

    def call(self, method: str, **fields: Any) -> Any:
        """Any method that asks about one container."""
        return self.pod.kubelet.call(method, container_id=self.id, **fields)

    def start(self) -> None:
        self.call("StartContainer")

    def stop(self, timeout_s: int = STOP_S) -> None:
        self.call("StopContainer", timeout=timeout_s)

    def remove(self) -> None:
        self.call("RemoveContainer")

    def restart(self) -> Container:
        """What a kubelet does: another container of the same name takes the place of the ended one."""
        self.stop()
        self.remove()
        config = cri.ContainerConfig()
        config.CopyFrom(self.config)
        config.metadata.attempt += 1
        config.log_path = f"{config.metadata.name}.{config.metadata.attempt}.log"
        made = self.pod.kubelet.call(
            "CreateContainer", pod_sandbox_id=self.pod.id, config=config, sandbox_config=self.pod.config
        )
        again = Container(self.pod, made.container_id, config)
        again.start()
        return again

    def status(self) -> Any:
        """State, exit_code, reason and the rest."""
        return self.call("ContainerStatus").status

    def statistics(self) -> Any:
        """Processor time and memory."""
        return self.call("ContainerStats").stats

    def execute(self, *command: str) -> Ended:
        """Run a program in the container to its end."""
        done = self.call("ExecSync", cmd=command, timeout=ANSWER_S)
        return Ended(done.exit_code, done.stdout.decode(), done.stderr.decode())

    def log(self) -> str:
        """What the container has printed, without the times and names of streams before each line."""
        file = Path(self.pod.config.log_directory, self.config.log_path)
        parts = (line.split(" ", 3)[2:] for line in file.read_text().splitlines(keepends=True))
        return "".join(text if kind == "F" else text.rstrip("\n") for kind, text in parts)


@contextmanager
def kubelet(pause: str, archives: list[Path], path: str) -> Iterator[Kubelet]:
    """A containerd for pods in a network, and with state, that nobody else on this machine sees."""
    with (
        adopting_orphans(),
        private_mounts(),
        network.private_network(),
        private_directory("pods") as folder,
        network.dual_network("pods", folder / "addresses", folder) as bridge,
    ):
        # What containerd keeps at fixed places, and the namespaces that it makes.
        for own in ("/run/netns", "/run/containerd"):
            empty(Path(own))
        with (
            servers.containerd(cri=_configuration(pause, folder, path), path=path) as server,
            grpc.insecure_channel(f"unix://{server.address}") as channel,
        ):
            made = Kubelet(server, bridge, api_pb2_grpc.RuntimeServiceStub(channel))
            for archive in archives:
                made.load(archive)
            yield made
    _remove_cgroups(CGROUP)


def _remove_cgroups(name: str) -> None:
    """What a kubelet makes for a pod is its own to remove; one that is not empty stays, and is found."""
    top = Path("/sys/fs/cgroup")
    for folder in (*top.glob(name), *top.glob(f"*/{name}")):
        with suppress(OSError):
            folder.rmdir()


def _configuration(pause: str, networks: Path, path: str) -> str:
    """The handler is the one that users are given."""
    handler = (ROOT / "deploy/containerd/config-1.toml").read_text().replace("version = 2\n", "")
    return f"""
[{PLUGIN}]
  sandbox_image = "{pause}"
  disable_tcp_service = true
  # Without CAP_SYS_RESOURCE nobody can lower it.
  restrict_oom_score_adj = true
  [{PLUGIN}.cni]
    bin_dir = "{cni_folder()}"
    conf_dir = "{networks}"
  # The plugin's own default, which is gone as soon as a file has another one beside it.
  [{PLUGIN}.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
{handler.replace("/usr/local/bin/urunc", path.partition(":")[0] + "/urunc")}
"""
