# SPDX-License-Identifier: Apache-2.0
"""What went wrong between us and a registry, sorted into what may be tried again and what may not."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import requests

from bima.errors import RegistryError

if TYPE_CHECKING:
    from collections.abc import Iterator

BUSY = (408, 425, 429, 500, 502, 503, 504)
_BROKEN = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)


class Transient(RegistryError):
    """May be gone in a moment; `after_s` is how long the registry wants to be left alone."""

    after_s: float | None = None


class Unanswered(Transient):
    """The connection did not come about, or broke."""


def describe(answer: requests.Response) -> str:
    """What was asked, and what the registry said."""
    try:
        told = [f"{each['code']}: {each.get('message', '')}" for each in answer.json()["errors"]]
    except (ValueError, KeyError, TypeError, AttributeError):
        told = [answer.reason or ""]
    asked = f"{answer.request.method} {answer.url.partition('?')[0]}"
    return f"{asked}: the answer is {answer.status_code} {', '.join(told)}".rstrip()


def busy(answer: requests.Response) -> Transient:
    """The error for one of the BUSY answers."""
    error = Transient(describe(answer), hint="try again later")
    error.after_s = _retry_after(answer.headers.get("Retry-After", ""))
    return error


def unanswered(registry: str, error: requests.RequestException) -> RegistryError:
    """The error for a request that got no answer."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            message = f"the certificate of {registry} is not trusted: {cause.verify_message}"
            return RegistryError(message, hint="name its authority with --ca-file")
    if isinstance(error, requests.exceptions.SSLError):
        return Unanswered(f"{registry} does not speak TLS", hint="if that is so on purpose, use --plain-http")
    if isinstance(error, _BROKEN):
        return Unanswered(f"{registry} cannot be reached: {words(error)}", hint="is it running?")
    return RegistryError(f"{registry} cannot be asked: {error}")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """requests wraps urllib3's exception, which wraps the socket's."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def words(error: BaseException) -> str:
    """The innermost words of the system, if it had any."""
    causes = list(_causes(error))
    for cause in reversed(causes):
        if isinstance(cause, TimeoutError):
            return "it does not answer"
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
    return str(causes[-1])


def _retry_after(text: str) -> float | None:
    """Seconds, or a date."""
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
