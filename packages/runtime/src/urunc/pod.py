# SPDX-License-Identifier: Apache-2.0
"""What the annotations say of a container's place in its pod, in the words of containerd and CRI-O.  Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

PAUSE, CONTAINER = "sandbox", "container"
_KIND = ("io.kubernetes.cri.container-type", "io.kubernetes.cri-o.ContainerType")
_NAME = ("io.kubernetes.cri.container-name", "io.kubernetes.container.name")
_OURS = "run.urunc."


def kind(annotations: Mapping[str, str]) -> str:
    """PAUSE, CONTAINER, or nothing for what is in no pod."""
    return _first(annotations, _KIND)


def name(annotations: Mapping[str, str]) -> str:
    """What the pod calls the container."""
    return _first(annotations, _NAME)


def own(annotations: Mapping[str, str]) -> dict[str, str]:
    """With what this container is told by its name, as `run.urunc.ports.web`, instead of what all are.

    In Kubernetes nobody can annotate a container, and each gets what its pod has.
    """
    suffix = f".{name(annotations)}"
    told = {
        key.removesuffix(suffix): value
        for key, value in annotations.items()
        if len(suffix) > 1 and key.startswith(_OURS) and key.endswith(suffix)
    }
    return {**annotations, **told}


def _first(annotations: Mapping[str, str], keys: tuple[str, ...]) -> str:
    return next((annotations[key] for key in keys if key in annotations), "")
