# SPDX-License-Identifier: Apache-2.0
"""The words of `bima run`."""

from __future__ import annotations

import pytest

from bima import request
from bima.errors import UsageError


@pytest.mark.parametrize(
    ("text", "size"),
    [("1048576", 1 << 20), ("256m", 256 << 20), ("1G", 1 << 30), ("64kb", 64 << 10), ("7b", 7)],
)
def test_a_size_is_in_bytes(text: str, size: int) -> None:
    assert request.memory(text) == size


@pytest.mark.parametrize("text", ["", "m", "-1m", "1.5g", "0", "0g", "1t", "256 m", "٣m"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no size"):
        request.memory(text)


def test_a_port_of_the_host_leads_to_one_guest_port() -> None:
    assert len(request.ports(["8080:80", "8080:80/udp", "8081:80"])) == 3
    with pytest.raises(UsageError, match="tcp is published twice"):
        request.ports(["8080:80", "127.0.0.1:8080:81"])


def test_a_variable_without_a_value_is_passed_on_if_there_is_one() -> None:
    assert request.variables(["A=1", "B", "C", "D="], {"B": "2"}) == ("A=1", "B=2", "D=")


@pytest.mark.parametrize("text", ["", "=value"])
def test_a_variable_without_a_name_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="has no name"):
        request.variables([text], {})
