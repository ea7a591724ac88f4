# SPDX-License-Identifier: Apache-2.0
"""`hooks` of config.json.  Pure."""

from __future__ import annotations

from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.table import Table

HOOK_STAGES = (
    "prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop",
)  # fmt: skip


class Hook(Record):
    """A program of the engine's; `env` is None where it inherits the runtime's."""

    path: str
    args: tuple[str, ...]
    env: tuple[str, ...] | None = None
    timeout_s: int | None = None


def hooks(found: Table) -> dict[str, tuple[Hook, ...]]:
    """Those of each stage, in their order."""
    return {stage: tuple(map(_hook, found.tables(stage))) for stage in HOOK_STAGES if found.has(stage)}


def _hook(entry: Table) -> Hook:
    path = entry.text("path")
    if not path.startswith("/"):
        raise entry.error("path", f"is {path!r}, which is not absolute")
    timeout_s = entry.number("timeout")
    if timeout_s is not None and timeout_s <= 0:
        raise entry.error("timeout", "must be greater than zero")
    return Hook(
        path, entry.texts("args") or (path,), entry.texts("env") if entry.has("env") else None, timeout_s
    )
