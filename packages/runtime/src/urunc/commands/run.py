# SPDX-License-Identifier: Apache-2.0
"""run: create, start and, unless detached, stay until the container ends.  For people, so it may import
freely.
"""

from __future__ import annotations

import os
import select
import socket
import tempfile
from typing import TYPE_CHECKING

from urunc import bundle as bundles
from urunc import state
from urunc.commands import create, delete, kill, start
from urunc.errors import NotRunning
from urunc.host import process
from urunc.inbox import Inbox
from urunc.terminal import Relay, copy_size, preserved_streams
from urunc_common.errors import Error

if TYPE_CHECKING:
    from collections.abc import Callable

    from urunc.cli import Context


class Options(create.Options):
    """The command line."""

    detach: bool = False
    keep: bool = False


def run(context: Context, options: Options) -> int:
    """Run a container; the status is the monitor's, or 0 when detached."""
    if options.detach:
        _launch(context, options)
        return 0
    bundle = bundles.load(create.absolute(options.bundle or "."))
    with preserved_streams(), Inbox() as inbox:
        if bundle.terminal and not options.console_socket:
            _run_on_terminal(context, options, inbox)
        else:
            _launch(context, options)
        return _wait(context, options, inbox)


def _launch(context: Context, options: Options, between: Callable[[], None] = lambda: None) -> None:
    create.run(context, options)
    try:
        between()
        start.run(context, start.Options(options.id))
    except Error:
        delete.run(context, delete.Options(options.id, force=True))
        raise


def _run_on_terminal(context: Context, options: Options, inbox: Inbox) -> None:
    with tempfile.TemporaryDirectory(prefix="urunc-") as directory:
        path = f"{directory}/console"
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(path)
        listener.listen(1)
        masters: list[int] = []
        _launch(context, options.replace(console_socket=path), lambda: masters.append(_receive(listener)))
        listener.close()
    with Relay(masters[0]) as relay:
        relay.run(inbox.read_end, lambda: _forward(context, options, inbox))


def _receive(listener: socket.socket) -> int:
    """The terminal's master, which has the size of ours from its beginning."""
    connection, _ = listener.accept()
    _, (master, *_), _, _ = socket.recv_fds(connection, 4096, 1)
    connection.close()
    if os.isatty(0):
        copy_size(master)
    return master


def _wait(context: Context, options: Options, inbox: Inbox) -> int:
    """Until the monitor ends, passing signals on as `kill` does; then its status."""
    pid = state.load(context.root, options.id).pid
    pidfd = os.pidfd_open(pid)
    while pidfd not in select.select([pidfd, inbox.read_end], [], [])[0]:
        _forward(context, options, inbox)
    os.close(pidfd)
    context.log.phase("over")
    _, wait_status = os.waitpid(pid, 0)
    if not options.keep:
        delete.run(context, delete.Options(options.id, force=True))
    return process.exit_status(wait_status)


def _forward(context: Context, options: Options, inbox: Inbox) -> None:
    for number in inbox.take():
        try:
            kill.run(context, kill.Options(options.id, str(number)))
        except NotRunning:
            return  # it ended by itself in this moment
