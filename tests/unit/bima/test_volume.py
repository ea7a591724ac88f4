# SPDX-License-Identifier: Apache-2.0
"""Volumes as words of the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bima import volume
from bima.errors import UsageError
from bima.volume import Volume

if TYPE_CHECKING:
    from pathlib import Path


def test_a_volume_is_read_and_written_unless_it_says_otherwise(tmp_path: Path) -> None:
    assert volume.parse(f"{tmp_path}:/data") == Volume(str(tmp_path), "/data")
    assert volume.parse(f"{tmp_path}:/data/:rw") == Volume(str(tmp_path), "/data")
    assert volume.parse(f"{tmp_path}:/data:ro") == Volume(str(tmp_path), "/data", readonly=True)


def test_a_path_of_the_host_may_be_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "site").mkdir()
    assert volume.parse("./site:/www").source == f"{tmp_path}/site"


@pytest.mark.parametrize("text", ["", "/srv", "/srv:", ":/data", "/srv:data", "/srv:/data:rx"])
def test_what_is_no_volume_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is none"):
        volume.parse(text)


def test_what_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no"):
        volume.parse(f"{tmp_path}/gone:/data")
    assert list(tmp_path.iterdir()) == []
