# SPDX-License-Identifier: Apache-2.0
"""One more program for a container: what `exec` is asked for, as a value."""

from __future__ import annotations

from urunc import jsontext
from urunc.bundle import process as processes
from urunc.errors import BundleError, UsageError
from urunc.machine import App
from urunc.table import Table, is_identity
from urunc_common import guest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from urunc.bundle import Bundle

_DIGITS = 10


def from_text(text: str, file: str) -> App:
    """Pure: the `process` object of the specification.  Raises BundleError."""
    try:
        raw = jsontext.parse(text)
    except ValueError as error:
        raise BundleError(f"{file} is not valid JSON: {error}") from error
    if not isinstance(raw, dict):
        raise BundleError(f"{file} is not a JSON object")
    return _app(Table(raw, "", file))


def from_options(
    bundle: Bundle,
    args: Sequence[str],
    *,
    env: Sequence[str] = (),
    cwd: str = "",
    user: str = "",
    groups: Sequence[str] = (),
    terminal: bool = False,
) -> App:
    """Pure: like the container's own program, but for what the options say.  Raises UsageError."""
    own = bundle.user
    uid, gid = _parse_user(user) if user else (own.uid, own.gid)
    return App(
        tuple(args),
        (*bundle.env, *env),
        cwd=cwd or bundle.cwd,
        uid=uid,
        gid=gid,
        groups=(*own.groups, *(_number(group, "--additional-gids") for group in groups)),
        umask=own.umask,
        rlimits=bundle.properties.rlimits,
        terminal=(0, 0) if terminal else None,
    )


def render(app: App) -> bytes:
    """What the guest's first process is told."""
    limits = tuple(guest.Rlimit(*limit) for limit in app.rlimits)
    umask = 0o022 if app.umask is None else app.umask
    return guest.render_program(
        guest.GuestConfig(app.args, app.env, app.cwd, app.uid, app.gid, app.groups, umask, limits)
    )


def _app(process: Table) -> App:
    user = processes.user(process.table("user"))
    size = process.table("consoleSize")
    if not process.texts("args"):
        raise process.error("args", "is missing")
    return App(
        process.texts("args"),
        process.texts("env"),
        cwd=process.text("cwd", "/"),
        uid=user.uid,
        gid=user.gid,
        groups=user.groups,
        umask=user.umask,
        rlimits=processes.properties(process).rlimits,
        terminal=(size.size("height"), size.size("width")) if process.flag("terminal") else None,
    )


def _parse_user(text: str) -> tuple[int, int]:
    uid, _, gid = text.partition(":")
    return _number(uid, "--user"), _number(gid or "0", "--user")


def _number(text: str, option: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= _DIGITS and is_identity(int(text))):
        raise UsageError(f"{option} {text} is not a number", hint="use ids, as UID[:GID]")
    return int(text)
