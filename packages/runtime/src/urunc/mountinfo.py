# SPDX-License-Identifier: Apache-2.0
"""The text of /proc/PID/mountinfo as values.  Pure.  proc_pid_mountinfo(5)."""

from __future__ import annotations

from urunc_common.record import Record

# What the kernel writes in place of characters that separate fields.
_ESCAPES = (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\"))


class Mount(Record):
    """One mount; `device` is MAJOR:MINOR, `root` what of the file system is shown."""

    device: str
    root: str
    mount_point: str
    fstype: str
    source: str
    options: tuple[str, ...]
    super_options: tuple[str, ...]


def parse(text: str) -> tuple[Mount, ...]:
    """Every line, in its order."""
    return tuple(map(_mount, text.splitlines()))


def at(mounts: tuple[Mount, ...], path: str) -> Mount | None:
    """The mount that is seen at a path: the last one there."""
    return next((mount for mount in reversed(mounts) if mount.mount_point == path), None)


def _mount(line: str) -> Mount:
    fields, _, rest = line.partition(" - ")
    _, _, device, root, mount_point, options = fields.split(" ")[:6]
    fstype, source, super_options = rest.split(" ", 2)
    return Mount(
        device,
        _plain(root),
        _plain(mount_point),
        fstype,
        _plain(source),
        tuple(options.split(",")),
        tuple(super_options.split(",")),
    )


def _plain(field: str) -> str:
    for escape, character in _ESCAPES:
        field = field.replace(escape, character)
    return field
