# SPDX-License-Identifier: Apache-2.0
"""What an image may say about its unikernel: the one validation, used when building and when running.

The path and name rules are those of the existing implementations' newest releases, so that an image that
passes here runs there.
"""

from __future__ import annotations

from urunc_common.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Which guest boots on which monitor.  `generic` needs nothing special, so every monitor may have it.
PAIRS: Mapping[str, tuple[str, ...]] = {
    "cloud-hypervisor": ("generic", "linux"),
    "firecracker": ("freebsd", "generic", "linux", "unikraft"),
    "hvt": ("generic", "mirage", "rumprun"),
    "qemu": ("freebsd", "generic", "hermit", "linux", "mewz", "mirage", "osv", "unikraft"),
    "spt": ("generic", "mirage", "rumprun"),
}
MONITORS = tuple(PAIRS)
GUESTS = tuple(sorted({guest for guests in PAIRS.values() for guest in guests}))

# Known to the existing implementations, and refused here with a reason of their own.
UNSERVED_MONITORS: Mapping[str, str] = {
    "hyperlight-unikraft": "it has neither network nor arguments",
    "hedge": "it was never released",
}
LONGEST = 4096
# The statuses of a monitor that was killed by KILL or crashed by SEGV.
_KILLED = (137, 139)
# The guests that leave by QEMU's debug exit device.
_REPORTING = ("generic", "linux", "mewz")
_NAME_LENGTH = 67
_PATH_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/-")


def check_monitor(key: str, value: str) -> None:
    """Raise ConfigError unless `value` is a monitor that we serve."""
    if value in UNSERVED_MONITORS:
        raise ConfigError(
            f"{key}: monitor {value!r} is not served: {UNSERVED_MONITORS[value]}",
            hint=f"use one of {', '.join(MONITORS)}",
        )
    _check_word(key, value, MONITORS)


def check_guest(key: str, value: str) -> None:
    """Raise ConfigError unless `value` is a unikernel type that we know."""
    _check_word(key, value, GUESTS)


def check_pair(guest: str, monitor: str) -> None:
    """Raise ConfigError unless this guest boots on this monitor."""
    if guest in PAIRS[monitor]:
        return
    able = [name for name, guests in PAIRS.items() if guest in guests]
    raise ConfigError(
        f"{a_unikernel(guest)} does not run on {monitor}",
        hint=f"{guest} runs on {', '.join(able)}; {monitor} runs {', '.join(PAIRS[monitor])}",
    )


def a_unikernel(guest: str) -> str:
    """How messages speak of this kind of guest."""
    return f"{'an' if guest == 'osv' else 'a'} {guest} unikernel"


def check_path(key: str, value: str) -> None:
    """Raise ConfigError unless `value` is a clean path below the image's root."""
    if not _clean(value) or value == "/":
        raise ConfigError(
            f"{key}: {value!r} is not a clean path inside the image",
            hint="write it like /boot/kernel: letters, digits and ._-/ only, no '..', no double or final '/'",
        )


def check_mount_point(key: str, value: str) -> None:
    """As `check_path`, but absolute, and the root itself is allowed."""
    if value != "/" and not (value.startswith("/") and _clean(value)):
        raise ConfigError(f"{key}: {value!r} is not an absolute, clean path", hint="write it like / or /data")


def check_device(key: str, value: str) -> None:
    """Raise ConfigError unless `value` is a device name that a Solo5 manifest can hold."""
    if not (value.isascii() and value.isalnum() and len(value) <= _NAME_LENGTH):
        raise ConfigError(
            f"{key}: {value!r} is not a Solo5 device name",
            hint=f"use up to {_NAME_LENGTH} letters and digits, as in the unikernel's manifest",
        )


def check_text(key: str, value: str) -> None:
    """Raise ConfigError unless `value` is printable text of bearable length."""
    if len(value) > LONGEST or not value.isprintable():
        raise ConfigError(f"{key}: the value is over {LONGEST} characters long or not printable")


def exit_status(guest: str, monitor: str, code: int, architecture: str = "amd64") -> int:
    """The guest's own status behind its monitor's.

    QEMU's debug exit device, which a PC has, makes 2 * status + 1 of it; 1 is QEMU's own failure.
    """
    has_device = monitor == "qemu" and guest in _REPORTING and architecture == "amd64"
    through_device = has_device and code >= 3 and code % 2 == 1
    return code >> 1 if through_device and code not in _KILLED else code


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that takes the fewest edits to reach from `word`."""
    return min(known, key=lambda candidate: (_distance(word.lower(), candidate.lower()), candidate))


def _check_word(key: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ConfigError(
            f"{key}: unknown value {value!r}",
            hint=f"did you mean {nearest(value, known)!r}? known: {', '.join(known)}",
        )


def _clean(path: str) -> bool:
    parts = path.removeprefix("/").split("/")
    return (
        len(path) <= LONGEST
        and _PATH_CHARACTERS.issuperset(path)
        and not path.startswith("-")
        and not any(part in ("", ".", "..") for part in parts)
    )


def _distance(left: str, right: str) -> int:
    """Levenshtein's distance."""
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(right, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (a != b))
    return row[-1]
