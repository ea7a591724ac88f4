# SPDX-License-Identifier: Apache-2.0
"""Failures on the way to a registry, in words."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import requests

from bima.registry.failures import Transient, Unanswered, busy, describe, unanswered


def _answer(status: int, body: str = "", **headers: str) -> requests.Response:
    answer = requests.Response()
    answer.status_code = status
    answer.reason = "Reason"
    answer.url = "https://registry.example/v2/a/blobs/uploads/1?_state=secret"
    answer.request = requests.Request("PUT", answer.url).prepare()
    answer._content = body.encode()
    answer.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return answer


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"errors": [{"code": "DENIED", "message": "no"}]}', "DENIED: no"),
        ('{"errors": [{"code": "A", "message": "b"}, {"code": "C"}]}', "A: b, C:"),
        ("<html>", "Reason"),
        ('{"errors": "x"}', "Reason"),
        ("[]", "Reason"),
    ],
)
def test_an_answer_is_described(body: str, words: str) -> None:
    said = describe(_answer(403, body))
    assert said == f"PUT https://registry.example/v2/a/blobs/uploads/1: the answer is 403 {words}"


@pytest.mark.parametrize(
    ("text", "after_s"),
    [("", None), ("7", 7.0), ("soon", None), ("-1", None), ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0)],
)
def test_a_busy_registry_says_when_to_come_back(text: str, after_s: float | None) -> None:
    assert busy(_answer(503, Retry_After=text)).after_s == after_s


def test_a_busy_registry_may_name_a_date() -> None:
    then = datetime.now(UTC) + timedelta(hours=1)
    after_s = busy(_answer(503, Retry_After=format_datetime(then, usegmt=True))).after_s
    assert after_s is not None
    assert 3000 < after_s <= 3600


def test_a_refused_connection_is_told_in_the_systems_words() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(requests.ConnectionError) as raised:
            requests.get(f"http://127.0.0.1:{closed.getsockname()[1]}/", timeout=30)
    error = unanswered("registry.example", raised.value)
    assert isinstance(error, Unanswered)
    assert error.sentence == "registry.example cannot be reached: connection refused; is it running?"


def test_a_broken_request_of_ours_is_not_tried_again() -> None:
    error = unanswered("registry.example", requests.exceptions.InvalidURL("bad"))
    assert not isinstance(error, Transient)
