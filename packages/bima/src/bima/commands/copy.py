# SPDX-License-Identifier: Apache-2.0
"""`bima copy SOURCE DESTINATION`"""

from __future__ import annotations

from typing import Any

import click

from bima import flags, outputs, results, sources, store
from bima.choice import Choice
from bima.errors import UsageError
from bima.layout import BuiltImage
from bima.outputs import Output
from bima.reference import Reference
from bima.sources import Request


@click.command("copy")
@click.option("-t", "--tag", default="", metavar="NAME", help="the image's new name  [default: the old one]")
@click.option(
    "--platform", default="", metavar="OS/ARCH", help="which image of an index  [default: this machine's]"
)
@flags.containerd
@flags.registry
@flags.results
@flags.quiet
@click.argument("source")
@click.argument("destination")
def command(source: str, destination: str, tag: str, platform: str, **values: Any) -> None:
    """Bring an image from SOURCE to DESTINATION as it is, and print its digest.

    SOURCE is a NAME, registry:NAME, oci:DIR[:TAG], oci-archive:FILE, docker-archive:FILE or
    docker-daemon:NAME; DESTINATION is what bima build has for --output, or a NAME in a registry.
    """
    target, name = _target(destination, tag)
    report = flags.reporter(quiet=values["quiet"])
    request = Request(Choice(platform), flags.options(values), report=report)
    with store.draft(store.default()) as draft:
        found = sources.fetch(sources.parse(source), request, draft)
        image = BuiltImage(draft, found.descriptor, _reference(name or found.name, source))
        report(f"to {target}")
        outputs.load(target.name)(image, target.destination, request.options)
        results.write(image, [target], values)


def _target(destination: str, tag: str) -> tuple[Output, str]:
    """An output, or a name, which means the registry in it."""
    if destination.partition(":")[0] in outputs.OUTPUTS:
        return outputs.parse(destination), tag
    if tag:
        raise UsageError(f"the image is called {destination}, or {tag}?", hint="leave --tag out")
    return Output("registry"), destination


def _reference(name: str, source: str) -> Reference:
    if not name:
        raise UsageError(f"the image of {source} has no name", hint="give it one with --tag")
    return Reference.parse(name)
