# SPDX-License-Identifier: Apache-2.0
"""Is KVM really usable?  Some machines offer a /dev/kvm that emulates every instruction.

Found by trying: a virtual processor that runs some 20,000 instructions takes microseconds longer than one
that runs a single one, or, when it is emulated, many milliseconds.
"""

from __future__ import annotations

import _ctypes
import fcntl
import mmap
import posix
import select
import time
from _struct import pack_into

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

# linux/kvm.h, for x86_64
_CREATE_VM, _GET_VCPU_MMAP_SIZE, _CREATE_VCPU, _RUN = 0xAE01, 0xAE04, 0xAE41, 0xAE80
_SET_USER_MEMORY_REGION, _SET_REGS, _GET_SREGS, _SET_SREGS = 0x4020AE46, 0x4090AE82, 0x8138AE83, 0x4138AE84
_EXIT_REASON, _EXIT_HLT = 8, 5
_REGS, _RFLAGS = 0x90, 0x88
_SREGS, _CS_SELECTOR = 0x138, 12

_HALT = b"\xf4"
_LOOP = b"\xb9\x10\x27\x49\x75\xfd\xf4"  # mov cx, 10000; again: dec cx; jnz again; hlt
_TOO_LONG_NS = 1_000_000
_ATTEMPTS = 3
_DEADLINE_MS = 2_000


class _Byte(_ctypes._SimpleCData):  # type: ignore[type-arg]  # generic in the stubs only
    _type_ = "B"


def measure() -> bool:
    """True if /dev/kvm is there and runs instructions on the processor; two seconds at the very most."""
    if not posix.access("/dev/kvm", posix.R_OK | posix.W_OK):
        return False
    # In a process of its own: whatever this kernel does with it, we do not hang or crash.
    child = posix.fork()
    if child == 0:
        _answer()
    return _ended_well(child)


def _answer() -> NoReturn:
    try:
        usable = _is_fast()
    except BaseException:
        usable = False
    posix._exit(0 if usable else 1)


def _ended_well(child: int) -> bool:
    descriptor = posix.pidfd_open(child)
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        if not poll.poll(_DEADLINE_MS):
            posix.kill(child, 9)
            return False
        return posix.waitpid(child, 0)[1] == 0
    finally:
        posix.close(descriptor)


def _is_fast() -> bool:
    kvm = posix.open("/dev/kvm", posix.O_RDWR | posix.O_CLOEXEC)
    machine = fcntl.ioctl(kvm, _CREATE_VM, 0)
    if posix.uname().machine != "x86_64":
        return True
    memory = mmap.mmap(-1, mmap.PAGESIZE)
    region = bytearray(32)
    pack_into("=IIQQQ", region, 0, 0, 0, 0, len(memory), _ctypes.addressof(_Byte.from_buffer(memory)))
    fcntl.ioctl(machine, _SET_USER_MEMORY_REGION, region)
    processor = fcntl.ioctl(machine, _CREATE_VCPU, 0)
    shared = mmap.mmap(processor, fcntl.ioctl(kvm, _GET_VCPU_MMAP_SIZE, 0))
    _start_at_zero(processor)
    empty = _fastest_ns(processor, memory, shared, _HALT)
    return _fastest_ns(processor, memory, shared, _LOOP) - empty < _TOO_LONG_NS


def _start_at_zero(processor: int) -> None:
    registers = bytearray(_SREGS)
    fcntl.ioctl(processor, _GET_SREGS, registers)
    registers[:8] = bytes(8)
    registers[_CS_SELECTOR : _CS_SELECTOR + 2] = bytes(2)
    fcntl.ioctl(processor, _SET_SREGS, registers)


def _fastest_ns(processor: int, memory: mmap.mmap, shared: mmap.mmap, code: bytes) -> int:
    """The least of a few attempts: a busy host must not look like a slow processor."""
    memory[: len(code)] = code
    return min(_run_ns(processor, shared) for _ in range(_ATTEMPTS))


def _run_ns(processor: int, shared: mmap.mmap) -> int:
    registers = bytearray(_REGS)
    registers[_RFLAGS] = 2
    fcntl.ioctl(processor, _SET_REGS, registers)
    begin = time.perf_counter_ns()
    fcntl.ioctl(processor, _RUN, 0)
    taken = time.perf_counter_ns() - begin
    if int.from_bytes(shared[_EXIT_REASON : _EXIT_REASON + 4], "little") != _EXIT_HLT:
        raise OSError("the virtual processor did not halt")
    return taken
