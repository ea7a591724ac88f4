# SPDX-License-Identifier: Apache-2.0
"""Capabilities by name."""

from __future__ import annotations

from urunc import capabilities


def test_each_name_has_the_bit_of_the_kernel():
    assert capabilities.mask(["CAP_CHOWN"]) == 1
    assert capabilities.mask(["CAP_SYS_ADMIN", "CAP_CHECKPOINT_RESTORE"]) == 1 << 21 | 1 << 40
    assert capabilities.mask(["CAP_MADE_UP"]) == 0


def test_a_file_server_has_nothing_that_reaches_beyond_files():
    assert not capabilities.mask(capabilities.FILE_SERVER) & capabilities.mask(
        ["CAP_SYS_ADMIN", "CAP_NET_ADMIN", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"]
    )
