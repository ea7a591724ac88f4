# SPDX-License-Identifier: Apache-2.0
"""Which limits hold for the monitor."""

import resource

from urunc import rlimits
from urunc.bundle.process import RLIMITS


def test_what_would_end_the_machine_is_left_out_and_the_rest_is_what_it_needs_at_least():
    asked = [(name, 1, 1000) for name in RLIMITS]
    assert list(rlimits.of_monitor(asked)) == [
        ("RLIMIT_CORE", 1, 1000), ("RLIMIT_NPROC", 128, 1000), ("RLIMIT_NOFILE", 256, 1000),
        ("RLIMIT_MEMLOCK", 1, 1000), ("RLIMIT_LOCKS", 1, 1000), ("RLIMIT_SIGPENDING", 64, 1000),
        ("RLIMIT_MSGQUEUE", 1, 1000), ("RLIMIT_NICE", 1, 1000), ("RLIMIT_RTPRIO", 1, 1000),
    ]  # fmt: skip


def test_the_names_stand_in_the_order_of_the_kernels_numbers():
    known = {name: getattr(resource, name) for name in RLIMITS if hasattr(resource, name)}
    assert {name: RLIMITS.index(name) for name in known} == known
    assert len(known) > 12
