# SPDX-License-Identifier: Apache-2.0
"""features: what this runtime can do.  OCI runtime specification 1.2, `features.md`."""

from __future__ import annotations

import json
import sys

from urunc import __version__, capabilities, seccomp
from urunc.bundle import HOOK_STAGES
from urunc.host import namespaces
from urunc_common.config import KEYS
from urunc_common.record import Record
from urunc_common.rules import PAIRS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.cli import Context


class Options(Record):
    """The command line."""


def run(_context: Context, _options: Options) -> int:
    """Print the document."""
    document = {
        "ociVersionMin": "1.0.0",
        "ociVersionMax": "1.2.0",
        "hooks": list(HOOK_STAGES),
        "mountOptions": [],
        "linux": {
            "namespaces": list(namespaces.SERVED),
            "capabilities": list(capabilities.NAMES),
            "cgroup": {"v1": True, "v2": True, "systemd": True, "systemdUser": False},
            "seccomp": {
                "enabled": True,
                "actions": list(seccomp.ACTIONS),
                "operators": list(seccomp.OPERATORS),
                "knownFlags": list(seccomp.FLAGS),
                "supportedFlags": list(seccomp.FLAGS),
            },
            "apparmor": {"enabled": True},
            "selinux": {"enabled": True},
            "intelRdt": {"enabled": False},
            "mountExtensions": {"idmap": {"enabled": False}},
        },
        "annotations": {
            "com.urunc.version": __version__,
            **{f"com.urunc.monitor.{monitor}": ",".join(guests) for monitor, guests in PAIRS.items()},
        },
        "potentiallyUnsafeConfigAnnotations": sorted(KEYS.values()),
    }
    json.dump(document, sys.stdout, indent=2)
    sys.stdout.write("\n")
    sys.stdout.flush()
    return 0
