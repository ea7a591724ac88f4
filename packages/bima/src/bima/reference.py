# SPDX-License-Identifier: Apache-2.0
"""Image names, read as docker and containerd do: `hello` is `docker.io/library/hello:latest`.  Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from bima.errors import ImageNameError

DOCKER_HUB = "docker.io"
_LONGEST = 255
_LAST_PORT = 65535
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_REGISTRY = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{{1,5}})?")
_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Reference:
    """An image's whole name; `str()` is the full form, with the tag, or the digest, or both."""

    registry: str
    repository: str
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a name as users write it; without tag and digest the tag is `latest`."""
        name, at, digest = text.partition("@")
        if at:
            _require(_DIGEST, digest, text, "digest", "write it like name@sha256: and 64 hex digits")
        registry, repository = _split_registry(name)
        repository, colon, tag = repository.partition(":")
        if colon:
            _require(_TAG, tag, text, "tag", "use up to 128 letters, digits and _.-, the first no . or -")
        if registry == DOCKER_HUB and "/" not in repository and repository:
            repository = f"library/{repository}"
        _check(text, registry, repository)
        return cls(registry, repository, tag or ("" if at else "latest"), digest)

    def __str__(self) -> str:
        return f"{self.registry}/{self.repository}{self._suffix}"

    @property
    def familiar(self) -> str:
        """The shortest form that means the same."""
        if self.registry != DOCKER_HUB:
            return str(self)
        short = self.repository.removeprefix("library/")
        return (self.repository if "/" in short else short) + self._suffix

    @property
    def _suffix(self) -> str:
        return (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


def _split_registry(name: str) -> tuple[str, str]:
    """A first component is a registry if it cannot be part of a repository's name on Docker Hub."""
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost" or first != first.lower()):
        return (DOCKER_HUB if first == f"index.{DOCKER_HUB}" else first), rest
    return DOCKER_HUB, name


def _check(text: str, registry: str, repository: str) -> None:
    _require(_REGISTRY, registry, text, "registry", "write it like registry.example:5000/name")
    port = registry.rpartition(":")[2]
    if port.isdecimal() and int(port) > _LAST_PORT:
        raise ImageNameError(f"image name {text!r}: no port is over {_LAST_PORT}")
    for component in repository.split("/"):
        _require(
            _COMPONENT,
            component,
            text,
            "repository",
            "use lower-case letters, digits and single . _ - inside",
        )
    if len(f"{registry}/{repository}") > _LONGEST:
        raise ImageNameError(f"image name {text!r} is over {_LONGEST} characters long")
    if _HEX.fullmatch(text):
        raise ImageNameError(f"image name {text!r} is an image's id", hint="give the image a name of its own")


def _require(pattern: re.Pattern[str], part: str, text: str, what: str, hint: str) -> None:
    if not pattern.fullmatch(part):
        raise ImageNameError(f"image name {text!r}: {what} {part!r} is not valid", hint=hint)
