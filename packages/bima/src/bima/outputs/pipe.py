# SPDX-License-Identifier: Apache-2.0
"""The archive of an image as something to read from, so that no file of its size is needed."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO

from bima.outputs import archive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bima.layout import BuiltImage

# A tar that just ends between two members passes for whole; this does not pass for a member.
NO_HEADER = b"\xff" * 512


@contextmanager
def reading(image: BuiltImage) -> Iterator[BinaryIO]:
    """A thread writes what the block reads; if it fails, its error wins over that of the deceived reader."""
    source, target = os.pipe()
    failures: list[BaseException] = []
    writer = threading.Thread(target=_write, args=(image, target, failures), daemon=True)
    writer.start()
    try:
        with os.fdopen(source, "rb") as file:
            yield file
    finally:
        writer.join()  # the other end is closed, so this is soon
        if failures:
            raise failures[0]


def _write(image: BuiltImage, target: int, failures: list[BaseException]) -> None:
    # The reader's end closes the pipe; the reader says why.
    with suppress(BrokenPipeError), os.fdopen(target, "wb") as file:
        try:
            archive.write(image, file)
        except BrokenPipeError:
            raise
        except BaseException as error:
            failures.append(error)
            file.write(NO_HEADER)
