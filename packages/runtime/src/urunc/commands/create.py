# SPDX-License-Identifier: Apache-2.0
"""create: check what is asked for, then make the container."""

from __future__ import annotations

import posix

from urunc import bundle as bundles
from urunc import capabilities, isolation, network_mode, prepare, state, unikernel
from urunc import line as lines
from urunc.creation import Creation
from urunc.errors import BundleError, NotAUnikernel
from urunc.host import name_servers, namespaces
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.bundle import Bundle
    from urunc.cli import Context
    from urunc.log import Log
    from urunc.prepare import Prepared


_NO_NETWORK = (
    "the container is in the host's network namespace, so the guest has no network; "
    "on qemu the annotation run.urunc.network=user gives it the monitor's own"
)


class Options(Record):
    """The command line."""

    id: str
    bundle: str = ""
    pid_file: str = ""
    console_socket: str = ""
    no_pivot: bool = False
    no_new_keyring: bool = False
    preserve_fds: str = ""


def run(context: Context, options: Options) -> int:
    """Make a container; it waits for `start`."""
    state.check_id(options.id)
    try:
        prepared = _prepare(context, options)
    except NotAUnikernel:
        context.delegate()
    own_network = namespaces.has_own_network(prepared.bundle.namespaces)
    line = lines.describe(prepared.bundle, prepared.config, is_hosts=not own_network)
    if line.mode == network_mode.HOST:
        context.log.warning(_NO_NETWORK)
    _require_console_socket(prepared.bundle, options)
    context.log.phase("plan")
    Creation(context, options, prepared, line).run()
    return 0


def _prepare(context: Context, options: Options) -> Prepared:
    path = absolute(options.bundle or ".")
    bundle = bundles.load(path)
    context.log.phase("bundle")
    found = unikernel.read(context.settings, bundle)
    context.log.phase("image")
    bundle = _check(bundle)
    _report(context.log, bundle)
    bundle = name_servers.adapt(bundle)
    prepared = prepare.prepare(context.settings, bundle, found)
    context.log.debug(f"root: {prepared.boot.choice.reason}")
    if prepared.warning:
        context.log.warning(prepared.warning)
    for decision in prepared.boot.volumes:
        if decision.notice:
            context.log.info(decision.notice)
    return prepared


def _check(bundle: Bundle) -> Bundle:
    """With the ids of a user namespace that is joined.  Raises Error for what cannot be."""
    namespaces.check(bundle.namespaces)
    if posix.geteuid():
        from urunc.host import own_users

        bundle = own_users.adapt(bundle)
    if bundle.namespace("user"):
        from urunc.host import users

        bundle = users.adapt(bundle)
    isolation.check(bundle, own_network=namespaces.has_own_network(bundle.namespaces))
    return bundle


def _report(log: Log, bundle: Bundle) -> None:
    """What is asked for and has no effect."""
    for name in capabilities.unknown(bundle.capabilities):
        log.warning(f"process.capabilities: {name} is not known, so it has no effect")
    for key in bundle.unknown:
        log.warning(f"config.json: {key} is not known, so it has no effect")
    for notice in bundle.others.notices:
        log.info(notice)
    for remark in bundle.others.remarks:
        log.debug(remark)
    if bundle.properties.apparmor or bundle.properties.selinux or bundle.isolation.mount_label:
        from urunc.host import labels

        labels.require(bundle)


def _require_console_socket(bundle: Bundle, options: Options) -> None:
    if bundle.terminal and not options.console_socket:
        raise BundleError("the container wants a terminal, but there is no --console-socket to send it to")
    if options.console_socket and not bundle.terminal:
        raise BundleError(
            "there is a --console-socket, but the container wants no terminal", hint="set process.terminal"
        )


def absolute(path: str) -> str:
    """The path from the root, without `.` and `..`."""
    whole = path if path.startswith("/") else f"{posix.getcwd()}/{path}"
    parts: list[str] = []
    for part in whole.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)
