# SPDX-License-Identifier: Apache-2.0
"""spec: an example config.json, to be run with a root file system that has a urunc.json."""

from __future__ import annotations

import json
import os

from urunc.errors import HostError, UsageError
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from urunc.cli import Context


class Options(Record):
    """The command line."""

    bundle: str = ""


def run(_context: Context, options: Options) -> int:
    """Write config.json into the bundle; an existing one is not touched."""
    path = os.path.join(options.bundle or ".", "config.json")
    try:
        with open(path, "x", encoding="utf-8") as file:
            json.dump(example(), file, indent=2)
            file.write("\n")
    except FileExistsError:
        raise UsageError(f"{path} exists already", hint="remove it first") from None
    except OSError as error:
        raise HostError(f"write {path}", error) from error
    return 0


def example() -> dict[str, Any]:
    """A bundle's config.json, as small as it can be."""
    return {
        "ociVersion": "1.2.0",
        "process": {"cwd": "/", "args": ["hello"], "env": [], "user": {"uid": 0, "gid": 0}},
        "root": {"path": "rootfs", "readonly": True},
        "hostname": "urunc",
        "linux": {"namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount", "network")]},
    }
