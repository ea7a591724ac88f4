# SPDX-License-Identifier: Apache-2.0
"""The file that says what an image is to be: where it is, and its text."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from bima.errors import ContainerfileError, ContextError

NAMES = ("Containerfile", "Dockerfile")
PACKAGES = ("bunnyfile", "Kraftfile")
BUNNY, KRAFT, CONTAINER = "bunnyfile", "Kraftfile", "Containerfile"
_KEY = re.compile(r"""["']?[A-Za-z_]+["']?\s*:""")
_KRAFT = re.compile(r"^(?:spec|specification)\s*:", re.MULTILINE)
_LONGEST = 1 << 20
STDIN = "-"


@dataclass(frozen=True)
class Recipe:
    """Text, what to call it in errors, and the file if there is one."""

    text: str
    name: str
    path: Path | None = None

    @property
    def kind(self) -> str:
        """By its name, or else by whether its first line is a key of YAML."""
        name = self.path.name.lower() if self.path else ""
        lines = (line.strip() for line in self.text.splitlines())
        first = next((line for line in lines if line and not line.startswith("#") and line != "---"), "")
        if any(each.lower() in name for each in NAMES) or not _KEY.match(first):
            return CONTAINER
        return KRAFT if _KRAFT.search(self.text) else BUNNY


def find(file: str | None, context: Path) -> Recipe:
    """The file that was named, or the one that the build directory has."""
    if file == STDIN:
        return Recipe(_text(sys.stdin.buffer.read(_LONGEST + 1), "<stdin>"), "<stdin>")
    return load(Path(file) if file else _found(context))


def load(path: Path) -> Recipe:
    """Read a file."""
    try:
        with path.open("rb") as opened:
            data = opened.read(_LONGEST + 1)
    except OSError as error:
        raise ContextError(f"cannot read {path}: {error.strerror}", hint="name the file with -f") from error
    return Recipe(_text(data, str(path)), str(path), path)


def _found(context: Path) -> Path:
    for name in (*NAMES, *PACKAGES):
        if (context / name).is_file():
            return context / name
    if not context.is_dir():
        raise ContextError(f"the build directory {context} is not a directory")
    raise ContextError(
        f"{context} has no {', '.join(NAMES)}, {' or '.join(PACKAGES)}",
        hint="write one, or name it with -f",
    )


def _text(data: bytes, name: str) -> str:
    if len(data) > _LONGEST:
        raise ContextError(f"{name} has over {_LONGEST} bytes", hint="is it a Containerfile?")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ContainerfileError(name, line, "this is not UTF-8 text") from error
    if "\0" in text:
        raise ContainerfileError(name, text.count("\n", 0, text.index("\0")) + 1, "this is not text")
    return text
