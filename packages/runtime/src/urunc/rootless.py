# SPDX-License-Identifier: Apache-2.0
"""What an ordinary user's container gets besides: a user namespace, with ids that this user has.  Pure."""

from __future__ import annotations

from urunc.bundle import IdMap, Namespace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from urunc.bundle import Bundle


def adapt(
    bundle: Bundle, ids: tuple[int, int], more: tuple[tuple[int, int], tuple[int, int]] | None
) -> Bundle:
    """`ids` are the user's own of user and group; `more` are (first, count) of those handed to the user.

    Without more, whoever the container's user is has the ids of ours.
    """
    if bundle.namespace("user"):
        return bundle
    uids, gids = (
        _maps(container, own, more[index] if more else None)
        for index, (container, own) in enumerate(zip((bundle.user.uid, bundle.user.gid), ids, strict=True))
    )
    return bundle.replace(
        namespaces=(Namespace("user"), *bundle.namespaces),
        isolation=bundle.isolation.replace(uids=uids, gids=gids),
    )


def _maps(container: int, own: int, more: tuple[int, int] | None) -> tuple[IdMap, ...]:
    if not more:
        return (IdMap(container, own, 1),)
    first, count = more
    return (IdMap(0, own, 1), IdMap(1, first, count))


def handed(text: str, names: Iterable[str]) -> tuple[int, int] | None:
    """Of /etc/subuid or /etc/subgid: the first range for one of these names, as (first, count)."""
    names = tuple(names)
    for line in text.splitlines():
        name, *numbers = line.strip().split(":")
        if name in names and len(numbers) == 2 and all(number.isdecimal() for number in numbers):
            return int(numbers[0]), int(numbers[1])
    return None


def is_single(maps: tuple[IdMap, ...], own: int) -> bool:
    """Whether a user may write these maps without help."""
    return len(maps) == 1 and maps[0].size == 1 and maps[0].host == own
