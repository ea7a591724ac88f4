# SPDX-License-Identifier: Apache-2.0
"""`-o containerd`: containerd's own store, through its client `ctr`."""

from __future__ import annotations

import shutil
import socket
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from bima.errors import OutputError
from bima.outputs import pipe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bima.layout import BuiltImage
    from bima.outputs import Options

SOCKET = "/run/containerd/containerd.sock"
CONNECT_S = 2


def deliver(image: BuiltImage, destination: str, options: Options) -> None:
    """Import and unpack the image, also one for another machine's architecture."""
    del destination
    if shutil.which("ctr") is None:
        raise OutputError("ctr is not installed", hint="it comes with containerd")
    _require_answer(options.address or SOCKET)
    name = str(image.reference)
    with _withdrawing(name, options), pipe.reading(image) as archive:
        done = _ctr(options, "images", "import", *_choices(image, options), "-", stdin=archive)
        if done.returncode != 0:
            said = (done.stderr.strip() or done.stdout.strip()).removeprefix("ctr: ")
            raise OutputError(f"containerd does not take {name}: {said}")


@contextmanager
def _withdrawing(name: str, options: Options) -> Iterator[None]:
    """Remove a new image after a failure: containerd keeps the name of one that it could not unpack."""
    known = _ctr(options, "images", "ls", "--quiet", f"name=={name}").stdout
    try:
        yield
    except BaseException:
        if not known:
            _ctr(options, "images", "rm", name)
        raise


def _choices(image: BuiltImage, options: Options) -> list[str]:
    """Without the platform, ctr would take what is for this machine, and fail to unpack anything else."""
    config = image.layout.document(image.config_digest)
    platform = "/".join(filter(None, (config.get(key) for key in ("os", "architecture", "variant"))))
    snapshotter = ["--snapshotter", options.snapshotter] if options.snapshotter else []
    return ["--platform", platform, *snapshotter]


def _ctr(
    options: Options, *arguments: str, stdin: BinaryIO | int = subprocess.DEVNULL
) -> subprocess.CompletedProcess[str]:
    """Run ctr; $CONTAINERD_NAMESPACE is known to it as well."""
    where = ["--address", options.address or SOCKET]
    if options.namespace:
        where += ["--namespace", options.namespace]
    return subprocess.run(
        ["ctr", *where, *arguments], stdin=stdin, capture_output=True, text=True, check=False
    )


def _require_answer(address: str) -> None:
    """ctr itself would wait for a socket that is not there."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(CONNECT_S)
        try:
            probe.connect(address.removeprefix("unix://"))
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            hint = "is it running? --address says where"
            raise OutputError(f"containerd cannot be reached at {address}: {why}", hint=hint) from error
