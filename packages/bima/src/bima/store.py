# SPDX-License-Identifier: Apache-2.0
"""bima's own images: a layout in the user's data directory, and the drafts of builds that are under way.

A draft is a layout of its own inside the store's directory, so that an image appears in the store at once and
whole, and a build that is given up is one directory to remove.  Its builder holds the draft's lock: a draft
whose lock is free was left behind.
"""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from bima.errors import StoreError
from bima.layout import BuiltImage, Layout
from bima.reference import Reference

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_DRAFT = ".draft-"


def default(environ: Mapping[str, str] = os.environ) -> Layout:
    """The user's store."""
    data = environ.get("XDG_DATA_HOME", "")
    if data.startswith("/"):  # the specification has others ignored
        return Layout(Path(data) / "bima")
    try:
        return Layout(Path.home() / ".local" / "share" / "bima")
    except RuntimeError as error:
        raise StoreError("there is no home directory", hint="set HOME or XDG_DATA_HOME") from error


def find(store: Layout, name: str) -> BuiltImage:
    """The image of this name."""
    reference = Reference.parse(name)
    descriptor = store.index.get(str(reference))
    if descriptor is None:
        raise StoreError(f"no image {reference.familiar} in {store.path}", hint="`bima images` lists them")
    return BuiltImage(store, descriptor, reference)


def remove(store: Layout, names: Sequence[str]) -> None:
    """Remove images and the blobs that only they have; none of them if one does not exist."""
    with store.locked():
        found = [find(store, name) for name in names]
        for image in found:
            store.untag(str(image.reference))
        store.collect()
        _remove_abandoned(store)


@contextmanager
def draft(store: Layout) -> Iterator[Layout]:
    """A layout to build in, gone at the end."""
    with ExitStack() as stack:
        with store.locked():
            _remove_abandoned(store)
            draft = Layout(store.path / f"{_DRAFT}{os.urandom(8).hex()}")
            stack.callback(_discard, store, draft)
            stack.enter_context(draft.locked())
        yield draft


def _discard(store: Layout, draft: Layout) -> None:
    with store.locked():
        shutil.rmtree(draft.path, ignore_errors=True)


def _remove_abandoned(store: Layout) -> None:
    for path in store.path.glob(f"{_DRAFT}*"):
        with suppress(BlockingIOError), Layout(path).locked(wait=False):
            shutil.rmtree(path)
