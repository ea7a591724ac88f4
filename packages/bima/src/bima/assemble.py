# SPDX-License-Identifier: Apache-2.0
"""Fills the directory of a container: the image's files, its network, config.json."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from bima import bundle, user
from bima.bundle import NetworkNamespace, Program, UserNetwork
from bima.container import BRIDGE, NONE, USER, Facts
from bima.errors import NetworkUnavailable
from bima.unpack import unpack

if TYPE_CHECKING:
    from bima.container import Container
    from bima.layout import BuiltImage
    from bima.request import Request

_TUN = "/dev/net/tun"


def assemble(container: Container, request: Request, image: BuiltImage) -> None:
    """Make the bundle, ready to run; what is half made is the caller's to discard."""
    container.rootfs.mkdir()
    staged = unpack(image, container.rootfs)
    config = image.layout.document(image.config_digest)
    program = Program(
        bundle.program_args(config, request.words),
        bundle.environment(config, request.env),
        volumes=request.volumes,
        cwd=staged.config.working_dir or "/",
        user=user.find(staged.tree, staged.config.user) if staged.config.user else (0, 0),
        terminal=request.terminal,
        memory_limit=request.memory_limit,
    )
    network = _connect(container, request, _facts(request, image))
    owner = None if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    container.config.write_text(json.dumps(bundle.document(container.name, program, network, owner)))


def _facts(request: Request, image: BuiltImage) -> Facts:
    return Facts(
        image=image.reference.familiar,
        created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        network=request.network or (USER if os.geteuid() else BRIDGE),
        ports=tuple(map(str, request.ports)),
        keep=request.detach and not request.remove,
    )


def _connect(container: Container, request: Request, facts: Facts) -> NetworkNamespace | UserNetwork:
    """The network that was asked for; if none was, a bridge, or QEMU's own where that is not allowed.

    It is not to ordinary users.
    """
    # First, so that whoever finds a half made container knows that it may have a network.
    container.save(facts)
    if facts.network == NONE:
        return NetworkNamespace()
    if facts.network == BRIDGE:
        try:
            return _plug(container, request)
        except NetworkUnavailable as error:
            if request.network == BRIDGE:
                raise
            click.echo(f"bima: using QEMU's user-mode network: {error.sentence}", err=True)
        container.save(replace(facts, network=USER))
    return UserNetwork(request.ports)


def _plug(container: Container, request: Request) -> NetworkNamespace:
    from bima import network  # which takes a while to load

    try:
        os.close(os.open(_TUN, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        raise NetworkUnavailable(f"{_TUN}: {(error.strerror or '').lower()}") from error
    return NetworkNamespace(network.connect(container.name, request.ports).path)
