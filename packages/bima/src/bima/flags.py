# SPDX-License-Identifier: Apache-2.0
"""Command line options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from bima import request
from bima.builders import BUILDERS
from bima.outputs import OUTPUTS, Options
from bima.package import ROOT_KINDS, Root
from bima.rootfs import COMPRESSIONS

if TYPE_CHECKING:
    from bima.package import Place

Command = Callable[..., Any]


def containerd(command: Command) -> Command:
    """Where containerd is; the variables are those of its own tools."""
    for option in (
        click.option(
            "--snapshotter", envvar="CONTAINERD_SNAPSHOTTER", default="", help="unpack with this one"
        ),
        click.option("-a", "--address", envvar="CONTAINERD_ADDRESS", default="", help="containerd's socket"),
        click.option("-n", "--namespace", envvar="CONTAINERD_NAMESPACE", default="", help="its namespace"),
    ):
        command = option(command)
    return command


def registry(command: Command) -> Command:
    """How to talk to a registry."""
    for option in (
        click.option(
            "--tls-verify/--no-tls-verify", "verify_tls", default=True, help="check the certificate"
        ),
        click.option("--ca-file", default="", metavar="FILE", help="trust these certificates as well"),
        click.option("--plain-http", is_flag=True, help="talk to the registry without TLS"),
    ):
        command = option(command)
    return command


def source(command: Command) -> Command:
    """An image of any place."""
    platform = click.option(
        "--platform", default="", metavar="OS/ARCH", help="which image of an index  [default: this machine's]"
    )
    return platform(registry(click.argument("source")(command)))


def quiet(command: Command) -> Command:
    """Print nothing but the result."""
    return click.option("-q", "--quiet", is_flag=True, help="no progress, only the result")(command)


def making(command: Command) -> Command:
    """What all commands that make images take."""
    for option in (
        quiet,
        results,
        registry,
        containerd,
        click.option(
            "--builder", type=click.Choice(BUILDERS), help="what does RUN  [default: what is installed]"
        ),
        click.option("--pull", is_flag=True, help="ask the registry for base images that the store has"),
        click.option(
            "--platform", metavar="linux/ARCH", help="instead of the kernel file's own architecture"
        ),
        click.option("--tar", is_flag=True, help="the same as -o tar: an archive called like the image"),
        click.option("--push", is_flag=True, help="the same as -o registry"),
        click.option(
            "-o", "--output", "targets", multiple=True, metavar="OUTPUT",
            help=f"{', '.join(OUTPUTS)}; several are possible  [default: store]",
        ),
        click.option("-t", "--tag", required=True, metavar="NAME", help="the image's name"),
    ):  # fmt: skip
        command = option(command)
    return command


def rootfs(command: Command) -> Command:
    """How a root file system is made."""
    for option in (
        click.option(
            "--rootfs-compression", type=click.Choice(COMPRESSIONS), default="none", help="of an initrd"
        ),
        click.option("--rootfs-size", metavar="SIZE", help="of a disk image, like 64m  [default: as needed]"),
        click.option(
            "--rootfs-type", type=click.Choice(ROOT_KINDS), help="[default: raw; initrd for unikraft]"
        ),
    ):
        command = option(command)
    return command


def root(values: dict[str, Any], place: Place) -> Root:
    """The root file system that these options make of what is at the place."""
    size = request.memory(values["rootfs_size"]) if values["rootfs_size"] else 0
    return Root(place.line, values["rootfs_type"] or "", place, (), size, values["rootfs_compression"])


def results(command: Command) -> Command:
    """What a program may want to know afterwards."""
    for option in (
        click.option(
            "--format", type=click.Choice(["digest", "json"]), default="digest", help="what is printed"
        ),
        click.option("--metadata-file", metavar="FILE", help="write what the image is, as JSON"),
        click.option("--digestfile", metavar="FILE", help="write the digest of the image"),
        click.option("--iidfile", metavar="FILE", help="write what the destination calls the image"),
    ):
        command = option(command)
    return command


def options(values: dict[str, Any]) -> Options:
    """The options among a command's values."""
    return Options(**{name: values[name] for name in Options.__dataclass_fields__ if name in values})


def reporter(*, quiet: bool) -> Callable[[str], None]:
    """Where progress goes: to stderr, or nowhere."""
    return (lambda _line: None) if quiet else (lambda line: click.echo(line, err=True))
