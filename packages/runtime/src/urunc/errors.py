# SPDX-License-Identifier: Apache-2.0
"""Every error of the runtime.

Error                    (urunc_common) message, hint, exit_code
├── ConfigError          (urunc_common) annotations or urunc.json
├── UsageError           the command line
├── BundleError          config.json cannot be used
├── NotAUnikernel        an ordinary container: hand it to runc
├── StateError           the container is not in the state the verb needs
│   ├── NotFound         "container ID does not exist"   containerd matches these
│   ├── NotRunning       "container not running: ID"     words; do not reword them
│   └── AlreadyExists
├── Unsupported          this guest on this monitor cannot do what is asked
└── HostError            the kernel said no; carries what we were doing
"""

from __future__ import annotations

from urunc_common.errors import Error


class UsageError(Error):
    """The command line cannot be understood."""


class BundleError(Error):
    """config.json cannot be used."""


class NotAUnikernel(Error):
    """An ordinary container; the caller hands it to runc."""


class StateError(Error):
    """The container is not in the state this verb needs."""


class NotFound(StateError):
    """No such container.  containerd matches the words "does not exist"."""

    def __init__(self, container_id: str) -> None:
        super().__init__(f"container {container_id} does not exist")


class NotRunning(StateError):
    """It has stopped, or never started.  containerd matches the words "container not running"."""

    def __init__(self, container_id: str) -> None:
        super().__init__(f"container not running: {container_id}")


class AlreadyExists(StateError):
    """A container of this id is already there."""

    def __init__(self, container_id: str) -> None:
        super().__init__(f"container with id exists: {container_id}")


class Unsupported(Error):
    """This guest on this monitor cannot do what is asked."""


class HostError(Error):
    """The kernel said no."""

    def __init__(self, doing: str, cause: OSError) -> None:
        super().__init__(f"{doing}: {cause.strerror or cause}")
        self.errno = cause.errno
