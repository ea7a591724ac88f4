# SPDX-License-Identifier: Apache-2.0
"""`bima images`"""

from __future__ import annotations

import click

from bima import store
from bima.layout import BuiltImage, Layout
from bima.reference import Reference
from urunc_common import config as contract

_COLUMNS = ("NAME", "DIGEST", "PLATFORM", "TYPE", "HYPERVISOR", "SIZE")


@click.command("images")
@click.option("-q", "--quiet", is_flag=True, help="only the names")
def command(*, quiet: bool) -> None:
    """List the images in bima's own store."""
    layout = store.default()
    index = sorted(layout.index.items())
    images = [BuiltImage(layout, descriptor, Reference.parse(name)) for name, descriptor in index]
    if quiet:
        rows = [[image.reference.familiar] for image in images]
    else:
        rows = [list(_COLUMNS), *(_row(layout, image) for image in images)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(map(str.ljust, row, widths)).rstrip())


def _row(layout: Layout, image: BuiltImage) -> list[str]:
    platform = layout.document(image.config_digest)
    annotations = image.manifest.get("annotations", {})
    size = sum(layout.blob_path(digest).stat().st_size for digest in layout.reachable(image.descriptor))
    return [
        image.reference.familiar,
        image.descriptor.digest[:19],
        f"{platform.get('os')}/{platform.get('architecture')}",
        annotations.get(contract.KEYS["type"], ""),
        annotations.get(contract.KEYS["hypervisor"], ""),
        _human(size),
    ]


def _human(size: int) -> str:
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size} {unit}"
        size //= 1024
    return f"{size} GiB"
