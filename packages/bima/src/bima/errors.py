# SPDX-License-Identifier: Apache-2.0
"""What can go wrong between a build directory and its destination."""

from __future__ import annotations

from urunc_common.errors import Error


class UsageError(Error):
    """The command line asks for something that does not exist."""


class ContainerfileError(Error):
    """A line of the Containerfile cannot be used; the message begins with file and line."""

    def __init__(self, file: str, line: int, message: str, hint: str = "") -> None:
        super().__init__(f"{place(file, line)}: {message}", hint=hint)
        self.file = file
        self.line = line


def place(file: str, line: int) -> str:
    """Where something is said; the command line has no lines."""
    return f"{file}:{line}" if line else file


class ContextError(Error):
    """Something to be copied is missing, or lies outside the build directory."""


class KernelError(Error):
    """The kernel file's architecture is unknown or not the one asked for."""


class ImageError(Error):
    """The image as a whole is wrong, though each of its instructions is right."""


class ImageNameError(Error):
    """An image name cannot be understood."""


class StoreError(Error):
    """An image layout is damaged, or lacks what was asked for."""


class BuilderError(Error):
    """A program that does what RUN says has failed, or is not there."""


class RootError(Error):
    """A root file system cannot be made."""


class OutputError(Error):
    """The image could not be delivered."""


class RegistryError(Error):
    """What was asked of which registry, and its answer."""


class NetworkError(Error):
    """The network of a container that `bima run` starts could not be made."""


class NetworkUnavailable(NetworkError):
    """This host does not let us make a network, whoever asks for it."""


class ContainerError(Error):
    """A container of `bima run` cannot be made, found or ended."""


class NoContainer(ContainerError):
    """There is no container of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no container {name}", hint="bima ps -a lists them")
