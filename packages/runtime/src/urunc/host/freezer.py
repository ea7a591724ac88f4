# SPDX-License-Identifier: Apache-2.0
"""Pauses all processes of a cgroup, by the file that does so: freezer.state, in version 2 cgroup.freeze."""

from __future__ import annotations

import time

from urunc.errors import HostError
from urunc.host import files

_ATTEMPTS = 400
_PAUSE_S = 0.005
# A process that is in the middle of something can keep the others from being frozen: let go, and try again.
_PATIENCE = 40


def freeze(file: str) -> None:
    """Pause, and wait until everything stands.  Raises HostError."""
    try:
        for attempt in range(_ATTEMPTS):
            if attempt % _PATIENCE == 0:
                _write(file, frozen=False)
                _write(file, frozen=True)
            if _stands(file):
                return
            time.sleep(_PAUSE_S)
        _write(file, frozen=False)
    except OSError as error:
        raise HostError(f"pause by {file}", error) from error
    raise HostError(f"pause by {file}", TimeoutError(110, "not all processes can be paused"))


def thaw(file: str) -> None:
    """Go on; what is not paused stays as it is.  Raises HostError."""
    try:
        _write(file, frozen=False)
    except FileNotFoundError:
        return
    except OSError as error:
        raise HostError(f"resume by {file}", error) from error


def is_frozen(file: str) -> bool:
    """Whether it was paused; a cgroup that is gone is not."""
    if not file:
        return False
    try:
        return _read(file).strip() in ("FROZEN", "FREEZING", "1")
    except OSError:
        return False


def _write(file: str, *, frozen: bool) -> None:
    words = ("THAWED", "FROZEN") if file.endswith("freezer.state") else ("0", "1")
    files.write(file, words[frozen].encode())


def _read(file: str) -> str:
    return files.read(file).decode()


def _stands(file: str) -> bool:
    if file.endswith("freezer.state"):
        return _read(file).strip() == "FROZEN"
    events = _read(file.replace("cgroup.freeze", "cgroup.events"))
    return "frozen 1" in events.splitlines()
