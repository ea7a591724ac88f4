# SPDX-License-Identifier: Apache-2.0
"""What an ordinary container's runtime inherits where containerd's shim for urunc has called us."""

import pytest

from urunc.cli import outside_shim


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({b"PATH": b"/a:/b"}, {b"PATH": b"/a:/b"}),
        ({b"URUNC_SHIM": b"/s", b"PATH": b"/s:/a:/s"}, {b"PATH": b"/a"}),
        ({b"URUNC_SHIM": b"/s", b"PATH": b"/a:/s/bin"}, {b"PATH": b"/a:/s/bin"}),
        ({b"URUNC_SHIM": b"", b"PATH": b"/a::/b"}, {b"PATH": b"/a::/b"}),
    ],
)
def test_only_the_folder_that_calls_us_runc_is_not_searched(environment, expected):
    assert outside_shim(environment) == expected


def test_the_callers_environment_stays_as_it_is():
    environment = {b"URUNC_SHIM": b"/s", b"PATH": b"/s:/a"}
    outside_shim(environment)
    assert environment == {b"URUNC_SHIM": b"/s", b"PATH": b"/s:/a"}
