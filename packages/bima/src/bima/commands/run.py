# SPDX-License-Identifier: Apache-2.0
"""`bima run NAME [ARGS…]`"""

from __future__ import annotations

import os
from typing import Any

import click

from bima import request, run, volume
from bima.container import NETWORKS
from bima.request import Request


@click.command("run", context_settings={"allow_interspersed_args": False})
@click.option(
    "-p", "--publish", "ports", multiple=True, metavar="[IP:]HOST:GUEST[/udp]", help="publish a port"
)
@click.option("-e", "--env", multiple=True, metavar="NAME[=VALUE]", help="set a variable, or pass on our own")
@click.option(
    "-v", "--volume", "volumes", multiple=True, metavar="HOST:GUEST[:ro]", help="show the guest a directory"
)
@click.option("-m", "--memory", metavar="SIZE", help="limit of guest and monitor together, like 256m or 1g")
@click.option("--name", default="", help="the container's name  [default: made of the image's]")
@click.option(
    "--network", type=click.Choice(NETWORKS), default=None, help="a bridge of bima's own, QEMU's user-mode "
    "network, or none  [default: bridge, or user where that is not allowed]",
)  # fmt: skip
@click.option("-i", "--interactive", is_flag=True, help="pass our standard input to the guest")
@click.option("-t", "--tty", "terminal", is_flag=True, help="give it a terminal")
@click.option("-d", "--detach", is_flag=True, help="run in the background, and print the container's name")
@click.option(
    "--rm", "remove", is_flag=True, help="with -d, remove log and status as well; else it is always so"
)
@click.argument("image", metavar="NAME")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[--] [ARGS]...")
def command(image: str, words: tuple[str, ...], **values: Any) -> int:
    """Boot the unikernel of the image NAME; ARGS replace its CMD, not its ENTRYPOINT.

    The status is the guest's.
    """
    return run.run(
        Request(
            image,
            words[1:] if words[:1] == ("--",) else words,
            name=values["name"],
            ports=request.ports(values["ports"]),
            env=request.variables(values["env"], os.environ),
            volumes=tuple(map(volume.parse, values["volumes"])),
            memory_limit=request.memory(values["memory"]) if values["memory"] else None,
            network=values["network"] or "",
            interactive=values["interactive"],
            terminal=values["terminal"],
            detach=values["detach"],
            remove=values["remove"],
        )
    )
