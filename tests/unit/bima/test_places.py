# SPDX-License-Identifier: Apache-2.0
"""Where containers are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bima import places
from bima.errors import ContainerError


@pytest.fixture(autouse=True)
def _an_ordinary_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("HOME", "/home/me")


def test_an_ordinary_user_has_containers_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, expected in (
        ("", "/home/me/.local/state/bima/containers"),
        ("relative", "/home/me/.local/state/bima/containers"),
        ("/state", "/state/bima/containers"),
    ):
        monkeypatch.setenv("XDG_STATE_HOME", value)
        assert places.containers() == Path(expected)


def test_state_needs_a_directory_that_only_the_user_may_enter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    assert places.state() == Path("/run/user/1000/bima/urunc")
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    with pytest.raises(ContainerError, match="XDG_RUNTIME_DIR is not set"):
        places.state()


def test_roots_are_the_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert places.containers() == Path("/var/lib/bima/containers")
    assert places.state() == Path("/run/bima/urunc")
