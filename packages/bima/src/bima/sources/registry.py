# SPDX-License-Identifier: Apache-2.0
"""`registry:NAME`, or `docker://NAME`: the registry that the name begins with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bima.reference import Reference
from bima.registry.pull import pull
from bima.sources import Fetched

if TYPE_CHECKING:
    from bima.layout import Layout
    from bima.sources import Request


def fetch(where: str, request: Request, into: Layout) -> Fetched:
    """Pull."""
    reference = Reference.parse(where)
    request.report(f"from {reference}")
    return Fetched(pull(reference, request.choice, into, request.options, request.report), str(reference))
