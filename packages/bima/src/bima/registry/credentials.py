# SPDX-License-Identifier: Apache-2.0
"""Finds what the user logged in with: docker's and podman's files, and the credential helpers they name.

The first file that knows the registry wins; inside a file a helper for this registry comes first, then the
store for all registries, then the file's own entries, of which the longest path wins.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bima.errors import RegistryError
from bima.reference import DOCKER_HUB

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HELPER_S = 60
HUB_HOSTS = (DOCKER_HUB, "index.docker.io", "registry-1.docker.io")
# The name under which docker login keeps Docker Hub's password, in files and helpers alike.
HUB_SERVER = "https://index.docker.io/v1/"
# What a helper calls the user if the secret is an identity token.
TOKEN_USER = "<token>"


@dataclass(frozen=True)
class Credential:
    """A password, or one of the two kinds of tokens; secrets do not show in a repr."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    access_token: str = field(default="", repr=False)


def find(registry: str, repository: str, environ: Mapping[str, str]) -> Credential | None:
    """The credential for a repository, or None if the user never logged in."""
    for path in files(environ):
        found = _in_file(path, registry, repository)
        if found:
            return found
    return None


def files(environ: Mapping[str, str]) -> Iterator[Path]:
    """Where credentials may be, best first."""
    home = Path(environ.get("HOME") or Path.home())
    if explicit := environ.get("REGISTRY_AUTH_FILE"):
        yield Path(explicit)
    runtime = environ.get("XDG_RUNTIME_DIR")
    yield (
        Path(runtime, "containers/auth.json") if runtime else Path(f"/run/containers/{os.getuid()}/auth.json")
    )
    yield Path(environ.get("XDG_CONFIG_HOME") or home / ".config", "containers/auth.json")
    yield Path(environ.get("DOCKER_CONFIG") or home / ".docker", "config.json")
    yield home / ".dockercfg"


def normalize(key: str) -> str:
    """A file's key, of which there are many spellings -> `host[:port][/path]`."""
    host, _, path = key.removeprefix("https://").removeprefix("http://").rstrip("/").partition("/")
    host = host.lower().removesuffix(":443")
    path = "" if path in ("v1", "v2") else path
    host = DOCKER_HUB if host in HUB_HOSTS else host
    return f"{host}/{path}" if path else host


def _in_file(path: Path, registry: str, repository: str) -> Credential | None:
    document = load(path)
    registry = normalize(registry)
    helpers = {normalize(key): name for key, name in _object(document, "credHelpers", path).items()}
    helper = helpers.get(registry) or document.get("credsStore")
    found = _ask(str(helper), HUB_SERVER if registry == DOCKER_HUB else registry, path) if helper else None
    return found or _in_entries(_object(document, "auths", path), f"{registry}/{repository}", path)


def _in_entries(entries: Mapping[str, Any], name: str, path: Path) -> Credential | None:
    known = {normalize(key): entry for key, entry in entries.items() if entry}
    while name:
        if entry := known.get(name):
            return _parse(entry, name, path)
        name = name.rpartition("/")[0]
    return None


def _parse(entry: Any, name: str, path: Path) -> Credential | None:
    """One entry of `auths`; one without a secret only says that the secret is in a helper."""
    try:
        user, _, password = base64.b64decode(entry.get("auth") or "", validate=True).decode().partition(":")
        found = Credential(
            user or entry.get("username") or "",
            password.rstrip("\0") or entry.get("password") or "",
            entry.get("identitytoken") or "",
            entry.get("registrytoken") or "",
        )
    except (AttributeError, ValueError) as error:
        raise RegistryError(f"{path}: the entry of {name} cannot be read", hint="log in again") from error
    return found if found.password or found.identity_token or found.access_token else None


def _ask(helper: str, server: str, path: Path) -> Credential | None:
    """What a credential helper knows of the server, if it knows it."""
    answer = run_helper(helper, "get", server.encode(), path)
    return None if answer is None else _parse_answer(answer, f"docker-credential-{helper}")


def run_helper(helper: str, verb: str, data: bytes, path: Path) -> bytes | None:
    """Run a credential helper; None if it does not know the server."""
    program = f"docker-credential-{helper}"
    try:
        done = subprocess.run([program, verb], input=data, capture_output=True, timeout=HELPER_S, check=False)
    except FileNotFoundError as error:
        hint = f"install it, or take it out of {path}"
        raise RegistryError(f"the credential helper {program} is not installed", hint=hint) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RegistryError(f"the credential helper {program} does not work: {error}") from error
    if done.returncode != 0:
        what = f"for {data.decode(errors='replace')}" if verb != "store" else "to keep the password"
        said = (done.stdout + done.stderr).decode(errors="replace").strip()
        if "credentials not found" in said:
            return None
        raise RegistryError(f"the credential helper {program} failed {what}: {said}")
    return done.stdout


def _parse_answer(text: bytes, program: str) -> Credential:
    try:
        answer = json.loads(text)
        user, secret = answer["Username"], answer["Secret"]
    except (ValueError, KeyError, TypeError) as error:
        # The text may hold the secret, so it is not shown.
        raise RegistryError(f"the credential helper {program} gave an answer that is none") from error
    return Credential(identity_token=secret) if user == TOKEN_USER else Credential(user, secret)


def load(path: Path) -> Mapping[str, Any]:
    """The file's JSON object; empty if there is no file."""
    try:
        document = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise RegistryError(f"credentials in {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise RegistryError(f"{path} is not JSON: {error}", hint="repair it, or log in again") from error
    if path.name == ".dockercfg":
        document = {"auths": document}
    if not isinstance(document, dict):
        raise RegistryError(f"{path} is not a JSON object", hint="repair it, or log in again")
    return document


def _object(document: Mapping[str, Any], key: str, path: Path) -> Mapping[str, Any]:
    value = document.get(key) or {}
    if not isinstance(value, dict):
        raise RegistryError(f"{path}: {key} is not a JSON object", hint="repair it, or log in again")
    return value
