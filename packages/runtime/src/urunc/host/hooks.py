# SPDX-License-Identifier: Apache-2.0
"""The engine's hooks, one after the other.  OCI runtime specification 1.2, `config.md`, POSIX-platform
Hooks.
"""

from __future__ import annotations

import posix

from urunc import jsontext
from urunc.host import process, syscalls
from urunc_common.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from urunc.bundle import Hook

_SIGKILL = 9
_NO_TIMEOUT_S = 1 << 20
_TAIL = 2000


class HookError(Error):
    """A hook failed, and with it the verb that ran it."""


def _stay() -> None:
    """In the namespaces of the runtime's own process."""


def run(
    stage: str,
    hooks: Iterable[Hook],
    document: Mapping[str, object],
    bundle: str,
    enter: Callable[[], None] = _stay,
) -> None:
    """Run the hooks of one stage in order, each with the state document on stdin.  Raises HookError.

    Each does `enter` at the end, if it is to be elsewhere.
    """
    state = jsontext.render(document).encode()
    for index, hook in enumerate(hooks):
        _run_one(f"{stage} hook {index} ({hook.path})", hook, state, bundle, enter)


def _run_one(name: str, hook: Hook, state: bytes, bundle: str, enter: Callable[[], None]) -> None:
    # Files in memory, not pipes: some hooks leave children behind that hold them open.
    stdin, output = _memory_file("state", state), _memory_file("output", b"")
    try:
        pid = posix.fork()
        if pid == 0:
            _become(hook, stdin, output, bundle, enter)
        _wait(name, hook, pid, output)
    except OSError as error:
        raise HookError(f"cannot run {name}: {error.strerror}") from error
    finally:
        posix.close(stdin)
        posix.close(output)


def _wait(name: str, hook: Hook, pid: int, output: int) -> None:
    pidfd = syscalls.pidfd_open(pid)
    ended = process.wait_for_end(pidfd, min(hook.timeout_s or _NO_TIMEOUT_S, _NO_TIMEOUT_S))
    posix.close(pidfd)
    if not ended:
        posix.kill(pid, _SIGKILL)
    _, wait_status = posix.waitpid(pid, 0)
    said = _tail(output)
    if not ended:
        raise HookError(f"{name} did not end within {hook.timeout_s} s{_quote(said)}")
    if wait_status:
        raise HookError(f"{name} ended with status {process.exit_status(wait_status)}{_quote(said)}")


def _become(hook: Hook, stdin: int, output: int, bundle: str, enter: Callable[[], None]) -> None:
    try:
        posix.dup2(stdin, 0)
        posix.dup2(output, 1)
        posix.dup2(output, 2)
        posix.chdir(bundle)
        process.reset_signals()
        process.keep_only(())
        enter()
        posix.execve(hook.path, list(hook.args), _environment(hook))
    except OSError as error:
        posix.write(2, f"cannot execute {hook.path}: {error.strerror}".encode())
    finally:
        posix._exit(127)


def _environment(hook: Hook) -> Mapping[str, str] | Mapping[bytes, bytes]:
    """An absent one is inherited: docker's network hook has none, and needs PATH."""
    if hook.env is None:
        return posix.environ
    # What has no name is no variable, and execve would refuse all because of it.
    return {name: value for name, _, value in (item.partition("=") for item in hook.env) if name}


def _memory_file(name: str, content: bytes) -> int:
    descriptor = posix.memfd_create(name, posix.MFD_CLOEXEC)
    posix.pwrite(descriptor, content, 0)  # leaves the position at the start, where a reader begins
    return descriptor


def _tail(output: int) -> str:
    size = posix.fstat(output).st_size
    return posix.pread(output, _TAIL, max(0, size - _TAIL)).decode(errors="replace").strip()


def _quote(said: str) -> str:
    return f": {said}" if said else ""
