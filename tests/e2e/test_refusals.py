# SPDX-License-Identifier: Apache-2.0
"""What urunc refuses reaches the user of containerd in urunc's words, and leaves nothing half-made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from e2e.examples import HELLO

if TYPE_CHECKING:
    from e2e.engine import Engine

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("clean")]
PREFIX = "com.urunc.unikernel."


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        ("hypervisor=qemuu", ("hypervisor", "qemuu", "qemu")),
        ("unikernelType=rumprun", ("rumprun", "qemu", "hvt")),
        ("unikernelType=linus", ("unikernelType", "linus", "linux")),
        ("binary=/../../etc/shadow", ("binary", "/../../etc/shadow")),
        ("binary=/missing", ("/missing",)),
        ("hypervizor=qemu", ("hypervizor", "hypervisor")),
    ],
)
def test_a_bad_annotation_is_refused_with_its_name(
    engine: Engine, annotation: str, words: tuple[str, ...]
) -> None:
    options = ("--runc-binary", "urunc", "--annotation", PREFIX + annotation)
    refused = engine.ctr("run", "--rm", *options, HELLO, "refused", check=False)
    assert refused.returncode != 0
    assert "OCI runtime create failed: " in refused.stderr
    assert all(word in refused.stderr for word in words), refused.stderr


def test_too_little_memory_is_refused(engine: Engine) -> None:
    options = ("--runc-binary", "urunc", "--memory-limit", str(1 << 20))
    refused = engine.ctr("run", "--rm", *options, HELLO, "refused", check=False)
    assert "OCI runtime create failed: " in refused.stderr
    assert "memory" in refused.stderr, refused.stderr
