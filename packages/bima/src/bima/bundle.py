# SPDX-License-Identifier: Apache-2.0
"""The config.json of an OCI bundle: what `bima run` asks of the runtime.  Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bima.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bima.port import Port
    from bima.volume import Volume

ROOTFS = "rootfs"
# What it takes to serve a guest's files, and docker grants, too.
_CAPABILITIES = (
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_MKNOD", "CAP_SETGID", "CAP_SETUID",
    "CAP_SETFCAP", "CAP_SYS_CHROOT",
)  # fmt: skip
# Understood by urunc: QEMU's own network instead of an interface of the container.
NETWORK_ANNOTATION = "run.urunc.network"


@dataclass(frozen=True)
class NetworkNamespace:
    """The network namespace at this path; a new and empty one if there is none."""

    path: str = ""


@dataclass(frozen=True)
class UserNetwork:
    """QEMU's user-mode network, in the host's own network namespace."""

    ports: tuple[Port, ...] = ()

    def __post_init__(self) -> None:
        for port in self.ports:
            if port.address:
                raise UsageError(
                    f"port {port}: QEMU's user-mode network publishes ports on every address",
                    hint="leave the address out",
                )

    @property
    def annotation(self) -> str:
        """How the runtime is told."""
        return ",".join(["user", *(f"{port.protocol}:{port.host}:{port.guest}" for port in self.ports)])


@dataclass(frozen=True)
class Program:
    """What the guest is to run, and how."""

    args: tuple[str, ...]
    env: tuple[str, ...] = ()
    volumes: tuple[Volume, ...] = ()
    cwd: str = "/"
    user: tuple[int, int] = (0, 0)
    terminal: bool = False
    memory_limit: int | None = None


def program_args(image_config: Mapping[str, Any], words: Sequence[str]) -> tuple[str, ...]:
    """The words after the image's name replace its CMD; its ENTRYPOINT stays in front."""
    process = image_config.get("config") or {}
    return (*(process.get("Entrypoint") or ()), *(words or process.get("Cmd") or ()))


def environment(image_config: Mapping[str, Any], more: Sequence[str]) -> tuple[str, ...]:
    """The image's variables, and those of the command line instead of equal ones."""
    process = image_config.get("config") or {}
    variables = (*(process.get("Env") or ()), *more)
    return tuple({variable.partition("=")[0]: variable for variable in variables}.values())


def document(
    name: str,
    program: Program,
    network: NetworkNamespace | UserNetwork,
    owner: tuple[int, int] | None = None,
) -> dict[str, Any]:
    """The whole config.json; `owner` is the ordinary user who runs it, if it is not root."""
    kinds = ("pid", "ipc", "uts", "mount")
    namespaces = [{"type": kind} for kind in kinds]
    annotations = {}
    if isinstance(network, UserNetwork):
        annotations[NETWORK_ANNOTATION] = network.annotation
    else:
        namespaces.append({"type": "network", **({"path": network.path} if network.path else {})})
    return {
        "ociVersion": "1.2.0",
        "process": _process(program),
        "root": {"path": ROOTFS},
        "annotations": annotations,
        "mounts": [_mount(volume) for volume in program.volumes],
        "linux": {
            "namespaces": namespaces,
            **(_users(program, owner, namespaces) if owner else {}),
            "cgroupsPath": f"/bima/{name}",
            "resources": _resources(program),
            # It filters nothing; that there is one makes the monitor shut itself in.
            "seccomp": {"defaultAction": "SCMP_ACT_ALLOW"},
        },
    }


def _users(program: Program, owner: tuple[int, int], namespaces: list[dict[str, str]]) -> dict[str, Any]:
    """The program's user is ours, and there is no other: what the guest makes can be removed again."""
    namespaces.append({"type": "user"})
    pairs = zip(("uidMappings", "gidMappings"), program.user, owner, strict=True)
    return {key: [{"containerID": inside, "hostID": own, "size": 1}] for key, inside, own in pairs}


def _mount(volume: Volume) -> dict[str, Any]:
    options = ["rbind", "ro" if volume.readonly else "rw"]
    return {"type": "bind", "source": volume.source, "destination": volume.target, "options": options}


def _process(program: Program) -> dict[str, Any]:
    return {
        "terminal": program.terminal,
        "user": {"uid": program.user[0], "gid": program.user[1]},
        "args": list(program.args),
        "env": list(program.env),
        "cwd": program.cwd,
        "capabilities": {name: list(_CAPABILITIES) for name in ("bounding", "permitted", "effective")},
        "noNewPrivileges": True,
    }


def _resources(program: Program) -> dict[str, Any]:
    return {"memory": {"limit": program.memory_limit}} if program.memory_limit else {}
