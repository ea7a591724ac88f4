# SPDX-License-Identifier: Apache-2.0
"""config.json as a value: what the engine asked for, checked once.

OCI runtime specification 1.2, `config.md` and `config-linux.md`.  Raw dictionaries live here and nowhere
else.  A module for each section has its words and reads it.
"""

from __future__ import annotations

import posix

from urunc import jsontext, pod, user_network
from urunc.bundle import linux as of_linux
from urunc.bundle import process as of_process
from urunc.bundle.hooks import HOOK_STAGES, Hook, hooks
from urunc.bundle.linux import NAMESPACE_KINDS, IdMap, Isolation, Namespace, TimeOffset
from urunc.bundle.mounts import Bind, absolute, mounts
from urunc.bundle.others import Others, others
from urunc.bundle.process import Capabilities, Properties, Scheduler, User
from urunc.errors import BundleError
from urunc.table import Table
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from urunc.machine import UserNetwork
    from urunc.resources import DeviceRule, Resources
    from urunc.seccomp import Profile

__all__ = [
    "HOOK_STAGES", "NAMESPACE_KINDS", "Bind", "Bundle", "Capabilities", "Hook", "IdMap", "Isolation",
    "Namespace", "Others", "Properties", "Scheduler", "TimeOffset", "User", "from_text", "load",
]  # fmt: skip
_LONGEST = 16 << 20


class Bundle(Record):
    """What the engine asked for."""

    path: str
    rootfs: str
    version: str
    args: tuple[str, ...]
    env: tuple[str, ...]
    user: User
    annotations: Mapping[str, str]
    namespaces: tuple[Namespace, ...]
    hooks: Mapping[str, tuple[Hook, ...]]
    binds: tuple[Bind, ...] = ()
    readonly: bool = False
    terminal: bool = False
    console_size: tuple[int, int] | None = None
    memory_limit: int | None = None
    cpu_quota: int | None = None
    cpu_period: int | None = None
    cpus: str = ""
    cgroups_path: str = ""
    resources: Resources | None = None
    """What it may take; not loaded where there is no limit."""
    devices: tuple[DeviceRule, ...] = ()
    """What linux.devices puts into the container."""
    seccomp: bool = False
    seccomp_profile: Profile | None = None
    no_new_privileges: bool = False
    user_network: UserNetwork | None = None
    cwd: str = "/"
    hostname: str = ""
    domainname: str = ""
    resolv_conf: str = ""
    """The container's own, where the engine has one."""
    nameservers: tuple[str, ...] = ()
    """As the guest reaches them."""
    resolvers: tuple[str, ...] = ()
    """Those that are on the loopback of the network namespace."""
    capabilities: Capabilities = Capabilities()
    properties: Properties = Properties()
    isolation: Isolation = Isolation()
    others: Others = Others()
    unknown: tuple[str, ...] = ()
    """The keys that the specification does not have."""

    @property
    def owner(self) -> User:
        """Whom the monitor runs as, by the ids of the host."""
        user, uids, gids = self.user, self.isolation.uids, self.isolation.gids
        if not uids:
            return user
        groups = tuple(of_linux.to_host(group, gids) for group in user.groups)
        uid, gid = of_linux.to_host(user.uid, uids), of_linux.to_host(user.gid, gids)
        return user.replace(uid=uid, gid=gid, groups=groups)

    @property
    def user_networks(self) -> tuple[UserNetwork, ...]:
        """The networks that are known without looking into a namespace."""
        return (self.user_network,) if self.user_network else ()

    def namespace(self, kind: str) -> Namespace | None:
        """The entry of one kind, or None where the host's is shared."""
        return next((namespace for namespace in self.namespaces if namespace.kind == kind), None)


def load(path: str) -> Bundle:
    """Read `<path>/config.json`.  Raises BundleError."""
    return from_text(_read(f"{path}/config.json"), path)


def from_text(text: str, path: str) -> Bundle:
    """Pure: the bundle of a config.json that stands in the directory `path`."""
    file = f"{path}/config.json"
    try:
        raw = jsontext.parse(text)
    except ValueError as error:
        raise BundleError(f"{file} is not valid JSON: {error}") from error
    if not isinstance(raw, dict):
        raise BundleError(f"{file} is not a JSON object")
    return _bundle(Table(raw, "", file), path)


def _bundle(spec: Table, path: str) -> Bundle:
    process, linux, root = spec.table("process"), spec.table("linux"), spec.table("root")
    if not root.text("path"):
        raise root.error("path", "is missing")
    size, annotations = process.table("consoleSize"), pod.own(spec.mapping("annotations"))
    profile = of_linux.seccomp(linux.table("seccomp"))
    resources, devices = _resources(linux)
    mounted = mounts(spec, path)
    found = Bundle(
        path=path,
        rootfs=absolute(root.text("path"), path),
        version=_version(spec),
        args=process.texts("args"),
        env=process.texts("env"),
        user=of_process.user(process.table("user")),
        annotations=annotations,
        namespaces=of_linux.namespaces(linux),
        hooks=hooks(spec.table("hooks")),
        binds=mounted.binds,
        readonly=root.flag("readonly"),
        terminal=process.flag("terminal"),
        console_size=(size.size("height"), size.size("width")) if process.has("consoleSize") else None,
        memory_limit=_memory_limit(resources),
        cpu_quota=resources.cpu.quota if resources else None,
        cpu_period=resources.cpu.period if resources else None,
        cpus=resources.cpu.cpus if resources else "",
        cgroups_path=linux.text("cgroupsPath"),
        resources=resources,
        devices=devices,
        seccomp=profile is not None,
        seccomp_profile=profile,
        no_new_privileges=process.flag("noNewPrivileges"),
        user_network=user_network.parse(annotations),
        cwd=_cwd(process),
        hostname=spec.text("hostname"),
        domainname=spec.text("domainname"),
        capabilities=of_process.capabilities(process.table("capabilities")),
        properties=of_process.properties(process),
        isolation=of_linux.isolation(linux),
        others=others(spec, mounted),
    )
    return found.replace(unknown=tuple(spec.unread()))


def _version(spec: Table) -> str:
    version = spec.text("ociVersion", "1.0.0")
    if not version.startswith("1."):
        raise spec.error("ociVersion", f"is {version!r}; this runtime knows version 1")
    return version


def _cwd(process: Table) -> str:
    cwd = process.text("cwd") or "/"
    if not cwd.startswith("/"):
        raise process.error("cwd", f"is {cwd!r}, which is not absolute")
    return cwd


def _resources(linux: Table) -> tuple[Resources | None, tuple[DeviceRule, ...]]:
    if not linux.has("resources"):
        return None, ()
    from urunc import resources

    return resources.parse(linux.table("resources")), resources.granted(linux)


def _memory_limit(resources: Resources | None) -> int | None:
    limit = resources.memory.limit if resources else None
    return limit if limit is not None and limit > 0 else None


def _read(file: str) -> str:
    try:
        descriptor = posix.open(file, posix.O_RDONLY | posix.O_CLOEXEC | posix.O_NONBLOCK)
        try:
            size = posix.fstat(descriptor).st_size
            if size > _LONGEST:
                raise BundleError(f"{file} is over {_LONGEST >> 20} MiB long")
            return posix.read(descriptor, size + 1).decode()
        finally:
            posix.close(descriptor)
    except UnicodeDecodeError as error:
        raise BundleError(f"{file} is not UTF-8: {error}") from error
    except OSError as error:
        raise BundleError(
            f"cannot read {file}: {error.strerror}", hint="a bundle is a directory with config.json in it"
        ) from error
