# SPDX-License-Identifier: Apache-2.0
"""From a bundle to all that is known before the network is: what is found on the host, then what follows
from it.
"""

from __future__ import annotations

import posix

from urunc import boot, guests, monitors, seccomp, sizing
from urunc.errors import Unsupported
from urunc.host import accelerator, files, name_servers, process, sources
from urunc.host.seccomp import compile_all
from urunc.isolation import sysctl_path
from urunc.machine import App, Streams
from urunc.operation import Device
from urunc.plan import Host, plan
from urunc.settings import run_directory
from urunc_common import kernel
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.boot import Boot
    from urunc.bundle import Bundle
    from urunc.host.seccomp import Program
    from urunc.machine import LaunchPlan, Network, UserNetwork
    from urunc.monitors import MonitorModule
    from urunc.seccomp import Filter
    from urunc.settings import Monitor, Settings
    from urunc.unikernel import Unikernel
    from urunc_common.config import UnikernelConfig

_VHOST, _TUN = "/dev/vhost-net", "/dev/net/tun"
_SLOW = "KVM is not usable on this host, so the guest is emulated, which is slow"
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
    warning: str = ""
    """What makes the machine slower than its user may expect."""

    @property
    def memory_mib(self) -> int:
        """What the guest and its monitor take at most."""
        monitor = monitors.load(self.config.hypervisor)
        return self.host.memory_mib + monitor.overhead_mib(self.host.accel, tight=self.host.tight)

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


def devices(prepared: Prepared) -> tuple[str, ...]:
    """The device nodes that become the monitor's, or are opened for it."""
    disk = prepared.boot.disk
    own = (disk.source or disk.target,) if isinstance(disk, Device) else ()
    return (*prepared.plan(()).devices, _TUN, *own)


def with_network(prepared: Prepared) -> Prepared:
    """With what the engine has written since: before, it did not know the container's network."""
    bundle = name_servers.update(prepared.bundle)
    return prepared.replace(bundle=bundle, boot=boot.read_again(prepared.boot))


def prepare(settings: Settings, bundle: Bundle, found: Unikernel) -> Prepared:
    """Find the monitor and size the machine; whatever the image and config.json decide is refused here."""
    config = found.config
    section = settings.monitors[config.hypervisor]
    host = _host(section, bundle, found)
    prepared = Prepared(bundle, config, boot.find(settings, bundle, found, host.arch), host, monitor="")
    program = prepared.plan(bundle.user_networks).argv[0]
    ours = host.arch == posix.uname().machine
    return prepared.replace(
        # A path that is configured names a monitor for this host's own architecture.
        monitor=_find_monitor(program, section.path if ours else "", config.hypervisor, host.arch),
        programs=compile_all(_filters(bundle, config.hypervisor)),
        warning=_SLOW if ours and section.accel == "auto" and host.accel == "tcg" else "",
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
        rlimits=bundle.properties.rlimits,
        sysctls=tuple((sysctl_path(key), value) for key, value in bundle.isolation.sysctls),
        hostname=bundle.hostname,
        domainname=bundle.domainname,
        nameservers=bundle.nameservers,
        terminal=(bundle.console_size or (0, 0)) if bundle.terminal else None,
    )


def _host(section: Monitor, bundle: Bundle, found: Unikernel) -> Host:
    config = found.config
    guest, monitor = guests.load(config.type), monitors.load(config.hypervisor)
    ours = posix.uname().machine
    arch = _architecture(bundle, found) or ours
    _require_architecture(boot.kernel(found).source, arch, ours, monitor, config.hypervisor)
    accel = _accelerator(section.accel, monitor, foreign=arch != ours)
    limit = sizing.effective_limit(bundle.memory_limit, _host_bytes())
    return Host(
        arch=arch,
        memory_mib=sizing.memory_mib(limit, section.default_memory_mb, guest, monitor, accel),
        vcpus=sizing.vcpus(
            bundle.cpu_quota,
            bundle.cpu_period,
            bundle.cpus,
            default=section.default_vcpus,
            host=posix.cpu_count() or 1,
            monitor=monitor,
        ),
        accel=accel,
        model=sizing.model(
            bundle.annotations.get(sizing.MACHINE_KEY, ""), section.machine, monitor, config.hypervisor
        ),
        tight=sizing.is_tight(limit),
        vhost=section.vhost and posix.access(_VHOST, posix.F_OK),
        seccomp=bundle.seccomp,
        tsc_khz=_tsc_khz() if accel == "tcg" else 0,
    )


def _architecture(bundle: Bundle, found: Unikernel) -> str:
    """That of the kernel, as uname has it; nothing where the file does not say."""
    head = sources.read_head(boot.kernel(found), bundle.rootfs, bundle.owner, kernel.HEAD)
    return kernel.find_machine(head)


def _require_architecture(path: str, arch: str, ours: str, monitor: MonitorModule, name: str) -> None:
    if arch not in monitor.BINARY:
        able = " and ".join(monitor.BINARY)
        raise Unsupported(
            f"the kernel {path} is built for {arch}, and {name} boots those for {able}",
            hint=f"use an image for {ours}",
        )
    if arch != ours and not monitor.EMULATES:
        raise Unsupported(
            f"the kernel {path} is built for {arch}, and {name} boots only those for this host's {ours}",
            hint=f"use an image for {ours}, or qemu, which emulates {arch}",
        )


def _accelerator(wanted: str, monitor: MonitorModule, *, foreign: bool) -> str:
    if not monitor.EMULATES:
        return "kvm"
    if foreign:
        return "tcg"
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


def _filters(bundle: Bundle, name: str) -> tuple[Filter, ...]:
    """For the monitor, which is a program of this host whatever its guest is."""
    if bundle.seccomp_profile is None:
        return ()
    monitor, profile = monitors.load(name), seccomp.translate(bundle.seccomp_profile)
    seccomp.require(profile, monitor.NEEDED, name, posix.uname().machine)
    return seccomp.stack(profile, monitor.ALLOWED)


def _find_monitor(program: str, configured: str, name: str, arch: str) -> str:
    """The monitor's program, links resolved.  Raises Unsupported."""
    path = configured or process.search(program, _search_path())
    if not path or not posix.access(path, posix.X_OK):
        package = monitors.load(name).PACKAGE.get(arch, "")
        raise Unsupported(
            f"the monitor {configured or program} is not installed",
            hint=f"install {package}, or set monitors.{name}.path in the configuration",
        )
    return files.resolve(path)


def _search_path() -> str:
    return posix.environ.get(b"PATH", b"").decode() or _DEFAULT_PATH
