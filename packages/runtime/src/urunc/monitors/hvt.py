# SPDX-License-Identifier: Apache-2.0
"""Solo5 hvt: the tender that uses hardware virtualization."""

from __future__ import annotations

from urunc.monitors._solo5 import launch_tender

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.machine import LaunchPlan, Machine

BINARY = {"x86_64": "solo5-hvt", "aarch64": "solo5-hvt"}
PACKAGE = {"x86_64": "Solo5 (github.com/Solo5/solo5)", "aarch64": "Solo5 (github.com/Solo5/solo5)"}
TAKES_TAP_FD = False
EMULATES = False
OVERLAYS = False
OFFERS: frozenset[str] = frozenset()


def overhead_mib(_accel: str) -> int:
    """Measured: under two, with a margin."""
    return 4


def launch(machine: Machine) -> LaunchPlan:
    return launch_tender(BINARY, machine, devices=("/dev/kvm",), stop_signal=15)
