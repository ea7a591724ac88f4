# SPDX-License-Identifier: Apache-2.0
"""What is known of a container of `bima run`: a directory, which is its bundle as well.

Whoever looks after a container holds the lock of its directory.  Once the container has ended, there is a
file with its status in it, and it stays until `bima rm`.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from bima import places
from bima.bundle import ROOTFS
from bima.errors import ContainerError, NoContainer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BRIDGE, USER, NONE = NETWORKS = ("bridge", "user", "none")
UNKNOWN = "unknown"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_FACTS, _STATUS, _LOCK = "container.json", "status", ".lock"


@dataclass(frozen=True)
class Facts:
    """What is known of a container from its beginning."""

    image: str
    created: str
    network: str
    ports: tuple[str, ...] = ()
    keep: bool = False
    """Its log and its status stay when it has ended."""


@dataclass(frozen=True)
class Container:
    """A container by its name."""

    name: str

    @property
    def path(self) -> Path:
        """The directory."""
        return places.containers() / self.name

    @property
    def rootfs(self) -> Path:
        """The files of the image."""
        return self.path / ROOTFS

    @property
    def config(self) -> Path:
        """What the runtime reads."""
        return self.path / "config.json"

    @property
    def log(self) -> Path:
        """The console of a container in the background."""
        return self.path / "log"

    @property
    def facts(self) -> Facts | None:
        """None if whoever made the container was interrupted at once."""
        with suppress(FileNotFoundError):
            values = json.loads((self.path / _FACTS).read_text())
            return Facts(**{**values, "ports": tuple(values["ports"])})
        return None

    @property
    def status(self) -> str:
        """What it ended with, UNKNOWN if nobody saw that; nothing before."""
        with suppress(FileNotFoundError):
            return (self.path / _STATUS).read_text()
        return ""

    def save(self, facts: Facts) -> None:
        """Replace what is known."""
        self._write(_FACTS, json.dumps(asdict(facts)))

    def save_status(self, status: str) -> None:
        """Remember what it ended with."""
        self._write(_STATUS, status)

    def _write(self, name: str, text: str) -> None:
        draft = self.path / f"{name}.new"
        draft.write_text(text)
        draft.rename(self.path / name)

    def lock(self) -> int:
        """Look after the container until the returned descriptor is closed.

        Raises BlockingIOError if somebody does so already, NoContainer if it is gone.
        """
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise NoContainer(self.name) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _is(descriptor, self.path):
                raise NoContainer(self.name)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor


def find(name: str) -> Container:
    """The container of this name."""
    container = Container(check_name(name))
    if not container.path.is_dir():
        raise NoContainer(name)
    return container


def find_all() -> list[Container]:
    """Every container there is, by name."""
    folder = places.containers()
    if not folder.is_dir():
        return []
    return [Container(path.name) for path in sorted(folder.iterdir()) if path.is_dir()]


def make(name: str) -> tuple[Container, int]:
    """A new container, and its lock; the caller holds `one_at_a_time()`."""
    container = Container(check_name(name))
    try:
        container.path.mkdir(mode=0o700)
    except FileExistsError:
        raise ContainerError(
            f"there is a container {name} already", hint=f"remove it with bima rm {name}, or use another name"
        ) from None
    return container, container.lock()


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Nobody else makes containers, or removes what they left behind."""
    folder = places.containers()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / _LOCK).open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def check_name(name: str) -> str:
    """The name itself; it becomes the name of a file, of a cgroup and of a network namespace."""
    if not _NAME.fullmatch(name):
        raise ContainerError(
            f"{name!r} cannot be the name of a container",
            hint="use up to 100 letters, digits and _.-, the first a letter or digit",
        )
    return name


def _is(descriptor: int, path: Path) -> bool:
    """Whether it is still this directory, and not a later one of the same name."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
