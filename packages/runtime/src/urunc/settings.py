# SPDX-License-Identifier: Apache-2.0
"""config.toml as a value, and its compiled form: `tomllib` takes longer to import than a container to
make.

Whoever first reads a changed file writes what it says as JSON below /run, with the file's identity; the
others read that.
"""

from __future__ import annotations

import posix
from binascii import crc32

from urunc import jsontext
from urunc.host import files
from urunc_common.errors import ConfigError
from urunc_common.record import Record
from urunc_common.rules import MONITORS, UNSERVED_MONITORS, nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

DEFAULT_PATH = "/etc/urunc/config.toml"
PATH_VARIABLE = "URUNC_CONFIG_FILE"
_ACCELERATORS = ("auto", "kvm", "tcg")
_MACHINES = {"qemu": ("auto", "microvm", "pc", "q35")}
_TIMESTAMPS = "/var/log/urunc/timestamps.log"
_LEVELS = {
    "trace": "debug", "debug": "debug", "info": "info", "warn": "warning", "warning": "warning",
    "error": "error", "fatal": "error", "panic": "error",
}  # fmt: skip


class Monitor(Record):
    """The section of one monitor; an empty path means: search PATH."""

    path: str = ""
    data_path: str = ""
    default_memory_mb: int = 256
    default_vcpus: int = 1
    vhost: bool = False
    accel: str = "auto"
    machine: str = "auto"


class Default(Record):
    """The kernel, and what boots with it, for images that bring none; files of the host."""

    kernel: str = ""
    initrd: str = ""
    hypervisor: str = "qemu"
    always: bool = False
    """For every container but a pod's own, not just those that ask."""


class Settings(Record):
    """What the administrator chose."""

    monitors: Mapping[str, Monitor]
    log_level: str = "info"
    delegate: str = "runc"
    virtiofsd: str = ""
    """Its path, or empty: where distributions have it."""
    default: Default = Default()
    cache_mib: int = 4096
    """What packed roots may take."""
    timestamps: str = ""
    """Where the times of phases are recorded, if so."""


# Every key there is, as `section.key`, with the type of its value.  A star stands for a monitor's name.
_TYPES: Mapping[str, type] = {
    "runtime.delegate": str,
    "runtime.libcontainer": bool,
    "runtime.vAccel": bool,
    "log.level": str,
    "log.syslog": bool,
    "timestamps.enabled": bool,
    "timestamps.destination": str,
    "monitors.*.path": str,
    "monitors.*.data_path": str,
    "monitors.*.default_memory_mb": int,
    "monitors.*.default_vcpus": int,
    "monitors.*.vhost": bool,
    "monitors.*.accel": str,
    "monitors.*.machine": str,
    "cache.size_mb": int,
    "default.kernel": str,
    "default.initrd": str,
    "default.hypervisor": str,
    "default.always": bool,
    "extra_binaries.virtiofsd.path": str,
    "extra_binaries.virtiofsd.options": str,
}
# Keys of the existing implementation that ask for what is not there.
_MUST_BE_FALSE: Mapping[str, str] = {
    "runtime.libcontainer": "the environment of the monitor is always complete",
    "runtime.vAccel": "acceleration over vsock is not served",
    "log.syslog": "let the engine collect the log",
}


def load(environment: Mapping[bytes, bytes]) -> Settings:
    """The settings of this host; no file means defaults.  Raises ConfigError."""
    named = environment.get(PATH_VARIABLE.encode(), b"").decode()
    path = named or DEFAULT_PATH
    try:
        found = posix.stat(path)
    except FileNotFoundError:
        if named:
            raise ConfigError(f"{PATH_VARIABLE} names {named}, which does not exist") from None
        return from_values({}, path)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    identity = [path, found.st_mtime_ns, found.st_size, found.st_ino]
    # One for each: a runtime class may have a configuration of its own.
    compiled = f"{run_directory(environment)}/settings-{crc32(path.encode()):08x}.json"
    values = _read_compiled(compiled, identity)
    if values is None:
        values = _read_toml(path)
        settings = from_values(values, path)
        _write_compiled(compiled, {"identity": identity, "values": values})
        return settings
    return from_values(values, path)


