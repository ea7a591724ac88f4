# SPDX-License-Identifier: Apache-2.0
"""`bima convert SOURCE`"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bima import flags, making
from bima.choice import Choice
from bima.context import Context
from bima.errors import UsageError
from bima.instruction import Line
from bima.kraftfile import INITRD, KERNEL
from bima.package import Package, Place, Root
from bima.packer import Packer
from bima.plan import finish
from urunc_common.rules import MONITORS

if TYPE_CHECKING:
    from bima.making import Making

_LINE = Line("bima convert", 0, "")


@click.command("convert")
@click.option(
    "-k", "--kernel", default="", metavar="FILE", help="a Linux kernel  [default: the runtime's own]"
)
@click.option("--kernel-from", default="", metavar="IMAGE", help="the image that has the kernel's FILE")
@click.option("--initrd", default="", metavar="FILE", help="its modules  [default: the runtime's own]")
@click.option(
    "--monitor", type=click.Choice(MONITORS), default="qemu", show_default=True, help="what boots it"
)
@flags.rootfs
@flags.making
@click.argument("source")
def command(tag: str, source: str, **values: Any) -> None:
    """Make an image that boots of SOURCE, and print its digest.

    An ordinary image becomes a Linux guest: its files are the root, its command is what is run. An image of
    Unikraft's catalog keeps its kernel. SOURCE is what bima copy takes.
    """
    reference, targets = making.name(tag), making.targets(values)
    with making.making(values) as made:
        packer = Packer(_package(made, source, values), made, Context("/"))
        making.deliver(made, finish(packer.stage(), made.platform, made.epoch), reference, targets)


def _package(made: Making, source: str, values: dict[str, Any]) -> Package:
    choice = Choice(str(made.platform or ""), values["monitor"])
    if made.bases().load(source, choice).tree.find(KERNEL):
        root = Root(_LINE, values["rootfs_type"] or "initrd", Place(_LINE, INITRD, source), optional=True)
        return Package("unikraft", values["monitor"], Place(_LINE, KERNEL, source), root=root)
    kernel, initrd = values["kernel"], values["initrd"]
    if not kernel:
        kernel, initrd = _usual()
    return Package(
        "linux",
        values["monitor"],
        Place(_LINE, kernel if values["kernel_from"] else os.path.abspath(kernel), values["kernel_from"]),
        root=flags.root(values, Place(_LINE, image=source)),
        boot=Place(_LINE, os.path.abspath(initrd)) if initrd else None,
    )


def _usual() -> tuple[str, str]:
    """The kernel and the initrd with which the runtime boots images that bring none."""
    path = Path(os.environ.get("URUNC_CONFIG_FILE") or "/etc/urunc/config.toml")
    try:
        usual = tomllib.loads(path.read_text()).get("default", {})
    except FileNotFoundError:
        usual = {}
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    if not usual.get("kernel"):
        raise UsageError(
            "there is no kernel for this image",
            hint=f"name one with --kernel, or in {path} as default.kernel",
        )
    return str(usual["kernel"]), str(usual.get("initrd", ""))
