# SPDX-License-Identifier: Apache-2.0
"""The hooks that `create` keeps in the state for the verbs that come after it.

Their failure is logged, and the verb goes on: what they follow has happened already.
"""

from __future__ import annotations

from urunc import state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from urunc.bundle import Bundle, Hook
    from urunc.log import Log
    from urunc.state import State

_STAGES = ("poststart", "poststop")


def keep(bundle: Bundle) -> dict[str, list[dict[str, object]]]:
    """What goes into the state."""
    return {stage: [vars(hook) for hook in bundle.hooks.get(stage, ())] for stage in _STAGES}


def run(log: Log, found: State, stage: str, status: str) -> None:
    """Run one stage for a container that has this status now."""
    kept = found.hooks.get(stage, ())
    if not kept:
        return
    from urunc.host import hooks

    try:
        hooks.run(stage, _load(kept), state.document(found, status), found.bundle)
    except hooks.HookError as error:
        log.warning(error.sentence)


def _load(kept: Iterable[Mapping[str, Any]]) -> tuple[Hook, ...]:
    from urunc.bundle import Hook

    return tuple(
        Hook(
            hook["path"],
            tuple(hook["args"]),
            None if hook["env"] is None else tuple(hook["env"]),
            hook["timeout_s"],
        )
        for hook in kept
    )