def from_values(values: Mapping[str, object], path: str) -> Settings:
    """Settings out of the flat `section.key` values of a file.  Raises ConfigError with the file's path."""
    for key, value in values.items():
        _check(key, value, path)
    monitors = {name: Monitor(**_section(values, f"monitors.{name}.")) for name in MONITORS}
    for name, monitor in monitors.items():
        if monitor.accel not in _ACCELERATORS:
            raise ConfigError(
                f"{path}: monitors.{name}.accel is {monitor.accel!r}", hint="use auto, kvm or tcg"
            )
        known = _MACHINES.get(name, ("auto",))
        if monitor.machine not in known:
            raise ConfigError(
                f"{path}: monitors.{name}.machine is {monitor.machine!r}", hint=f"use {' or '.join(known)}"
            )
        if monitor.default_memory_mb < 1 or monitor.default_vcpus < 1:
            raise ConfigError(f"{path}: monitors.{name}: memory and vcpus must be at least 1")
    level = str(values.get("log.level", "info"))
    if level not in _LEVELS:
        raise ConfigError(f"{path}: log.level is {level!r}", hint=f"use one of {', '.join(_LEVELS)}")
    cache_mib = values.get("cache.size_mb", 4096)
    if not isinstance(cache_mib, int) or cache_mib < 0:
        raise ConfigError(f"{path}: cache.size_mb is {cache_mib}", hint="use 0 to keep nothing, or more")
    return Settings(
        monitors,
        _LEVELS[level],
        str(values.get("runtime.delegate", "runc")),
        str(values.get("extra_binaries.virtiofsd.path", "")),
        _default(values, path),
        cache_mib,
        str(values.get("timestamps.destination", _TIMESTAMPS)) if values.get("timestamps.enabled") else "",
    )


def _default(values: Mapping[str, object], path: str) -> Default:
    default = Default(**_section(values, "default."))
    if default.hypervisor not in MONITORS:
        hint = f"use one of {', '.join(MONITORS)}"
        raise ConfigError(f"{path}: default.hypervisor is {default.hypervisor!r}", hint=hint)
    if (default.always or default.initrd) and not default.kernel:
        raise ConfigError(f"{path}: there is no default.kernel", hint="name a file of this host")
    return default


def flatten(table: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """Nested TOML tables as one level of `section.key`."""
    flat: dict[str, object] = {}
    for key, value in table.items():
        flat.update(
            flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
        )
    return flat


def _section(values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}


def _check(key: str, value: object, path: str) -> None:
    parts = key.split(".")
    if parts[0] == "monitors" and len(parts) == 3 and parts[1] in (*MONITORS, *UNSERVED_MONITORS):
        parts[1] = "*"
    kind = _TYPES.get(".".join(parts))
    if kind is None:
        known = [name.replace("*", monitor) for name in _TYPES for monitor in MONITORS]
        raise ConfigError(f"{path}: unknown key {key}", hint=f"did you mean {nearest(key, known)}?")
    if type(value) is not kind:
        raise ConfigError(f"{path}: {key} must be of type {kind.__name__}, not {type(value).__name__}")
    if value and key in _MUST_BE_FALSE:
        raise ConfigError(f"{path}: {key} cannot be true: {_MUST_BE_FALSE[key]}", hint="remove this key")


def _read_toml(path: str) -> dict[str, object]:
    import tomllib

    try:
        with open(path, "rb") as file:
            return flatten(tomllib.load(file))
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error


def run_directory(environment: Mapping[bytes, bytes]) -> str:
    """Where what holds until the next boot is kept; made when it is not there."""
    personal = environment.get(b"XDG_RUNTIME_DIR", b"").decode()
    path = f"{personal}/urunc" if posix.geteuid() and personal else "/run/urunc"
    try:
        posix.mkdir(path, 0o711)
    except OSError:
        return path  # it is there, or whoever writes into it will see
    return path


def _read_compiled(compiled: str, identity: list[object]) -> dict[str, object] | None:
    try:
        descriptor = posix.open(compiled, posix.O_RDONLY | posix.O_NOFOLLOW | posix.O_CLOEXEC)
        try:
            owner = posix.fstat(descriptor).st_uid
            content = jsontext.parse(posix.read(descriptor, 1 << 20).decode())
        finally:
            posix.close(descriptor)
    except (OSError, ValueError):
        return None
    if owner != posix.geteuid() or not isinstance(content, dict) or content.get("identity") != identity:
        return None
    values: dict[str, object] = content["values"]
    return values


def _write_compiled(compiled: str, content: dict[str, object]) -> None:
    try:
        files.replace(compiled, jsontext.render(content).encode())
    except OSError:
        return  # only a cache: the next command reads the TOML again
