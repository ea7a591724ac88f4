# SPDX-License-Identifier: Apache-2.0
"""QEMU's character devices: the serial console, and virtio-serial ports for a guest that knows them.

Output goes through descriptors above 2, since `-add-fd` refuses the first three; without `append=on` QEMU
would truncate them, which a pipe does not allow.  Several devices may write to one of them (`mux=on`).
"""

from __future__ import annotations

from urunc.machine import PORTS, TERMINAL
from urunc_common.guest import CONTROL_PORT, STDERR_PORT, STDIN_PORT, STDOUT_PORT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.machine import Machine

# The first port is kept for a console, four have one name each; the others are for programs that are started
# later. That there may be more of them costs a guest nothing to speak of, that there are more would.
_MOST_PORTS = 21
_CONSOLE = "org.urunc.console"
# Ctrl-C goes to the guest.
_STDIO = "stdio,id=stdio,signal=off"


def console(machine: Machine, bus: str) -> list[str]:
    """What the guest's standard streams and its kernel's messages go through."""
    if PORTS not in machine.guest.wishes:
        return ["-chardev", _STDIO, "-serial", "chardev:stdio"]
    ends = _terminal() if TERMINAL in machine.guest.wishes else _streams(machine)
    return [
        "-device", f"virtio-serial-{bus},max_ports={_MOST_PORTS}",
        "-chardev", _STDIO, *_output(machine, "stderr", machine.streams.stderr),
        *ends, *_control(machine), *_serial(machine),
    ]  # fmt: skip


def descriptors(machine: Machine) -> tuple[int, ...]:
    """Those that `console` names."""
    if PORTS not in machine.guest.wishes:
        return ()
    listed = (*machine.streams.open, machine.control, machine.debug_console)
    return tuple(descriptor for descriptor in listed if descriptor >= 0)


def _terminal() -> list[str]:
    return ["-device", f"virtconsole,chardev=stdio,name={_CONSOLE}"]


def _streams(machine: Machine) -> list[str]:
    return [
        *_port("stdio", STDIN_PORT),
        *_output(machine, "stdout", machine.streams.stdout), *_port("stdout", STDOUT_PORT),
        *_port("stderr", STDERR_PORT),
    ]  # fmt: skip


def _control(machine: Machine) -> list[str]:
    if machine.control < 0:
        return []
    return [
        "-chardev", f"socket,id=control,fd={machine.control},server=on,wait=off",
        *_port("control", CONTROL_PORT),
    ]  # fmt: skip


def _serial(machine: Machine) -> list[str]:
    """A kernel that panics says so where errors go, and never between the program's output."""
    if machine.debug_console < 0:
        return ["-serial", "chardev:stderr"]
    return [*_output(machine, "debug", machine.debug_console), "-serial", "chardev:debug"]


def _port(chardev: str, name: str) -> list[str]:
    return ["-device", f"virtserialport,chardev={chardev},name={name}"]


def _output(machine: Machine, name: str, descriptor: int) -> list[str]:
    if descriptor in machine.streams.sockets:
        return ["-chardev", f"socket,id={name},fd={descriptor},mux=on"]
    return [
        "-add-fd", f"fd={descriptor},set={descriptor}",
        "-chardev", f"file,id={name},path=/dev/fdset/{descriptor},append=on,mux=on",
    ]  # fmt: skip
