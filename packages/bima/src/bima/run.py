# SPDX-License-Identifier: Apache-2.0
"""`bima run`: an image becomes a bundle, the bundle a container; in the end nothing is left of either."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from bima import background, ending, foreground, runtime, signals, store
from bima import container as containers
from bima.assemble import assemble
from bima.container import BRIDGE, NONE
from bima.errors import ContainerError, UsageError
from urunc_common import config as contract
from urunc_common.rules import exit_status

if TYPE_CHECKING:
    from bima.container import Container
    from bima.layout import BuiltImage
    from bima.request import Request
    from bima.runtime import Runtime


def run(request: Request) -> int:
    """Run a container; returns the guest's status, or 0 once it runs in the background."""
    _check(request)
    image = store.find(store.default(), request.image)
    urunc = runtime.find()
    signals.interrupt()
    with ExitStack() as stack:
        container = _make(request.name or _name(image), urunc, stack)
        assemble(container, request, image)
        if request.detach:
            background.start(container, urunc, lambda code: _finish(container, urunc, image, code))
            stack.pop_all()  # from now on, the process in the background looks after the container
            click.echo(container.name)
            return 0
        code = foreground.run(container, urunc, interactive=request.interactive, terminal=request.terminal)
    return _decoded(image, code)


def _check(request: Request) -> None:
    """Refuse what cannot be together."""
    if request.detach and (request.terminal or request.interactive):
        raise UsageError("a container in the background has neither terminal nor input", hint="leave out -it")
    if request.network == BRIDGE and os.geteuid():
        raise ContainerError("only root can connect a container to a bridge", hint="use --network user")
    if request.network == NONE and request.ports:
        raise UsageError("a container without a network cannot publish ports", hint="leave out -p")


def _name(image: BuiltImage) -> str:
    return f"{image.reference.repository.rpartition('/')[2][:90]}-{os.urandom(3).hex()}"


def _make(name: str, urunc: Runtime, stack: ExitStack) -> Container:
    """An empty container, of which nothing is left when the stack ends."""

    def discard() -> None:
        with signals.held():
            ending.discard(container, urunc)

    with containers.one_at_a_time():
        ending.remove_stale(urunc)
        container, lock = containers.make(name)
        stack.callback(os.close, lock)
        stack.callback(discard)
    return container


def _finish(container: Container, urunc: Runtime, image: BuiltImage, code: int) -> None:
    ending.finish(container, urunc, str(_decoded(image, code)))


def _decoded(image: BuiltImage, code: int) -> int:
    """The guest's status out of its monitor's, or what a shell says of a program that was killed."""
    if code < 0:
        return 128 - code
    unikernel = contract.from_annotations(image.manifest.get("annotations", {}))
    architecture = image.layout.document(image.config_digest).get("architecture", "")
    return exit_status(unikernel.type, unikernel.hypervisor, code, architecture)
