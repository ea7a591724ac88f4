# SPDX-License-Identifier: Apache-2.0
"""One stage while it is built: its files, its layers, its configuration, and the variables that are known."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from bima.image import ImageConfig, Layer, Step
from bima.tree import Data, File, Packed, Tree

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bima.tree import Entry


@dataclass(frozen=True)
class PlannedLayer:
    """The files of one layer, and what they are there for."""

    text: str
    entries: Mapping[str, Entry]


@dataclass
class Staged:
    """Changes with each instruction; `layers` has those of the base as they are."""

    config: ImageConfig
    tree: Tree = field(default_factory=Tree)
    layers: list[Layer | PlannedLayer] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    arguments: dict[str, str] = field(default_factory=dict)
    # Whether CMD is this stage's own, and not that of its base, which an ENTRYPOINT takes away.
    has_cmd: bool = False

    @property
    def values(self) -> dict[str, str]:
        """What variables mean now: ENV goes before ARG."""
        return {**self.arguments, **dict(_pair(each) for each in self.config.env)}

    @property
    def shell(self) -> tuple[str, ...]:
        """What runs a command that is written as text; nothing where the image has no shell."""
        if self.config.shell:
            return self.config.shell
        has_shell = isinstance(self.tree.find("/bin/sh"), File | Data | Packed)
        return ("/bin/sh", "-c") if has_shell else ()

    def add_layer(self, text: str) -> None:
        """What was put into the tree since the last layer."""
        self.layers.append(PlannedLayer(text, self.tree.take()))
        self.steps.append(Step(text, empty=False))

    def add_directory(self, path: str, text: str) -> None:
        """A layer for a directory, unless it is there."""
        if self.tree.is_directory(path):
            self.steps.append(Step(text))
            return
        self.tree.make_directory(path)
        self.add_layer(text)

    def copy(self) -> Staged:
        """Another stage that begins where this one ends; it does not know its ARGs."""
        return replace(
            self,
            tree=self.tree.copy(),
            layers=[*self.layers],
            steps=[*self.steps],
            arguments={},
            has_cmd=False,
        )


def _pair(variable: str) -> tuple[str, str]:
    name, _, value = variable.partition("=")
    return name, value
