# SPDX-License-Identifier: Apache-2.0
"""Whose certificates are trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from capabilities import require
from daemons import certificate
from sample_image import make_image
from servers import registry

from bima.errors import RegistryError
from bima.outputs import Options
from bima.registry.push import push

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from servers import Registry

    from bima.layout import BuiltImage


@pytest.fixture
def server() -> Iterator[Registry]:
    """A registry with a certificate that nobody signed."""
    require("registry")
    with registry(tls=True, basic=True) as server:
        yield server


@pytest.fixture
def image(server: Registry, tmp_path: Path, login: Callable[..., None]) -> BuiltImage:
    """An image for that registry, whose user is logged in."""
    login(server.host)
    return make_image(tmp_path / "layout", f"{server.host}/lab/hello:1")


def test_an_unknown_authority_is_refused(image: BuiltImage) -> None:
    with pytest.raises(RegistryError, match="is not trusted: self-signed certificate") as raised:
        push(image, Options())
    assert "--ca-file" in raised.value.hint


def test_a_named_authority_is_trusted(server: Registry, image: BuiltImage) -> None:
    push(image, Options(ca_file=str(server.ca_file)))


def test_a_named_authority_is_trusted_whatever_the_environment_says(
    server: Registry, image: BuiltImage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, _ = certificate(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other))
    push(image, Options(ca_file=str(server.ca_file)))


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_an_authority_in_the_environment_is_trusted(
    variable: str, server: Registry, image: BuiltImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(server.ca_file))
    push(image, Options())


def test_the_authorities_of_requests_are_not_trusted(
    server: Registry, image: BuiltImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(server.ca_file))
    with pytest.raises(RegistryError, match="is not trusted"):
        push(image, Options())


def test_verification_can_be_turned_off(image: BuiltImage) -> None:
    push(image, Options(verify_tls=False))


def test_a_missing_file_of_authorities_is_an_error(image: BuiltImage) -> None:
    with pytest.raises(RegistryError, match="no file of certificates /nowhere"):
        push(image, Options(ca_file="/nowhere"))


def test_a_file_without_certificates_is_an_error(image: BuiltImage, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(RegistryError, match="cannot be used as certificates"):
        push(image, Options(ca_file=str(tmp_path / "empty")))
