# SPDX-License-Identifier: Apache-2.0
"""config.json as a value: what the engine asked for, checked once.

OCI runtime specification 1.2, `config.md` and `config-linux.md`.  Raw dictionaries live here and nowhere
else.
"""

from __future__ import annotations

import posix

from urunc import jsontext, user_network
from urunc.errors import BundleError
from urunc.seccomp import Condition, Profile, Rule
from urunc.table import Table, is_identity
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from urunc.machine import UserNetwork
    from urunc.resources import DeviceRule, Resources

_LONGEST = 16 << 20
_MOST_GROUPS = 1 << 16
NAMESPACE_KINDS = ("user", "ipc", "uts", "network", "pid", "mount", "cgroup", "time")
HOOK_STAGES = (
    "prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop",
)  # fmt: skip


class Namespace(Record):
    """A new namespace, or the one behind a path."""

    kind: str
    path: str = ""


class Hook(Record):
    """A program of the engine's; `env` is None where it inherits the runtime's."""

    path: str
    args: tuple[str, ...]
    env: tuple[str, ...] | None = None
    timeout_s: int | None = None


class User(Record):
    """Whom the monitor runs as."""

    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()
    umask: int | None = None


class Bind(Record):
    """A bind mount that the engine wants at `destination`."""

    source: str
    destination: str
    readonly: bool = False


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
    rlimits: tuple[tuple[str, int, int], ...] = ()
    hostname: str = ""
    domainname: str = ""
    resolv_conf: str = ""
    """The container's own, where the engine has one."""
    nameservers: tuple[str, ...] = ()
    """As the guest reaches them."""
    resolvers: tuple[str, ...] = ()
    """Those that are on the loopback of the network namespace."""
    capabilities: tuple[str, ...] = ()
    """What the container may have at most."""

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
    size, annotations = process.table("consoleSize"), spec.mapping("annotations")
    profile = _seccomp(linux.table("seccomp"))
    resources, devices = _resources(linux)
    return Bundle(
        path=path,
        rootfs=_absolute(root.text("path"), path),
        version=spec.text("ociVersion", "1.0.0"),
        args=process.texts("args"),
        env=process.texts("env"),
        user=_user(process.table("user")),
        annotations=annotations,
        namespaces=_namespaces(linux),
        hooks=_hooks(spec.table("hooks")),
        binds=_binds(spec, path),
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
        cwd=process.text("cwd", "/"),
        rlimits=tuple(
            (limit.text("type"), limit.number("soft") or 0, limit.number("hard") or 0)
            for limit in process.tables("rlimits")
        ),
        hostname=spec.text("hostname"),
        domainname=spec.text("domainname"),
        capabilities=process.table("capabilities").texts("bounding"),
    )


def _user(user: Table) -> User:
    groups = user.take("additionalGids", list, [])
    if len(groups) > _MOST_GROUPS or not all(map(is_identity, groups)):
        raise user.error("additionalGids", f"must be a list of at most {_MOST_GROUPS} group ids")
    return User(user.identity("uid"), user.identity("gid"), tuple(groups), user.number("umask"))


def _namespaces(linux: Table) -> tuple[Namespace, ...]:
    found: dict[str, Namespace] = {}
    for entry in linux.tables("namespaces"):
        kind = entry.text("type")
        if kind not in NAMESPACE_KINDS:
            raise entry.error("type", f"is {kind!r}; known are {', '.join(NAMESPACE_KINDS)}")
        if kind in found:
            raise entry.error("type", f"names {kind!r} a second time")
        if entry.text("path") and not entry.text("path").startswith("/"):
            raise entry.error("path", f"is {entry.text('path')!r}, which is not absolute")
        found[kind] = Namespace(kind, entry.text("path"))
    return tuple(found[kind] for kind in NAMESPACE_KINDS if kind in found)


def _hooks(hooks: Table) -> dict[str, tuple[Hook, ...]]:
    return {stage: tuple(map(_hook, hooks.tables(stage))) for stage in HOOK_STAGES if hooks.has(stage)}


def _hook(entry: Table) -> Hook:
    path = entry.text("path")
    if not path.startswith("/"):
        raise entry.error("path", f"is {path!r}, which is not absolute")
    timeout_s = entry.number("timeout")
    if timeout_s is not None and timeout_s <= 0:
        raise entry.error("timeout", "must be greater than zero")
    return Hook(
        path, entry.texts("args") or (path,), entry.texts("env") if entry.has("env") else None, timeout_s
    )


def _binds(spec: Table, path: str) -> tuple[Bind, ...]:
    found = []
    for entry in spec.tables("mounts"):
        options = entry.texts("options")
        if entry.text("type") == "bind" or "bind" in options or "rbind" in options:
            source = _absolute(entry.text("source"), path)
            found.append(Bind(source, entry.text("destination"), "ro" in options))
    return tuple(found)


def _resources(linux: Table) -> tuple[Resources | None, tuple[DeviceRule, ...]]:
    if not linux.has("resources"):
        return None, ()
    from urunc import resources

    return resources.parse(linux.table("resources")), resources.granted(linux)


def _memory_limit(resources: Resources | None) -> int | None:
    limit = resources.memory.limit if resources else None
    return limit if limit is not None and limit > 0 else None


def _seccomp(seccomp: Table) -> Profile | None:
    """The words only: an ordinary container may have a profile that is not for a monitor."""
    rules = tuple(map(_rule, seccomp.tables("syscalls")))
    if not rules and not seccomp.text("defaultAction"):
        return None
    return Profile(
        seccomp.text("defaultAction"),
        seccomp.number("defaultErrnoRet"),
        seccomp.texts("architectures"),
        seccomp.texts("flags") if seccomp.has("flags") else None,
        rules,
    )


def _rule(entry: Table) -> Rule:
    conditions = tuple(map(_condition, entry.tables("args")))
    return Rule(entry.texts("names"), entry.text("action"), entry.number("errnoRet"), conditions)


def _condition(entry: Table) -> Condition:
    index, value, value_two = (entry.number(name) or 0 for name in ("index", "value", "valueTwo"))
    return Condition(index, entry.text("op"), value, value_two)


def _absolute(path: str, directory: str) -> str:
    return path if path.startswith("/") else f"{directory}/{path}"


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
