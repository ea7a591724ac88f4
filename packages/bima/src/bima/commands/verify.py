# SPDX-License-Identifier: Apache-2.0
"""`bima verify SOURCE`"""

from __future__ import annotations

from typing import Any

import click

from bima import compatibility, findings, flags, viewing
from bima.compatibility import ENGINES, VERSIONS, Said
from bima.errors import UsageError


@click.command("verify")
@click.option(
    "--as", "versions", default="0.7,0.8", metavar="VERSION,…", show_default=True, help="of other runtimes"
)
@flags.source
def command(source: str, platform: str, versions: str, **values: Any) -> int:
    """Tell what other versions of urunc make of an image; the status is 1 if one does not boot it.

    SOURCE is what bima copy takes. Versions are 0.6, 0.7 and 0.8.
    """
    wanted = versions.split(",")
    if unknown := [each for each in wanted if each not in VERSIONS]:
        raise UsageError(f"version {unknown[0]!r} is not known here", hint=f"known are {', '.join(VERSIONS)}")
    with viewing.subject(source, platform, flags.options(values)) as subject:
        said = Said(subject.annotations, subject.config.labels, findings.stored(subject.tree))
    found = [compatibility.judge(said, version, engine) for version in wanted for engine in ENGINES]
    for each in found:
        click.echo(each)
    return 0 if all(each.boots for each in found) else 1
