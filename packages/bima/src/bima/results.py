# SPDX-License-Identifier: Apache-2.0
"""What a build tells programs: digests in files, and JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bima.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bima.layout import BuiltImage
    from bima.outputs import Output


def write(image: BuiltImage, targets: Sequence[Output], values: Mapping[str, Any]) -> None:
    """Print the digest, or JSON, and write the files that were asked for."""
    found = metadata(image)
    only_docker = all(target.name in ("docker", "docker-archive") for target in targets)
    _write(values.get("iidfile"), image.config_digest if only_docker else image.descriptor.digest)
    _write(values.get("digestfile"), image.descriptor.digest)
    _write(values.get("metadata_file"), json.dumps(found, indent=2) + "\n")
    click.echo(json.dumps(found) if values.get("format") == "json" else image.descriptor.digest)


def metadata(image: BuiltImage) -> dict[str, Any]:
    """In the words of docker buildx."""
    return {
        "containerimage.config.digest": image.config_digest,
        "containerimage.descriptor": image.descriptor.to_json(),
        "containerimage.digest": image.descriptor.digest,
        "image.name": str(image.reference),
    }


def _write(path: str | None, text: str) -> None:
    if path:
        try:
            Path(path).write_text(text)
        except OSError as error:
            raise OutputError(f"cannot write {path}: {error.strerror}") from error
