# SPDX-License-Identifier: Apache-2.0
"""The command line of virtiofsd, in its two dialects.  Pure.

The older program, in C, came with QEMU up to 7.2; the newer, in Rust, is on its own (1.0 to 1.14 looked at).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.machine import Share

# Only the newer one has an option with this name.
_MARK_OF_THE_NEWER = b"shared-dir"


def is_newer(program: bytes) -> bool:
    """Which dialect the program with this content speaks."""
    return _MARK_OF_THE_NEWER in program


def command(path: str, share: Share, descriptor: int, *, newer: bool) -> tuple[str, ...]:
    """Serve a share on a listening socket; without a sandbox of its own, since it is in the monitor's."""
    if newer:
        readonly = ("--readonly",) if share.readonly else ()
        return (
            path, f"--shared-dir={share.path}", f"--fd={descriptor}", "--sandbox=none", "--cache=auto",
            "--inode-file-handles=never", "--log-level=error", *readonly,
        )  # fmt: skip
    return (
        path, "-o", f"source={share.path}", f"--fd={descriptor}", "-o", "sandbox=chroot",
        "-o", "log_level=err", "--rlimit-nofile=0",
    )  # fmt: skip
