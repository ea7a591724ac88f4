# SPDX-License-Identifier: Apache-2.0
"""From a bundle to all that is known before the network is: what is found on the host, then what follows
from it.
"""

from __future__ import annotations

import posix

from urunc import guests, jsontext, monitors, roots, volumes
from urunc.errors import HostError, NotAUnikernel, Unsupported
from urunc.host import accelerator, copies, image, process, storage
from urunc.machine import COPY, INITRD, KERNEL, App, Initrd, Streams
from urunc.operation import HostFile, ImageFile
from urunc.plan import Given, Host, guest_memory_mib, plan
from urunc.settings import run_directory
from urunc_common import config as unikernel
from urunc_common import guest as first_process
from urunc_common.config import UnikernelConfig
from urunc_common.errors import ConfigError
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.bundle import Bundle
    from urunc.machine import LaunchPlan, Network, UserNetwork
    from urunc.roots import Choice
    from urunc.settings import Default, Monitor, Settings
    from urunc.volumes import Decision

# Where containerd and CRI-O say what a container is in its pod.
_KIND_OF_CONTAINER = ("io.kubernetes.cri.container-type", "io.kubernetes.cri-o.ContainerType")
# The annotation that makes an ordinary image a virtual machine.
MACHINE_KEY = "run.urunc.vm"
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Prepared(Record):
    """What the container's first process needs to become the monitor, but for the network."""

    bundle: Bundle
    config: UnikernelConfig
    kernel: ImageFile | HostFile
    initrd: ImageFile | HostFile | None
    choice: Choice
    host: Host
    given: Given
    volumes: tuple[Decision, ...]
    virtiofsd: str
    monitor: str

    def plan(
        self,
        networks: tuple[Network | UserNetwork, ...],
        streams: Streams = Streams(),  # noqa: B008  it cannot change
    ) -> LaunchPlan:
        """What will be executed with these networks."""
        app = _app(self.bundle)
        return plan(
            self.config, app, networks, self.choice, host=self.host, given=self.given, streams=streams
        )


class Unikernel(Record):
    """What is to boot; `default` is there for an image that brings no kernel."""

    config: UnikernelConfig
    default: Default | None = None


def read_config(settings: Settings, bundle: Bundle) -> Unikernel:
    """What the image and the annotations say.  Raises NotAUnikernel when they say nothing, ConfigError.

    An image that says nothing is a Linux guest if it is to be a virtual machine all the same.
    """
    root = image.open_root(bundle.rootfs)
    try:
        text = image.read_text(root, unikernel.FILE)
    finally:
        posix.close(root)
    if text is None and (_is_pause(bundle) or not unikernel.is_unikernel(bundle.annotations)):
        if not _wants_a_machine(settings, bundle):
            raise NotAUnikernel(f"{bundle.path} is an ordinary container")
        default = settings.default
        config = UnikernelConfig("linux", default.hypervisor, default.kernel, mount_rootfs=True)
        return Unikernel(config, default)
    return Unikernel(unikernel.from_annotations(unikernel.merge(_parse_stored(text), bundle.annotations)))


def prepare(settings: Settings, bundle: Bundle, found: Unikernel) -> Prepared:
    """Find the monitor and size the machine; whatever the image and config.json decide is refused here."""
    config = found.config
    section = settings.monitors[config.hypervisor]
    host = _host(section, bundle, config)
    virtiofsd = storage.find_virtiofsd(settings.virtiofsd)
    choice = _choose_root(bundle, config, virtiofsd)
    decisions = _volumes(bundle, config, choice, virtiofsd)
    given = _given(config, host.arch, choice, decisions)
    kernel, initrd = _boot_files(found, choice)
    prepared = Prepared(bundle, config, kernel, initrd, choice, host, given, decisions, virtiofsd, monitor="")
    program = prepared.plan(bundle.user_networks).argv[0]
    return prepared.replace(monitor=_find_monitor(program, section, config.hypervisor, host.arch))


def _boot_files(found: Unikernel, choice: Choice) -> tuple[ImageFile | HostFile, ImageFile | HostFile | None]:
    if found.default:
        default = found.default
        booted = HostFile(default.initrd, INITRD, "initrd") if default.initrd else None
        return HostFile(default.kernel, KERNEL, "kernel"), booted
    path = choice.root.path if isinstance(choice.root, Initrd) else choice.boot
    initrd = ImageFile(path, INITRD, "initrd") if path else None
    return ImageFile(found.config.binary, KERNEL, "kernel"), initrd


def _app(bundle: Bundle) -> App:
    user = bundle.user
    return App(
        bundle.args,
        bundle.env,
        cwd=bundle.cwd,
        uid=user.uid,
        gid=user.gid,
        groups=user.groups,
        umask=user.umask,
        rlimits=bundle.rlimits,
        hostname=bundle.hostname,
        domainname=bundle.domainname,
        terminal=(bundle.console_size or (0, 0)) if bundle.terminal else None,
    )


