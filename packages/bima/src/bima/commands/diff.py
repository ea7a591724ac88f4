# SPDX-License-Identifier: Apache-2.0
"""`bima diff OLD NEW`"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bima import flags, listing, viewing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bima.staged import Staged


@click.command("diff")
@click.option("--platform", default="", metavar="OS/ARCH", help="which image of an index")
@flags.registry
@click.argument("old")
@click.argument("new")
def command(old: str, new: str, platform: str, **values: Any) -> int:
    """Tell how the files and settings of two images differ; the status is 1 if they do.

    OLD and NEW are what bima copy takes. A line begins with + for what is new, - for what is gone, and ~ for
    what has changed.
    """
    options = flags.options(values)
    with viewing.opened(old, platform, options) as one, viewing.opened(new, platform, options) as other:
        lines = [*_settings(one, other), *_files(one, other)]
    for each in lines:
        click.echo(each)
    return 1 if lines else 0


def _settings(old: Staged, new: Staged) -> Iterator[str]:
    before, after = vars(old.config), vars(new.config)
    for name in before:
        if before[name] != after[name] and name != "created":
            yield f"~ {name}: {before[name]!r} {after[name]!r}"


def _files(old: Staged, new: Staged) -> Iterator[str]:
    before, after = old.tree.entries, new.tree.entries
    for path in sorted({*before, *after} - {""}):
        name = f"/{listing.shown(path)}"
        if path not in after:
            yield f"- {name}"
        elif path not in before:
            yield f"+ {name}"
        elif how := listing.difference(before[path], after[path]):
            yield f"~ {name}: {how}"
