# SPDX-License-Identifier: Apache-2.0
"""libseccomp by way of `_ctypes`: a filter becomes a program for the kernel.  Loaded only to compile one."""

from __future__ import annotations

import _ctypes
import posix

from urunc import seccomp
from urunc.errors import BundleError, HostError, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from urunc.seccomp import Filter

_FILE = "libseccomp.so.2"
_EEXIST, _UNKNOWN = 17, -1
_MOST_INSTRUCTIONS, _INSTRUCTION_SIZE = 4096, 8


class _Long(_ctypes._SimpleCData):  # type: ignore[type-arg]  # generic in the stubs only
    _type_ = "l"


class _Function(_ctypes.CFuncPtr):
    _flags_ = _ctypes.FUNCFLAG_CDECL
    _restype_ = _Long


def compile_filter(wanted: Filter) -> tuple[bytes, str]:
    """The program, and the file of the library that made it.  Raises Unsupported, BundleError."""
    try:
        library = _Library()
    except OSError as error:
        raise Unsupported(
            "a seccomp profile cannot be compiled without libseccomp", hint="install the package libseccomp2"
        ) from error
    native = library.call("seccomp_arch_native")
    context = library.start(wanted)
    try:
        for names, action, conditions in wanted.rules:
            if action != wanted.default:
                library.add_rule(context, names, action, conditions)
        program = library.export(context)
    finally:
        library.call("seccomp_release", context)
    if wanted.refuses_newer:
        numbers = (max(library.number(name), 0) for names, _, _ in wanted.rules for name in names)
        program = seccomp.refuse_newer(program, native, max(numbers, default=0))
    if len(program) > _MOST_INSTRUCTIONS * _INSTRUCTION_SIZE:
        raise BundleError(
            f"config.json: linux.seccomp compiles to {len(program) // _INSTRUCTION_SIZE} instructions,"
            f" but the kernel takes {_MOST_INSTRUCTIONS}"
        )
    return program, _mapped_file()


class _Library:
    """libseccomp's functions; those that fail raise."""

    def __init__(self) -> None:
        self._handle = _ctypes.dlopen(_FILE, 0)

    def call(self, name: str, *arguments: int | bytes) -> int:
        function: Any = _Function(_ctypes.dlsym(self._handle, name))
        words = (_Long(argument) if isinstance(argument, int) else argument for argument in arguments)
        result: int = function(*words)
        return result

    def number(self, name: str) -> int:
        """A system call's number, _UNKNOWN, or a smaller one where the architecture lacks it."""
        return _signed(self.call("seccomp_syscall_resolve_name", name.encode()))

    def start(self, wanted: Filter) -> int:
        context = self.call("seccomp_init", wanted.default)
        for name in wanted.architectures:
            token = self.call("seccomp_arch_resolve_name", name.encode()) & 0xFFFFFFFF
            failed = -_signed(self.call("seccomp_arch_add", context, token)) if token else 22
            if failed not in (0, _EEXIST):
                self.call("seccomp_release", context)
                raise BundleError(
                    f"config.json: linux.seccomp names the architecture {name}: {posix.strerror(failed)}"
                )
        return context

    def add_rule(
        self,
        context: int,
        names: tuple[str, ...],
        action: int,
        conditions: tuple[tuple[int, int, int, int], ...],
    ) -> None:
        # struct scmp_arg_cmp
        packed = b"".join(
            index.to_bytes(4, "little")
            + operator.to_bytes(4, "little")
            + value.to_bytes(8, "little")
            + value_two.to_bytes(8, "little")
            for index, operator, value, value_two in conditions
        )
        for name in names:
            number = self.number(name)
            if number == _UNKNOWN:
                continue
            failed = -_signed(
                self.call("seccomp_rule_add_array", context, action, number, len(conditions), packed)
            )
            if failed:
                raise BundleError(
                    f"config.json: linux.seccomp has rules for {name} that do not go together:"
                    f" {posix.strerror(failed)}"
                )

    def export(self, context: int) -> bytes:
        descriptor = posix.memfd_create("seccomp")
        try:
            failed = -_signed(self.call("seccomp_export_bpf", context, descriptor))
            if failed:
                raise HostError("compile the seccomp profile", OSError(failed, posix.strerror(failed)))
            return posix.pread(descriptor, posix.fstat(descriptor).st_size, 0)
        finally:
            posix.close(descriptor)


def _signed(result: int) -> int:
    """An int of C: the upper half of the long is undefined."""
    low = result & 0xFFFFFFFF
    return low - (1 << 32) if low >> 31 else low


def _mapped_file() -> str:
    with open("/proc/self/maps", "rb") as file:
        lines = file.read().decode(errors="surrogateescape").splitlines()
    return next(line[line.index("/") :] for line in lines if "/libseccomp.so" in line)
