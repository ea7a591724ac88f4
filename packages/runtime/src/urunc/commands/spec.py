# SPDX-License-Identifier: Apache-2.0
"""spec: an example config.json, to be run with a root file system that has a urunc.json; or what would become
of one that is there.
"""

from __future__ import annotations

import json
import os
import shlex
import sys

from urunc import bundle as bundles
from urunc import line as lines
from urunc import network_mode, prepare, unikernel
from urunc.errors import HostError, NotAUnikernel, UsageError
from urunc.host import namespaces
from urunc.machine import Streams
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from urunc.bundle import Bundle, Namespace
    from urunc.cli import Context
    from urunc.line import Line
    from urunc.prepare import Prepared

_SHOWN = Streams(3, 4)


class Options(Record):
    """The command line."""

    bundle: str = ""
    explain: bool = False


def run(context: Context, options: Options) -> int:
    """Write config.json into the bundle; an existing one is not touched, but can be explained."""
    if options.explain:
        sys.stdout.write("".join(f"{line}\n" for line in explain(context, options.bundle or ".")))
        sys.stdout.flush()
        return 0
    path = os.path.join(options.bundle or ".", "config.json")
    try:
        with open(path, "x", encoding="utf-8") as file:
            json.dump(example(), file, indent=2)
            file.write("\n")
    except FileExistsError:
        raise UsageError(f"{path} exists already", hint="remove it first") from None
    except OSError as error:
        raise HostError(f"write {path}", error) from error
    return 0


def explain(context: Context, path: str) -> Iterator[str]:
    """Line by line what would be done with a bundle.  Raises what `create` would raise."""
    bundle = bundles.load(os.path.abspath(path))
    try:
        found = unikernel.read(context.settings, bundle)
    except NotAUnikernel:
        yield f"an ordinary container, for {context.settings.delegate}"
        return
    prepared = prepare.prepare(context.settings, bundle, found)
    choice, host = prepared.boot.choice, prepared.host
    yield f"guest: {prepared.config.type} on {prepared.config.hypervisor} ({host.arch}, {host.accel})"
    yield f"root: {choice.reason}"
    for decision in prepared.boot.volumes:
        how = decision.reason if decision.volume else f"not at all: {decision.reason}"
        yield f"volume {decision.bind.source} at {decision.bind.destination}: {how}"
    yield f"network: {_network(_line(bundle, prepared), bundle.namespace('network'))}"
    yield f"memory: {host.memory_mib} MiB; processors: {host.vcpus}"
    yield f"monitor{_monitor(prepared)}"


def _line(bundle: Bundle, prepared: Prepared) -> Line:
    namespaces.check(bundle.namespaces)
    is_hosts = not namespaces.has_own_network(bundle.namespaces)
    return lines.describe(bundle, prepared.config, is_hosts=is_hosts)


def _network(line: Line, namespace: Namespace | None) -> str:
    """The mode, and what it means for this container."""
    if line.mode == network_mode.HOST:
        return "none, since the container is in the host's network namespace"
    if line.mode == network_mode.USER:
        return "user, which is the monitor's own"
    where = namespace.path if namespace and namespace.path else "a new namespace"
    if line.mode == network_mode.OWN:
        return f"own, all interfaces of {where} that have an address"
    return f"{line.mode}, a private link in {where}, with {_ports(line)}"


def _ports(line: Line) -> str:
    if line.ports is None:
        shared = line.mode == network_mode.SHARED
        return "those ports that no container listens at" if shared else "no declared ports"
    return f"the declared ports {', '.join(map(str, line.ports))}" if line.ports else "no declared ports"


def _monitor(prepared: Prepared) -> str:
    """The command line as a shell takes it: with these numbers for the container's output and errors."""
    networks = prepared.bundle.user_networks
    plan = prepared.plan(networks, _SHOWN)
    without = "" if networks else ", without a network"
    numbers = f", with {_SHOWN.stdout}>&1 {_SHOWN.stderr}>&2" if plan.fds else ""
    return f"{without}{numbers}: {shlex.join([prepared.monitor, *plan.argv[1:]])}"


def example() -> dict[str, Any]:
    """A bundle's config.json, as small as it can be."""
    return {
        "ociVersion": "1.2.0",
        "process": {"cwd": "/", "args": ["hello"], "env": [], "user": {"uid": 0, "gid": 0}},
        "root": {"path": "rootfs", "readonly": True},
        "hostname": "urunc",
        "linux": {"namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount", "network")]},
    }
