# SPDX-License-Identifier: Apache-2.0
"""The tags of a repository, which come in pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from bima.errors import RegistryError
from bima.registry.client import connect
from bima.registry.failures import describe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bima.outputs import Options
    from bima.reference import Reference
    from bima.registry.client import Client

_MOST_PAGES = 10_000


def tags(reference: Reference, options: Options) -> Iterator[str]:
    """All of them, as the registry gives them."""
    with connect(reference, options, "pull") as client:
        url = client.endpoint.url("tags/list")
        for _ in range(_MOST_PAGES):
            found, following = _page(client, url)
            yield from found
            if not following:
                return
            url = urljoin(url, following)
            if not client.endpoint.owns(url):
                raise RegistryError(f"{reference.registry} has its tags go on elsewhere, at {url}")


def _page(client: Client, url: str) -> tuple[list[str], str]:
    answer = client.do_request(url)
    if answer.status_code != 200:
        hint = "is the name right?" if answer.status_code == 404 else ""
        raise RegistryError(describe(answer), hint=hint)
    try:
        document: Any = answer.json()
        found = document.get("tags") or []
    except (ValueError, AttributeError) as error:
        raise RegistryError(f"GET {url}: the answer lists no tags") from error
    return [str(each) for each in found], answer.links.get("next", {}).get("url", "")
