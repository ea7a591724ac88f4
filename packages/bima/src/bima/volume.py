# SPDX-License-Identifier: Apache-2.0
"""Volumes of `bima run`: `HOST:GUEST[:ro]`, with docker's meaning."""

from __future__ import annotations

import os
from dataclasses import dataclass

from bima.errors import UsageError

_MODES = {"rw": False, "ro": True}


@dataclass(frozen=True)
class Volume:
    """A file or directory of the host, at a path in the guest."""

    source: str
    target: str
    readonly: bool = False


def parse(text: str) -> Volume:
    """Raises UsageError."""
    source, _, rest = text.partition(":")
    target, _, mode = rest.partition(":")
    if not source or not target.startswith("/") or mode not in ("", *_MODES):
        raise UsageError(f"volume {text!r} is none", hint="write it like /srv/data:/data or ./site:/www:ro")
    path = os.path.abspath(source)
    if not os.path.exists(path):
        raise UsageError(f"volume {text}: there is no {path} on this host", hint="make it first")
    return Volume(path, os.path.normpath(target), _MODES.get(mode, False))
