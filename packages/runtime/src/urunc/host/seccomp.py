# SPDX-License-Identifier: Apache-2.0
"""Filters of system calls: compiled once and kept until the next boot, loaded in front of the monitor.

libseccomp takes longer to load and to compile than a container to make.  So what it makes is kept below
/run, in a directory for root alone, under a name that tells filter and architecture.  Which library made
it stands inside, as a path with the file's identity: to see whether it is still the same takes a stat, and
no loading.
"""

from __future__ import annotations

import posix
from _blake2 import blake2b

from urunc import jsontext
from urunc.errors import HostError
from urunc.host import files, syscalls
from urunc.settings import run_directory
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from urunc.seccomp import Filter

# To be raised when the same filter is to become another program.
_FORM = 1
_LONGEST = 1 << 16
_OTHERS = 0o077
_IFMT, _IFREG = 0o170000, 0o100000


class Program(Record):
    """A compiled filter, and how it is to be loaded."""

    code: bytes
    flags: int


def compile_all(wanted: Iterable[Filter]) -> tuple[Program, ...]:
    """The programs of these filters, in their order.  Raises Unsupported, BundleError."""
    return tuple(Program(_compiled(each), each.flags) for each in wanted)


def load(programs: Iterable[Program]) -> None:
    """Shut this process in, for good; needs CAP_SYS_ADMIN, or no_new_privs."""
    for program in programs:
        try:
            syscalls.seccomp(program.flags, program.code)
        except OSError as error:
            raise HostError("load the seccomp filter", error) from error


def _compiled(wanted: Filter) -> bytes:
    path = f"{run_directory(posix.environ)}/seccomp"
    name = _name(wanted)
    directory = _open_directory(path)
    code = None if directory is None else _read(directory, name)
    if code is None:
        from urunc.host.libseccomp import compile_filter

        code, library = compile_filter(wanted)
        if directory is not None:
            _write(f"{path}/{name}", library, code)
    if directory is not None:
        posix.close(directory)
    return code


def _name(wanted: Filter) -> str:
    said = (_FORM, posix.uname().machine, wanted.default, wanted.architectures, wanted.rules)
    return blake2b(repr(said).encode(errors="surrogatepass"), digest_size=16).hexdigest()


def _open_directory(path: str) -> int | None:
    """The directory of the programs; None where it is not ours alone, and so nothing is kept."""
    try:
        files.make_directories(path, 0o700)
        descriptor = posix.open(path, posix.O_RDONLY | posix.O_DIRECTORY | posix.O_NOFOLLOW | posix.O_CLOEXEC)
    except OSError:
        return None
    if _is_ours(posix.fstat(descriptor)):
        return descriptor
    posix.close(descriptor)
    return None


def _read(directory: int, name: str) -> bytes | None:
    """The program, if the library that made it is unchanged."""
    flags = posix.O_RDONLY | posix.O_NOFOLLOW | posix.O_NONBLOCK | posix.O_CLOEXEC
    try:
        descriptor = posix.open(name, flags, dir_fd=directory)
        try:
            found = posix.fstat(descriptor)
            if not _is_ours(found) or found.st_mode & _IFMT != _IFREG:
                return None
            head, _, code = posix.read(descriptor, _LONGEST).partition(b"\n")
        finally:
            posix.close(descriptor)
        maker = jsontext.parse(head.decode())
        return code if isinstance(maker, list) and maker == _identity(maker[0]) else None
    except (OSError, ValueError):
        return None


def _write(path: str, library: str, code: bytes) -> None:
    content = jsontext.render(_identity(library)).encode() + b"\n" + code
    try:
        files.replace(path, content)
    except OSError:
        return  # only a cache: the next command compiles again


def _identity(library: str) -> list[str | int]:
    found = posix.stat(library)
    return [library, found.st_mtime_ns, found.st_size, found.st_ino]


def _is_ours(found: posix.stat_result) -> bool:
    return found.st_uid == posix.geteuid() and not found.st_mode & _OTHERS
