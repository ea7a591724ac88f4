# SPDX-License-Identifier: Apache-2.0
"""The JSON documents of an OCI image: descriptors, config, manifest.  Pure; equal values give equal bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Self

from bima.errors import StoreError

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER_TAR = "application/vnd.oci.image.layer.v1.tar"
LAYER_GZIP = f"{LAYER_TAR}+gzip"
LAYER_ZSTD = f"{LAYER_TAR}+zstd"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Descriptor:
    """Points to a blob, and says what is in it."""

    media_type: str
    digest: str
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)
    platform: Mapping[str, str] | None = field(default=None, hash=False)

    def to_json(self) -> dict[str, Any]:
        """The descriptor as OCI spells it."""
        document: dict[str, Any] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        if self.annotations:
            document["annotations"] = dict(self.annotations)
        if self.platform:
            document["platform"] = dict(self.platform)
        return document

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`; raises StoreError for what is no descriptor."""
        try:
            digest, size = document["digest"], document["size"]
            media_type = document.get("mediaType", "")
            annotations, platform = document.get("annotations") or {}, document.get("platform")
        except (AttributeError, KeyError, TypeError) as error:
            raise StoreError("a descriptor lacks digest or size") from error
        if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
            raise StoreError(f"a descriptor has the digest {digest!r}", hint="only sha256 is served")
        if type(size) is not int or size < 0 or not isinstance(annotations, Mapping):
            raise StoreError(f"the descriptor of {digest} has a wrong size or wrong annotations")
        return cls(media_type, digest, size, annotations, platform)


@dataclass(frozen=True)
class Layer:
    """One filesystem layer: the blob, and the digest of the tar inside."""

    descriptor: Descriptor
    diff_id: str


@dataclass(frozen=True)
class Step:
    """One entry of the history; `empty` ones made no layer."""

    text: str
    empty: bool = True
    created: str = ""


@dataclass(frozen=True)
class ImageConfig:
    """Everything of the config blob that is not derived from the layers."""

    architecture: str
    variant: str = ""
    created: str = "1970-01-01T00:00:00Z"
    env: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    working_dir: str = ""
    user: str = ""
    ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    stop_signal: str = ""
    shell: tuple[str, ...] = ()
    author: str = ""
    # Not OCI's word for an image of ours, but the version of Unikraft in images of its catalog.
    os_version: str = ""

    @property
    def platform(self) -> dict[str, str]:
        """Where the image runs, as in an index."""
        platform = {"os": "linux", "architecture": self.architecture}
        return {**platform, "variant": self.variant} if self.variant else platform

    def render(self, layers: Sequence[Layer], history: Sequence[Step]) -> bytes:
        """The config blob."""
        document = {
            **self.platform,
            "created": self.created,
            "config": self._process(),
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
            "history": [self._entry(step) for step in history],
        }
        return canonical({**document, "author": self.author} if self.author else document)

    def _process(self) -> dict[str, Any]:
        process = {
            "Env": list(self.env),
            "Entrypoint": list(self.entrypoint),
            "Cmd": list(self.cmd),
            "Labels": dict(self.labels),
            "WorkingDir": self.working_dir,
            "User": self.user,
            "ExposedPorts": {port: {} for port in self.ports},
            "Volumes": {path: {} for path in self.volumes},
            "StopSignal": self.stop_signal,
            "Shell": list(self.shell),
        }
        return {key: value for key, value in process.items() if value}

    def _entry(self, step: Step) -> dict[str, Any]:
        entry: dict[str, Any] = {"created": step.created or self.created, "created_by": step.text}
        return {**entry, "empty_layer": True} if step.empty else entry


def render_manifest(config: Descriptor, layers: Sequence[Layer], annotations: Mapping[str, str]) -> bytes:
    """The manifest blob."""
    document: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config.to_json(),
        "layers": [layer.descriptor.to_json() for layer in layers],
    }
    if annotations:
        document["annotations"] = dict(annotations)
    return canonical(document)


def canonical(document: Any) -> bytes:
    """Compact JSON with sorted keys: the same value has the same digest everywhere."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest_of(data: bytes) -> str:
    """`sha256:…` of some bytes."""
    return f"sha256:{sha256(data).hexdigest()}"


def describe(data: bytes, media_type: str) -> Descriptor:
    """The descriptor of a blob that consists of these bytes."""
    return Descriptor(media_type, digest_of(data), len(data))


def timestamp(epoch: int) -> str:
    """Seconds since 1970 -> RFC 3339, in UTC."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
