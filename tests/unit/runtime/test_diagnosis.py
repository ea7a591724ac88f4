# SPDX-License-Identifier: Apache-2.0
"""What doctor makes of what it has found."""

import pytest

from urunc import diagnosis
from urunc.diagnosis import has, lacks

PLUGIN = 'plugins."io.containerd.grpc.v1.cri".containerd.runtimes.urunc'


def there(path):
    return path == "/bin/urunc"


@pytest.mark.parametrize(
    ("release", "good"), [("5.12.0", True), ("5.9.3-x", False), ("6.1-rc1", True), ("4.19.0", False)]
)
def test_a_kernel_is_new_enough_or_not(release, good):
    assert diagnosis.kernel(release).good is good


@pytest.mark.parametrize(
    ("text", "good", "needed", "part"),
    [
        ("version = 2", False, False, "no runtime handler"),
        ("version = ", False, True, "is no TOML"),
        (f'[{PLUGIN}]\nruntime_type = "io.containerd.urunc.v2"', True, False, "io.containerd.urunc.v2"),
        (
            f'[{PLUGIN}]\nruntime_type = "io.containerd.urunc.v2"\n[{PLUGIN}.options]\nx = 1',
            False, True, "takes no options",
        ),
        (f'[{PLUGIN}.options]\nBinaryName = "/bin/urunc"', True, True, "/bin/urunc"),
        (f'[{PLUGIN}.options]\nBinaryName = "/gone/urunc"', False, True, "cannot be executed"),
    ],
)  # fmt: skip
def test_a_configuration_of_containerd_is_judged(text, good, needed, part):
    (found,) = diagnosis.containerd(text, there)
    assert (found.good, found.needed) == (good, needed)
    assert part in found.found


@pytest.mark.parametrize(
    ("text", "good", "part"),
    [
        ("", False, "no runtime urunc"),
        ("{", False, "is no JSON"),
        ("[]", False, "no runtime urunc"),
        ('{"runtimes": {"urunc": {"path": "/bin/urunc"}}}', True, "/bin/urunc"),
        ('{"runtimes": {"urunc": {"path": "/gone"}}}', False, "cannot be executed"),
    ],
)
def test_a_configuration_of_docker_is_judged(text, good, part):
    found = diagnosis.docker(text, there)
    assert found.good is good
    assert part in found.found


def test_a_table_has_a_sign_for_each_and_remedies_for_what_lacks():
    findings = [
        has("a", "x"),
        lacks("bc", "y", "r", needed=True),
        lacks("d", "z", "t"),
    ]
    assert diagnosis.table(findings) == ["✓ a   x", "✗ bc  y; r", "- d   z; t"]
