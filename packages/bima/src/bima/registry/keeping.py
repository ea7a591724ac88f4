# SPDX-License-Identifier: Apache-2.0
"""Keeps what the user logged in with, as docker does: in a helper if one is configured, else in its file."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bima.errors import RegistryError
from bima.reference import DOCKER_HUB
from bima.registry.credentials import HUB_SERVER, Credential, load, normalize, run_helper

if TYPE_CHECKING:
    from collections.abc import Mapping


def keep(registry: str, credential: Credential, environ: Mapping[str, str]) -> str:
    """Remember a password; where it is now."""
    path = _file(environ)
    document = dict(load(path))
    if helper := _helper(document, registry):
        secret = {
            "ServerURL": _server(registry),
            "Username": credential.username,
            "Secret": credential.password,
        }
        run_helper(helper, "store", json.dumps(secret).encode(), path)
        return f"the helper {helper}"
    pair = base64.b64encode(f"{credential.username}:{credential.password}".encode()).decode()
    document["auths"] = {**_without(document, registry), _server(registry): {"auth": pair}}
    _save(path, document)
    return str(path)


def forget(registry: str, environ: Mapping[str, str]) -> bool:
    """Forget a password; whether there was one."""
    path = _file(environ)
    document = dict(load(path))
    if helper := _helper(document, registry):
        return run_helper(helper, "erase", _server(registry).encode(), path) is not None
    left = _without(document, registry)
    if left == (document.get("auths") or {}):
        return False
    _save(path, {**document, "auths": left})
    return True


def _file(environ: Mapping[str, str]) -> Path:
    """The file that was named, or docker's."""
    if explicit := environ.get("REGISTRY_AUTH_FILE"):
        return Path(explicit)
    home = Path(environ.get("HOME") or Path.home())
    return Path(environ.get("DOCKER_CONFIG") or home / ".docker", "config.json")


def _server(registry: str) -> str:
    return HUB_SERVER if normalize(registry) == DOCKER_HUB else registry


def _helper(document: Mapping[str, Any], registry: str) -> str:
    helpers = document.get("credHelpers") or {}
    own = {normalize(key): name for key, name in helpers.items()}
    return str(own.get(normalize(registry)) or document.get("credsStore") or "")


def _without(document: Mapping[str, Any], registry: str) -> dict[str, Any]:
    entries = document.get("auths") or {}
    return {key: entry for key, entry in entries.items() if normalize(key) != normalize(registry)}


def _save(path: Path, document: Mapping[str, Any]) -> None:
    """Whole or not at all, and for its owner only."""
    partial = path.with_name(f".{path.name}.partial-{os.urandom(4).hex()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w") as file:
            file.write(json.dumps(document, indent="\t") + "\n")
        partial.replace(os.path.realpath(path))
    except OSError as error:
        raise RegistryError(f"cannot write {path}: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)