def _choose_root(bundle: Bundle, config: UnikernelConfig, virtiofsd: str) -> Choice:
    found = storage.find(bundle.rootfs, virtiofsd) if config.mount_rootfs else roots.Candidates()
    wanted = _wanted(bundle, roots.KEY, roots.KINDS)
    return roots.choose(config, found, readonly=bundle.readonly, wanted=wanted)


def _volumes(bundle: Bundle, config: UnikernelConfig, choice: Choice, virtiofsd: str) -> tuple[Decision, ...]:
    binds = [(bind, copies.is_directory(bind.source)) for bind in bundle.binds]
    guest, monitor = guests.load(config.type), monitors.load(config.hypervisor)
    wanted = _wanted(bundle, volumes.KEY, volumes.KINDS)
    return volumes.decide(binds, choice.root, guest, monitor, virtiofsd=bool(virtiofsd), wanted=wanted)


def _wanted(bundle: Bundle, key: str, known: tuple[str, ...]) -> str:
    value = bundle.annotations.get(key, "")
    if value not in ("", *known):
        raise ConfigError(f"{key}: unknown value {value!r}", hint=f"use one of {', '.join(known)}")
    return value


def _given(config: UnikernelConfig, arch: str, choice: Choice, decisions: tuple[Decision, ...]) -> Given:
    found = [(one.bind, one.volume) for one in decisions if one.volume]
    return Given(
        tuple(volume for _, volume in found),
        tuple(
            entry
            for bind, volume in found
            if volume.kind == COPY
            for entry in copies.read(bind.source, volume.source)
        ),
        volumes.shares(choice.root, decisions),
        _first_process(arch) if guests.load(config.type).BOOTS_FROM_INITRD else b"",
    )


def _first_process(arch: str) -> bytes:
    path = first_process.init_file(arch)
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise HostError(f"read {path}, the first process of Linux guests", error) from error


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
    return wanted and not _is_pause(bundle)


def _is_pause(bundle: Bundle) -> bool:
    """A pod's pause container gets the pod's annotations, which are meant for the others in it."""
    return any(bundle.annotations.get(key) == "sandbox" for key in _KIND_OF_CONTAINER)


def _parse_stored(text: str | None) -> dict[str, str]:
    if text is None:
        return {}
    try:
        stored = jsontext.parse(text)
    except ValueError as error:
        raise ConfigError(f"/{unikernel.FILE} of the image is not valid JSON: {error}") from error
    if not isinstance(stored, dict):
        raise ConfigError(f"/{unikernel.FILE} of the image is not a JSON object")
    return stored


def _host(section: Monitor, bundle: Bundle, config: UnikernelConfig) -> Host:
    monitor = monitors.load(config.hypervisor)
    accel = _accelerator(section.accel) if monitor.EMULATES else "kvm"
    memory_mib = guest_memory_mib(
        bundle.memory_limit,
        section.default_memory_mb,
        guests.load(config.type),
        monitor,
        accel,
    )
    return Host(
        arch=posix.uname().machine,
        memory_mib=memory_mib,
        vcpus=section.default_vcpus,
        accel=accel,
        seccomp=bundle.seccomp,
        tsc_khz=_tsc_khz() if accel == "tcg" else 0,
    )


def _accelerator(wanted: str) -> str:
    if wanted != "auto":
        return wanted
    return "kvm" if accelerator.kvm_is_usable(run_directory(posix.environ)) else "tcg"


def _tsc_khz() -> int:
    """The clock rate of the first CPU, 0 where /proc/cpuinfo does not say it."""
    with open("/proc/cpuinfo", "rb") as file:
        for line in file.read(4096).splitlines():
            if line.startswith(b"cpu MHz"):
                return int(float(line.rpartition(b":")[2]) * 1000)
    return 0


def _find_monitor(program: str, section: Monitor, name: str, arch: str) -> str:
    """The monitor's program, links resolved.  Raises Unsupported."""
    path = section.path or process.search(program, _search_path())
    if not path or not posix.access(path, posix.X_OK):
        package = monitors.load(name).PACKAGE.get(arch, "")
        raise Unsupported(
            f"the monitor {section.path or program} is not installed",
            hint=f"install {package}, or set monitors.{name}.path in the configuration",
        )
    return _resolve(path)


def _search_path() -> str:
    return posix.environ.get(b"PATH", b"").decode() or _DEFAULT_PATH


def _resolve(path: str) -> str:
    """The absolute path behind links, as the kernel sees it."""
    descriptor = posix.open(path, 0o10000000 | posix.O_CLOEXEC)
    try:
        return posix.readlink(f"/proc/self/fd/{descriptor}")
    finally:
        posix.close(descriptor)
