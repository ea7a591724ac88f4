# SPDX-License-Identifier: Apache-2.0
"""run: create, start and, unless detached, stay until the container ends.  For people, so it may import
freely.
"""

from __future__ import annotations

import os
import signal
import socket
import tempfile
from typing import TYPE_CHECKING

from urunc import bundle as bundles
from urunc import state
from urunc.commands import create, delete, kill, start
from urunc.errors import NotRunning
from urunc.host import process
from urunc.terminal import Relay, preserved_streams
from urunc_common.errors import Error

if TYPE_CHECKING:
    from urunc.cli import Context

_FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)


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
    with preserved_streams():
        if bundle.terminal and not options.console_socket:
            return _run_on_terminal(context, options)
        _launch(context, options)
        return _wait(context, options)


def _launch(context: Context, options: Options) -> None:
    create.run(context, options)
    try:
        start.run(context, start.Options(options.id))
    except Error:
        delete.run(context, delete.Options(options.id, force=True))
        raise


def _run_on_terminal(context: Context, options: Options) -> int:
    with tempfile.TemporaryDirectory(prefix="urunc-") as directory:
        path = f"{directory}/console"
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(path)
        listener.listen(1)
        _launch(context, options.replace(console_socket=path))
        connection, _ = listener.accept()
        _, descriptors, _, _ = socket.recv_fds(connection, 4096, 1)
        connection.close()
        listener.close()
    with Relay(descriptors[0]) as relay:
        relay.run()
    return _wait(context, options)


def _wait(context: Context, options: Options) -> int:
    """Until the monitor ends, passing signals on as `kill` does; then its status."""
    pid = state.load(context.root, options.id).pid

    def forward(number: int, _frame: object) -> None:
        try:
            kill.run(context, kill.Options(options.id, str(number)))
        except NotRunning:
            return  # it ended by itself in this moment

    for number in _FORWARDED:
        signal.signal(number, forward)
    _, wait_status = os.waitpid(pid, 0)
    if not options.keep:
        delete.run(context, delete.Options(options.id, force=True))
    return process.exit_status(wait_status)
