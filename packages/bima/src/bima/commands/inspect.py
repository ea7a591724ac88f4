# SPDX-License-Identifier: Apache-2.0
"""`bima inspect NAME`"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from bima import store
from urunc_common import config as contract

if TYPE_CHECKING:
    from collections.abc import Mapping


@click.command("inspect")
@click.argument("name")
def command(name: str) -> None:
    """Print an image's manifest, config and unikernel configuration as JSON."""
    image = store.find(store.default(), name)
    manifest = image.manifest
    document = {
        "name": str(image.reference),
        "digest": image.descriptor.digest,
        "manifest": manifest,
        "config": image.layout.document(image.config_digest),
        "unikernel": _unikernel(manifest.get("annotations") or {}),
    }
    click.echo(json.dumps(document, indent=2))


def _unikernel(annotations: Mapping[str, str]) -> dict[str, object] | None:
    """Nothing for an ordinary image."""
    return vars(contract.from_annotations(annotations)) if contract.is_unikernel(annotations) else None
