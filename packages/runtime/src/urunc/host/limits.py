# SPDX-License-Identifier: Apache-2.0
"""Writes limits into the files of cgroups."""

from __future__ import annotations

import errno

from urunc.errors import HostError, Unsupported
from urunc.host import cgroups, files
from urunc.limits import PREFIX, Write
from urunc_common.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# What the kernel says of a limit that does not fit the others that are there, some of which come later.
_LATER = (errno.EINVAL, errno.EBUSY)


def apply(writes: Iterable[Write], *, restore: bool = False) -> None:
    """Write them in order, and those that did not fit once more; `restore` takes back what was written.

    Raises HostError, Unsupported.
    """
    writes = tuple(writes)
    before = [(path, text) for write in writes for path, text in _lines(write)] if restore else []
    try:
        for write in _unfit(writes):
            _write_or_fail(write)
    except Error:
        for path, text in before:
            _put_back(path, text)
        raise


def _put_back(path: str, text: str) -> None:
    try:
        cgroups.write(path, text)
    except OSError:
        return  # the error that led here is the one to tell


def _unfit(writes: tuple[Write, ...]) -> list[Write]:
    """Write them; returns those that the kernel does not take as things are."""
    again = []
    for write in writes:
        try:
            _apply(write)
        except OSError as error:
            if error.errno not in _LATER:
                raise _failure(write, error) from error
            again.append(write)
    return again


def _write_or_fail(write: Write) -> None:
    try:
        _apply(write)
    except OSError as error:
        raise _failure(write, error) from error


def _lines(write: Write) -> Iterator[tuple[str, str]]:
    """What a file with a single line has in it now; others cannot be put back."""
    for file, _ in write.setting.ways:
        path = f"{write.directory}/{file}"
        text = cgroups.read(path).strip() if files.exists(path) else ""
        if text and "\n" not in text:
            yield path, text


def _apply(write: Write) -> None:
    setting = write.setting
    for file, text in setting.ways:
        path = f"{write.directory}/{file}"
        if files.exists(path):
            cgroups.write(path, text)
            return
    if not setting.holds_anyway:
        names = " or ".join(file for file, _ in setting.ways)
        raise Unsupported(
            f"{PREFIX}{setting.key} cannot hold: the kernel has no {names} in {write.directory}",
            hint=f"leave {setting.key} out",
        )


def _failure(write: Write, error: OSError) -> HostError:
    ways = write.setting.ways
    file, text = next(way for way in ways if files.exists(f"{write.directory}/{way[0]}"))
    failure = HostError(f"set {PREFIX}{write.setting.key}: write {text!r} to {write.directory}/{file}", error)
    if error.errno == errno.EBUSY and write.setting.key.startswith("memory."):
        failure.hint = "the container uses more than that already"
    return failure
