# SPDX-License-Identifier: Apache-2.0
"""Where containers and their state are: root's, or an ordinary user's own."""

from __future__ import annotations

import os
from pathlib import Path

from bima.errors import ContainerError


def containers() -> Path:
    """What is known of containers, and their files."""
    if os.geteuid() == 0:
        return Path("/var/lib/bima/containers")
    return _own("XDG_STATE_HOME", "~/.local/state") / "containers"


def state() -> Path:
    """What the runtime knows of those that run."""
    return Path("/run/bima/urunc") if os.geteuid() == 0 else _own("XDG_RUNTIME_DIR", "") / "urunc"


def _own(variable: str, otherwise: str) -> Path:
    path = os.environ.get(variable, "")
    if not path.startswith("/"):  # the specification has others ignored
        path = os.path.expanduser(otherwise)
    if not path.startswith("/"):
        raise ContainerError(
            f"{variable} is not set, and bima runs containers of this user there",
            hint=f"log in, or set {variable} to a directory that only you may enter",
        )
    return Path(path) / "bima"
