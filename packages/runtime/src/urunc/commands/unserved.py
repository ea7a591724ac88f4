# SPDX-License-Identifier: Apache-2.0
"""Verbs that a unikernel's container cannot follow: refused, or handed over for an ordinary container."""

from __future__ import annotations

from urunc import state
from urunc.errors import Unsupported, UsageError
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from urunc.cli import Context


class Options(Record):
    """The command line; `words` is what follows the verb, the container's id somewhere among it."""

    verb: str
    words: tuple[str, ...]


def run(context: Context, options: Options) -> NoReturn:
    """Hand over, or raise Unsupported."""
    for word in options.words:
        if _may_be_id(word):
            context.require_ours(word)
    raise Unsupported(f"{options.verb} is not served for the container of a unikernel")


def _may_be_id(word: str) -> bool:
    try:
        state.check_id(word)
    except UsageError:
        return False
    return not word.startswith("-")
