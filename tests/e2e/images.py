# SPDX-License-Identifier: Apache-2.0
"""Stand-in images: small OCI archives made by hand, for what the builder does not build."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from capabilities import program

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BUSYBOX = "docker.io/library/busybox:stand-in"
PAUSE = "docker.io/library/pause:stand-in"
MEDIA = "application/vnd.oci.image."
APPLETS = (
    "sh",
    "cat",
    "echo",
    "false",
    "httpd",
    "ip",
    "ls",
    "mkdir",
    "mount",
    "sleep",
    "stty",
    "true",
    "tty",
)


@dataclass
class Blobs:
    """Contents by digest."""

    found: dict[str, bytes] = field(default_factory=dict)

    def add(self, content: bytes, kind: str) -> dict[str, object]:
        """Store a blob and return its descriptor."""
        digest = hashlib.sha256(content).hexdigest()
        self.found[digest] = content
        return {"mediaType": MEDIA + kind, "digest": f"sha256:{digest}", "size": len(content)}


def _member(name: str, content: bytes, mode: int) -> tuple[tarfile.TarInfo, io.BytesIO]:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    return entry, io.BytesIO(content)


def layer(files: Mapping[str, bytes], links: Mapping[str, str], folders: Sequence[str]) -> bytes:
    """An uncompressed layer."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name in folders:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for name, content in files.items():
            tar.addfile(*_member(name, content, 0o755))
        for name, target in links.items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
    return out.getvalue()


def archive(path: Path, name: str, raw_layer: bytes, command: Sequence[str]) -> Path:
    """Write an OCI archive that containerd imports, and docker too, under `name`."""
    blobs = Blobs()
    config = {
        "architecture": "amd64", "os": "linux",
        "config": {"Env": ["PATH=/bin"], "Cmd": list(command), "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(raw_layer).hexdigest()}"]},
    }  # fmt: skip
    top = blobs.add(json.dumps(config).encode(), "config.v1+json")
    packed = blobs.add(gzip.compress(raw_layer, mtime=0), "layer.v1.tar+gzip")
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{MEDIA}manifest.v1+json",
        "config": top,
        "layers": [packed],
    }
    entry = blobs.add(json.dumps(manifest).encode(), "manifest.v1+json")
    entry["annotations"] = {"io.containerd.image.name": name}
    _write(path, blobs, entry, _docker(name, top, packed))
    return path


def _docker(name: str, config: Mapping[str, object], packed: Mapping[str, object]) -> list[object]:
    """The list that `docker load` reads instead of index.json."""
    places = [f"blobs/{str(d['digest']).replace(':', '/')}" for d in (config, packed)]
    return [{"Config": places[0], "RepoTags": [name], "Layers": places[1:]}]


def _write(path: Path, blobs: Blobs, manifest: Mapping[str, object], docker: list[object]) -> None:
    files = {
        "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
        "index.json": json.dumps({"schemaVersion": 2, "manifests": [manifest]}).encode(),
        "manifest.json": json.dumps(docker).encode(),
    }
    with tarfile.open(path, "w") as tar:
        for name, content in files.items():
            tar.addfile(*_member(name, content, 0o644))
        for digest, content in blobs.found.items():
            tar.addfile(*_member(f"blobs/sha256/{digest}", content, 0o644))


def busybox(path: Path, name: str = BUSYBOX, command: Sequence[str] = ("sh",)) -> Path:
    """An ordinary container image: a shell and what it needs."""
    tool = program("busybox")
    assert tool, "the test says require('busybox')"
    links = {f"bin/{applet}": "busybox" for applet in APPLETS}
    folders = ("bin", "dev", "etc", "proc", "sys", "tmp")
    return archive(path, name, layer({"bin/busybox": Path(tool).read_bytes()}, links, folders), command)


def pause(path: Path) -> Path:
    """What holds a pod's namespaces, and does nothing."""
    return busybox(path, PAUSE, ("sleep", "infinity"))
