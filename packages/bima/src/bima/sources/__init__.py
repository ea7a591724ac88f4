# SPDX-License-Identifier: Apache-2.0
"""Where images come from: one module with `fetch` per kind of place, one line here."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from bima.choice import Choice
from bima.outputs import Options

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bima.image import Descriptor
    from bima.layout import Layout


@dataclass(frozen=True)
class Source:
    """An image somewhere: `registry` and its name, `oci` and a directory, and so on."""

    kind: str
    where: str

    def __str__(self) -> str:
        return self.where if self.kind == ANY else f"{self.kind}:{self.where}"


@dataclass(frozen=True)
class Request:
    """Which image of an index, how registries are reached, whether to look there first, who hears of it."""

    choice: Choice = field(default_factory=Choice)
    options: Options = field(default_factory=Options)
    newest: bool = False
    report: Callable[[str], None] = lambda _line: None


@dataclass(frozen=True)
class Fetched:
    """An image that lies in the layout by now; its name, if the place knew one."""

    descriptor: Descriptor
    name: str = ""


class Fetch(Protocol):
    """Bring one image into the layout, which the caller has locked."""

    def __call__(self, where: str, request: Request, into: Layout) -> Fetched: ...


# An image's name alone: bima's store, or else the registry.
ANY = "any"
SOURCES: Mapping[str, str] = {
    ANY: "name",
    "store": "store",
    "registry": "registry",
    "docker": "registry",
    "oci": "layout",
    "oci-archive": "archive",
    "docker-archive": "archive",
    "docker-daemon": "daemon",
}


def parse(text: str) -> Source:
    """`NAME`, `docker://NAME`, `oci:DIR:TAG`, `oci-archive:FILE`, `docker-daemon:NAME`, …"""
    kind, colon, where = text.partition(":")
    if kind == "docker" and not where.startswith("//"):
        return Source(ANY, text)  # an image that is called docker
    if colon and where and kind in SOURCES and kind != ANY:
        return Source(kind, where.removeprefix("//"))
    return Source(ANY, text)


def fetch(source: Source, request: Request, into: Layout) -> Fetched:
    """The image of a source, in the layout."""
    module = import_module(f"bima.sources.{SOURCES[source.kind]}")
    found: Fetched = module.fetch(source.where, request, into)
    return found
