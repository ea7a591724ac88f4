# SPDX-License-Identifier: Apache-2.0
"""state: print what is true of a container."""

from __future__ import annotations

import posix

from urunc import jsontext, state
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.cli import Context


class Options(Record):
    """The command line."""

    id: str


def run(context: Context, options: Options) -> int:
    """Print the state document of the specification."""
    context.require_ours(options.id)
    found = state.load(context.root, options.id)
    document = {**state.document(found, state.status(found)), "created": found.created}
    posix.write(1, jsontext.render(document).encode() + b"\n")
    return 0
