# SPDX-License-Identifier: Apache-2.0
"""`linux/arm/v7`: what an image runs on, as `--platform` names it.  Pure."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Self

from bima.errors import KernelError, UsageError
from urunc_common.rules import nearest

ARCHITECTURES = ("386", "amd64", "arm", "arm64", "loong64", "ppc64", "ppc64le", "riscv64", "s390x")
# What uname calls them.
_ALIASES = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "i386": "386"}
# A kernel that switches the processor's mode by itself is a file of the older architecture.
_STARTS_AS = {"amd64": "386", "arm64": "arm"}


@dataclass(frozen=True)
class Platform:
    """An architecture and its variant; the system is always linux, which is what engines look for."""

    architecture: str
    variant: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `linux/amd64`, `amd64` or `linux/arm/v7`."""
        architecture, _, variant = text.removeprefix("linux/").partition("/")
        architecture = normalize(architecture)
        if architecture not in ARCHITECTURES:
            raise UsageError(
                f"unknown platform {text!r}",
                hint=f"did you mean linux/{nearest(architecture, ARCHITECTURES)}?",
            )
        return cls(architecture, variant)

    def __str__(self) -> str:
        return "/".join(filter(None, ("linux", self.architecture, self.variant)))

    def require_kernel(self, architecture: str, path: str) -> None:
        """Raise unless a kernel of this architecture can start here."""
        if architecture not in (self.architecture, _STARTS_AS.get(self.architecture)):
            raise KernelError(
                f"the kernel {path} is built for {architecture}, not for {self.architecture}",
                hint=f"leave --platform out, or say --platform linux/{architecture}",
            )


def host() -> Platform:
    """What runs on this machine."""
    return Platform(normalize(os.uname().machine))


def normalize(architecture: str) -> str:
    """OCI's word for what uname, and others, call an architecture."""
    return _ALIASES.get(architecture, architecture)
