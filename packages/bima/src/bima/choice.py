# SPDX-License-Identifier: Apache-2.0
"""Which image of an index is wanted.  Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bima import platform as platforms
from bima.errors import ImageError
from bima.image import Descriptor

if TYPE_CHECKING:
    from collections.abc import Mapping

# What Unikraft's catalog calls its monitors, where others have the operating system.
_SYSTEMS = {"firecracker": "fc"}


@dataclass(frozen=True)
class Choice:
    """A platform as `OS/ARCH[/VARIANT]`, the host's if there is none, and the monitor that is to boot it."""

    platform: str = ""
    monitor: str = ""

    def of(self, index: Mapping[str, Any], name: str) -> Descriptor:
        """The manifest for this platform; raises ImageError, and says which ones there are."""
        found = [each for each in map(Descriptor.from_json, _manifests(index, name)) if _platform(each)]
        for wanted in self._wanted():
            for each in found:
                if _fits(wanted, _platform(each)):
                    return each
        if len(found) == 1 and not self.platform:
            return found[0]
        there = sorted({"/".join(_platform(each)) for each in found})
        raise ImageError(
            f"{name} has no image for {'/'.join(self._wanted()[0])}",
            hint=f"choose one with --platform: it has {', '.join(there) or 'none'}",
        )

    def _wanted(self) -> list[tuple[str, ...]]:
        """Best first."""
        words = self.platform.split("/") if self.platform else str(platforms.host()).split("/")
        system, architecture, *variant = words if len(words) > 1 else ["linux", *words]
        wanted = (system, platforms.normalize(architecture), *variant)
        if system == "linux" and self.monitor:
            return [wanted, (_SYSTEMS.get(self.monitor, self.monitor), *wanted[1:])]
        return [wanted]


def _manifests(index: Mapping[str, Any], name: str) -> list[Any]:
    found = index.get("manifests")
    if not isinstance(found, list):
        raise ImageError(f"the index of {name} has no list of manifests")
    return found


def _platform(descriptor: Descriptor) -> tuple[str, ...]:
    """OS, architecture, variant; nothing for what is no image, such as an attestation."""
    platform = descriptor.platform
    if not isinstance(platform, dict) or platform.get("os") in (None, "unknown"):
        return ()
    words = (
        platform.get("os"),
        platforms.normalize(str(platform.get("architecture"))),
        platform.get("variant"),
    )
    return tuple(str(word) for word in words if word)


def _fits(wanted: tuple[str, ...], offered: tuple[str, ...]) -> bool:
    """arm64 has one variant that everybody means, and a wish for no variant takes any."""
    return offered[: len(wanted)] == wanted or (wanted[1:] == ("arm64", "v8") and offered == wanted[:2])
