# SPDX-License-Identifier: Apache-2.0
"""From a bundle to all that is known before the network is: what is found on the host, then what follows
from it.
"""

from __future__ import annotations

import posix

from urunc import boot, guests, monitors, seccomp
from urunc.errors import Unsupported
from urunc.host import accelerator, process
from urunc.host.seccomp import compile_all
from urunc.machine import App, Streams
from urunc.plan import Host, effective_limit, guest_memory_mib, plan
from urunc.settings import run_directory
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.boot import Boot
    from urunc.bundle import Bundle
    from urunc.host.seccomp import Program
    from urunc.machine import LaunchPlan, Network, UserNetwork
    from urunc.seccomp import Filter
    from urunc.settings import Monitor, Settings
    from urunc.unikernel import Unikernel
    from urunc_common.config import UnikernelConfig

_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Prepared(Record):
    """What the container's first process needs to become the monitor, but for the network."""

    bundle: Bundle
    config: UnikernelConfig
    boot: Boot
    host: Host
    monitor: str
    programs: tuple[Program, ...] = ()
    """Filters of system calls, to be loaded in this order."""

    def plan(
        self,
        networks: tuple[Network | UserNetwork, ...],
        streams: Streams = Streams(),  # noqa: B008  it cannot change
    ) -> LaunchPlan:
        """What will be executed with these networks."""
        app, boot = _app(self.bundle), self.boot
        return plan(
            self.config, app, networks, boot.choice, host=self.host, given=boot.given, streams=streams
        )


def prepare(settings: Settings, bundle: Bundle, found: Unikernel) -> Prepared:
    """Find the monitor and size the machine; whatever the image and config.json decide is refused here."""
    config = found.config
    section = settings.monitors[config.hypervisor]
    host = _host(section, bundle, config)
    prepared = Prepared(bundle, config, boot.find(settings, bundle, found, host.arch), host, monitor="")
    program = prepared.plan(bundle.user_networks).argv[0]
    return prepared.replace(
        monitor=_find_monitor(program, section, config.hypervisor, host.arch),
        programs=compile_all(_filters(bundle, config.hypervisor, host.arch)),
    )


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


def _host(section: Monitor, bundle: Bundle, config: UnikernelConfig) -> Host:
    monitor = monitors.load(config.hypervisor)
    accel = _accelerator(section.accel) if monitor.EMULATES else "kvm"
    memory_mib = guest_memory_mib(
        effective_limit(bundle.memory_limit, _host_bytes()),
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


def _host_bytes() -> int:
    return posix.sysconf("SC_PHYS_PAGES") * posix.sysconf("SC_PAGE_SIZE")


def _tsc_khz() -> int:
    """The clock rate of the first CPU, 0 where /proc/cpuinfo does not say it."""
    with open("/proc/cpuinfo", "rb") as file:
        for line in file.read(4096).splitlines():
            if line.startswith(b"cpu MHz"):
                return int(float(line.rpartition(b":")[2]) * 1000)
    return 0


def _filters(bundle: Bundle, name: str, arch: str) -> tuple[Filter, ...]:
    if bundle.seccomp_profile is None:
        return ()
    monitor, profile = monitors.load(name), seccomp.translate(bundle.seccomp_profile)
    seccomp.require(profile, monitor.NEEDED, name, arch)
    return seccomp.stack(profile, monitor.ALLOWED)


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
