# SPDX-License-Identifier: Apache-2.0
"""`bima lint SOURCE`"""

from __future__ import annotations

from typing import Any

import click

from bima import findings, flags, viewing


@click.command("lint")
@flags.source
def command(source: str, platform: str, **values: Any) -> int:
    """Tell what is likely wrong with an image, and what to write instead; the status is 1 if anything is.

    SOURCE is what bima copy takes.
    """
    with viewing.subject(source, platform, flags.options(values)) as subject:
        found = findings.find(subject)
    for each in found:
        click.echo(each)
    return 1 if found else 0
