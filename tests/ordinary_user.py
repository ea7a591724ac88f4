# SPDX-License-Identifier: Apache-2.0
"""Commands of a user who is nobody in particular."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

UID, GID = 54321, 54322
COMMAND = [
    "setpriv",
    f"--reuid={UID}",
    f"--regid={GID}",
    "--clear-groups",
    "--bounding-set=-all",
    "--inh-caps=-all",
]


@contextmanager
def open_folder() -> Iterator[Path]:
    """One that everybody may enter, as pytest's are not."""
    with TemporaryDirectory(prefix="urunc-test-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def give(folder: Path) -> None:
    """Everything in a folder; others' links to a file stay theirs."""
    for here, names, files in os.walk(folder):
        for name in (".", *names, *files):
            path = os.path.join(here, name)
            if name not in files or os.lstat(path).st_nlink == 1:
                os.lchown(path, UID, GID)


def environment(folder: Path) -> dict[str, str]:
    """Of somebody who is logged in."""
    runtime = folder / "run"
    runtime.mkdir(mode=0o700, exist_ok=True)
    os.chown(runtime, UID, GID)
    return {"XDG_RUNTIME_DIR": str(runtime), "HOME": str(folder)}
