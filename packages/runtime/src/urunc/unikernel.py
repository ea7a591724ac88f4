# SPDX-License-Identifier: Apache-2.0
"""What a container is: a unikernel as its image and annotations say, or an ordinary one."""

from __future__ import annotations

import posix

from urunc import jsontext, pod
from urunc.errors import NotAUnikernel
from urunc.host import image
from urunc_common import config as stored
from urunc_common.config import UnikernelConfig
from urunc_common.errors import ConfigError
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.bundle import Bundle
    from urunc.settings import Default, Settings

# The annotation that makes an ordinary image a virtual machine.
MACHINE_KEY = "run.urunc.vm"


class Unikernel(Record):
    """What is to boot; `default` is there for an image that brings no kernel."""

    config: UnikernelConfig
    default: Default | None = None


def read(settings: Settings, bundle: Bundle) -> Unikernel:
    """What the image and the annotations say.  Raises NotAUnikernel when they say nothing, ConfigError.

    An image that says nothing is a Linux guest if it is to be a virtual machine all the same.
    """
    text = _stored_text(bundle.rootfs)
    if text is None and not _is_described(bundle):
        if not _wants_a_machine(settings, bundle):
            raise NotAUnikernel(f"{bundle.path} is an ordinary container")
        default = settings.default
        config = UnikernelConfig("linux", default.hypervisor, default.kernel, mount_rootfs=True)
        return Unikernel(config, default)
    return Unikernel(stored.from_annotations(stored.merge(_parse(text), bundle.annotations)))


def _stored_text(rootfs: str) -> str | None:
    root = image.open_root(rootfs)
    try:
        return image.read_text(root, stored.FILE)
    finally:
        posix.close(root)


def _wants_a_machine(settings: Settings, bundle: Bundle) -> bool:
    asked = bundle.annotations.get(MACHINE_KEY)
    if asked not in (None, "true", "false"):
        raise ConfigError(f"{MACHINE_KEY}: {asked!r} is neither true nor false")
    wanted = settings.default.always if asked is None else asked == "true"
    if wanted and not settings.default.kernel:
        raise ConfigError(
            f"{MACHINE_KEY} asks for a virtual machine, but there is no kernel for it",
            hint="set default.kernel in the configuration of urunc",
        )
    return wanted and pod.kind(bundle.annotations) != pod.PAUSE


def _is_described(bundle: Bundle) -> bool:
    """Whether the annotations alone say that there is a unikernel.

    Each container of a pod has the pod's, so those that change what an image says, and name no kernel, are
    not meant for an image that says nothing.
    """
    kind = pod.kind(bundle.annotations)
    if not stored.is_unikernel(bundle.annotations) or kind == pod.PAUSE:
        return False
    return not kind or stored.KEYS["binary"] in bundle.annotations


def _parse(text: str | None) -> dict[str, str]:
    if text is None:
        return {}
    try:
        found = jsontext.parse(text)
    except ValueError as error:
        raise ConfigError(f"/{stored.FILE} of the image is not valid JSON: {error}") from error
    if not isinstance(found, dict):
        raise ConfigError(f"/{stored.FILE} of the image is not a JSON object")
    return found
