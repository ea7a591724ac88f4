# SPDX-License-Identifier: Apache-2.0
"""UnikernelConfig: what an image says about its unikernel.

The same facts travel in three shapes: as OCI annotations (plain text), as `urunc.json` in the image's root
(the values are base64), and as this record.  `KEYS` is the only place where the names of one shape meet those
of another.  Readers accept both encodings everywhere, since old images have base64 annotations.
"""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64

from urunc_common import ports, rules
from urunc_common.errors import ConfigError
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PREFIX = "com.urunc.unikernel."
FILE = "urunc.json"


class UnikernelConfig(Record):
    """How to boot the unikernel of one image."""

    type: str
    hypervisor: str
    binary: str
    version: str = ""
    cmdline: str = ""
    initrd: str = ""
    block: str = ""
    block_mount_point: str = ""
    mount_rootfs: bool = False
    solo5_net: str = ""
    solo5_block: str = ""
    ports: str = ""


KEYS: Mapping[str, str] = {
    "type": PREFIX + "unikernelType",
    "hypervisor": PREFIX + "hypervisor",
    "binary": PREFIX + "binary",
    "version": PREFIX + "unikernelVersion",
    "cmdline": PREFIX + "cmdline",
    "initrd": PREFIX + "initrd",
    "block": PREFIX + "block",
    "block_mount_point": PREFIX + "blkMntPoint",
    "mount_rootfs": PREFIX + "mountRootfs",
    "solo5_net": PREFIX + "solo5NetDev",
    "solo5_block": PREFIX + "solo5BlkDev",
    # Known to those who run a container, too, so its name is not of the image's kind.
    "ports": ports.KEY,
}
REQUIRED = ("type", "hypervisor", "binary")

# The name that `mountRootfs` had in images of 2024; the newer name wins.
_OLD_MOUNT_ROOTFS = PREFIX + "useDMBlock"
_UNSERVED: Mapping[str, str] = {
    PREFIX + "vAccel": "acceleration over vsock is not served",
    PREFIX + "RPCAddress": "acceleration over vsock is not served",
    PREFIX + "bootKernel": "it names a file of the host, which an image must not",
    PREFIX + "bootInitrd": "it names a file of the host, which an image must not",
}
_TRUE = ("1", "t", "T", "true", "TRUE", "True")
_FALSE = ("0", "f", "F", "false", "FALSE", "False")
_WORDS = frozenset((*rules.GUESTS, *rules.MONITORS, *rules.UNSERVED_MONITORS, *_TRUE, *_FALSE))


def _check_bool(key: str, value: str) -> None:
    if value not in _TRUE and value not in _FALSE:
        raise ConfigError(f"{key}: {value!r} is neither true nor false", hint="write true or false")


_CHECKS: Mapping[str, Callable[[str, str], None]] = {
    "type": rules.check_guest,
    "hypervisor": rules.check_monitor,
    "binary": rules.check_path,
    "version": rules.check_text,
    "cmdline": rules.check_text,
    "initrd": rules.check_path,
    "block": rules.check_path,
    "block_mount_point": rules.check_mount_point,
    "mount_rootfs": _check_bool,
    "solo5_net": rules.check_device,
    "solo5_block": rules.check_device,
    "ports": ports.check,
}


def is_unikernel(annotations: Mapping[str, str]) -> bool:
    """Whether anything here says that there is a unikernel, be it right or wrong."""
    return any(key.startswith(PREFIX) for key in annotations)


def merge(stored: Mapping[str, str], annotations: Mapping[str, str]) -> dict[str, str]:
    """What urunc.json and the annotations say together; an annotation wins key by key."""
    return {key: value for key, value in {**stored, **annotations}.items() if _is_ours(key)}


def from_annotations(annotations: Mapping[str, str]) -> UnikernelConfig:
    """Read and validate; any other keys are not ours.  Raises ConfigError."""
    ours = merge({}, annotations)
    _require_known(ours)
    if ours.get(_OLD_MOUNT_ROOTFS):
        ours.setdefault(KEYS["mount_rootfs"], ours[_OLD_MOUNT_ROOTFS])
    found = {field: _read(field, key, ours[key]) for field, key in KEYS.items() if ours.get(key)}
    given = {field: value for field, value in found.items() if value}
    _require_whole(given)
    mount_rootfs = given.pop("mount_rootfs", "false") in _TRUE
    return UnikernelConfig(mount_rootfs=mount_rootfs, **given)


def to_annotations(config: UnikernelConfig) -> dict[str, str]:
    """The inverse of `from_annotations`, in plain text; what is empty or false is left out."""
    texts = {field: "true" if value is True else value for field, value in vars(config).items()}
    return {KEYS[field]: value for field, value in texts.items() if value}


def encode(annotations: Mapping[str, str]) -> dict[str, str]:
    """Annotations as they are stored in urunc.json."""
    return {key: b2a_base64(value.encode(), newline=False).decode() for key, value in annotations.items()}


def _is_ours(key: str) -> bool:
    return key.startswith(PREFIX) or key in KEYS.values()


def _read(field: str, key: str, value: str) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"{key}: the value is not a string", hint='write it as "key": "value"')
    plain = value.strip("\r\n") if _is_plain(value) else _decoded(field, key, value)
    if plain:
        _CHECKS[field](key, plain)
    return plain


def _is_plain(value: str) -> bool:
    return value in _WORDS or value.startswith("/")


def _decoded(field: str, key: str, value: str) -> str:
    """The text behind base64 if that is what `value` must be, else `value` itself."""
    plain = value.strip("\r\n")
    try:
        data = a2b_base64(value.encode(), strict_mode=True)
        text = data.decode().strip("\r\n")
    except (Base64Error, UnicodeError):
        return plain
    if b2a_base64(data, newline=False) != value.encode():
        return plain  # strict mode lets a wrong padding pass
    # Where neither passes, the decoded text is what its author will recognise in the error.
    return plain if _passes(field, key, plain) and not _passes(field, key, text) else text


def _passes(field: str, key: str, text: str) -> bool:
    try:
        _CHECKS[field](key, text)
    except ConfigError:
        return not text
    return True


def _require_known(ours: Mapping[str, str]) -> None:
    for key in sorted(ours):
        if key in _UNSERVED:
            raise ConfigError(f"{key}: {_UNSERVED[key]}", hint="remove this key")
        if key not in KEYS.values() and key != _OLD_MOUNT_ROOTFS:
            raise ConfigError(f"unknown key {key}", hint=f"did you mean {rules.nearest(key, KEYS.values())}?")


def _require_whole(given: Mapping[str, str]) -> None:
    missing = [KEYS[field] for field in REQUIRED if field not in given]
    if missing:
        raise ConfigError(
            f"missing {', '.join(missing)}",
            hint="set it with LABEL in the Containerfile and build the image again",
        )
    rules.check_pair(given["type"], given["hypervisor"])
    for one, other in (("block", "block_mount_point"), ("block_mount_point", "block")):
        if one in given and other not in given:
            raise ConfigError(f"{KEYS[one]} is set, but not {KEYS[other]}", hint="set both, or none of them")
