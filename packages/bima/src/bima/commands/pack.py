# SPDX-License-Identifier: Apache-2.0
"""`bima pack --kernel FILE …`"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bima import flags, making, request
from bima.context import Context
from bima.instruction import Line
from bima.package import Package, Place
from bima.packer import Packer
from bima.plan import finish
from urunc_common.rules import GUESTS, MONITORS

if TYPE_CHECKING:
    from bima.package import Root


@click.command("pack", context_settings={"allow_interspersed_args": False})
@click.option("-k", "--kernel", required=True, metavar="FILE", help="the unikernel, or the Linux kernel")
@click.option("--kernel-from", default="", metavar="IMAGE", help="the image that has the kernel's FILE")
@click.option(
    "--rootfs", "root", metavar="SOURCE", help="a directory, a tar, a Containerfile, an image; or a cpio, "
    "ext or erofs file as it is",
)  # fmt: skip
@flags.rootfs
@click.option("--initrd", metavar="FILE", help="what only boots a Linux guest, with modules for its root")
@click.option(
    "--type", "guest", required=True, type=click.Choice(GUESTS), help="what kind of unikernel it is"
)
@click.option("--monitor", required=True, type=click.Choice(MONITORS), help="what boots it")
@click.option("--version", default="", help="the version of the unikernel's kind")
@click.option("-e", "--env", multiple=True, metavar="NAME=VALUE", help="a variable")
@click.option("-l", "--label", "labels", multiple=True, metavar="NAME=VALUE", help="a label")
@click.option("--entrypoint", metavar="PROGRAM", help="what the arguments are given to")
@flags.making
@click.argument("cmd", nargs=-1, type=click.UNPROCESSED, metavar="[--] [ARGS]...")
def command(tag: str, cmd: tuple[str, ...], **values: Any) -> None:
    """Package a kernel, a root file system and ARGS as an image, and print its digest."""
    reference, targets = making.name(tag), making.targets(values)
    wanted = _package(values, cmd[1:] if cmd[:1] == ("--",) else cmd)
    with making.making(values) as made:
        staged = Packer(wanted, made, Context("/")).stage()
        making.deliver(made, finish(staged, made.platform, made.epoch), reference, targets)


def _package(values: dict[str, Any], cmd: tuple[str, ...]) -> Package:
    line = Line("bima pack", 0, "")
    image = values["kernel_from"]
    kernel = Place(line, values["kernel"] if image else os.path.abspath(values["kernel"]), image)
    return Package(
        values["guest"],
        values["monitor"],
        kernel,
        values["version"],
        root=_root(values, line),
        boot=Place(line, os.path.abspath(values["initrd"])) if values["initrd"] else None,
        entrypoint=(values["entrypoint"],) if values["entrypoint"] else None,
        cmd=cmd or None,
        env=request.variables(values["env"], os.environ),
        labels=dict(label.partition("=")[::2] for label in values["labels"]),
    )


def _root(values: dict[str, Any], line: Line) -> Root | None:
    source = values["root"]
    if not source:
        return None
    local = Path(source).exists()
    place = Place(line, os.path.abspath(source)) if local else Place(line, image=source)
    return flags.root(values, place)
