# SPDX-License-Identifier: Apache-2.0
"""Rules that are more than the validation of one field."""

import pytest

from urunc_common.rules import exit_status


@pytest.mark.parametrize(("code", "status"), [(3, 1), (7, 3), (15, 7), (135, 67), (141, 70), (255, 127)])
def test_a_status_that_came_through_the_debug_exit_device_is_decoded(code, status):
    assert exit_status("generic", "qemu", code) == status
    assert exit_status("linux", "qemu", code) == status
    assert exit_status("mewz", "qemu", code) == status


@pytest.mark.parametrize("code", [0, 1, 2, 134])
def test_what_qemu_itself_ends_with_stays(code):
    assert exit_status("generic", "qemu", code) == code


@pytest.mark.parametrize("code", [3, 200, 255])
def test_an_arm_guest_says_it_plainly(code):
    assert exit_status("linux", "qemu", code, "arm64") == code


@pytest.mark.parametrize("code", [128 + 9, 128 + 11])
def test_a_monitor_that_was_killed_stays_killed(code):
    assert exit_status("generic", "qemu", code) == code


@pytest.mark.parametrize(("guest", "monitor"), [("mirage", "qemu"), ("generic", "hvt"), ("mirage", "spt")])
def test_a_guest_without_a_debug_exit_device_says_it_plainly(guest, monitor):
    assert exit_status(guest, monitor, 7) == 7
