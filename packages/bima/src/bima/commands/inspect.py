# SPDX-License-Identifier: Apache-2.0
"""`bima inspect NAME`"""

from __future__ import annotations

import json

import click

from bima import store
from urunc_common import config as contract


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
        "unikernel": vars(contract.from_annotations(manifest.get("annotations", {}))),
    }
    click.echo(json.dumps(document, indent=2))
