# SPDX-License-Identifier: Apache-2.0
"""virtiofsd in both dialects."""

from __future__ import annotations

from urunc import virtiofsd
from urunc.machine import Share


def test_the_newer_program_is_known_by_an_option_that_only_it_has():
    assert virtiofsd.is_newer(b"...--shared-dir <SHARED_DIR>...")
    assert not virtiofsd.is_newer(b"-o source=PATH")


def test_both_serve_the_share_on_the_given_descriptor():
    share = Share("fs0", readonly=True)
    new = virtiofsd.command("/x", share, 7, newer=True)
    old = virtiofsd.command("/x", share, 7, newer=False)
    assert {"--shared-dir=/share", "--fd=7", "--readonly"} <= set(new)
    assert {"source=/share", "--fd=7"} <= set(old)
