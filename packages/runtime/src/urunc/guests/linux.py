# SPDX-License-Identifier: Apache-2.0
"""Linux: an ordinary kernel command line; the program is its init.

The kernel splits the line at spaces outside double quotes, and strips a quote that begins a word or a
value. It has no escape, and after `--` another `--` ends the arguments.
"""

from __future__ import annotations

from urunc.errors import Unsupported
from urunc.guests._words import netmask
from urunc.machine import NO_PCI, Block, Disk, Guest, Initrd, Nic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.machine import Facts

MINIMUM_MIB = 64
ROOTS = (Initrd, Block)

# The kernel panics at one argument or variable more (CONFIG_INIT_ENV_ARG_LIMIT), and cuts a longer line off.
_MOST_WORDS = 32
_LONGEST = 2047
_OWN_VARIABLES = frozenset({"HOME", "TERM"})

# Bytes; the last one also occurs inside letters of UTF-8, which the kernel does not know.
_SPACES = " \t\n\v\f\r\xa0"


def describe(facts: Facts) -> Guest:
    """Errors of the kernel still show; its chatter does not."""
    root = facts.root
    words = ["panic=-1", f"console={_console(facts.arch)}", "quiet", "cryptomgr.notests"]
    if facts.tsc_khz and facts.arch == "x86_64":
        # An emulated timer is too unsteady to measure the clock against: some boots would hang.
        words.append(f"tsc_early_khz={facts.tsc_khz}")
    words += [*_root(facts), *_address(facts), *_variables(facts), _program(facts)]
    return Guest(
        cmdline=_line(words),
        initrd=root.path if isinstance(root, Initrd) else "",
        disks=(Disk("rootfs", root.path, root.readonly, root.format),) if isinstance(root, Block) else (),
        nics=(Nic("net0", facts.network),) if facts.network else (),
        wishes=frozenset({NO_PCI}),
    )


def _console(arch: str) -> str:
    return "ttyAMA0" if arch == "aarch64" else "ttyS0"


def _root(facts: Facts) -> list[str]:
    root = facts.root
    if isinstance(root, Initrd):
        return ["root=/dev/ram0", "rw"]
    if not isinstance(root, Block):
        return []
    if root.mount_point != "/":
        raise Unsupported(
            f"a linux unikernel cannot mount its only disk at {root.mount_point}", hint="set blkMntPoint to /"
        )
    return ["root=/dev/vda", "ro" if root.readonly else "rw"]


def _address(facts: Facts) -> list[str]:
    if not facts.network:
        return []
    net = facts.network
    return [f"ip={net.address}::{net.gateway}:{netmask(net.prefix)}:urunc:eth0:off"]


def _variables(facts: Facts) -> list[str]:
    env = facts.app.env
    names = {word.partition("=")[0] for word in env} | _OWN_VARIABLES
    # A kernel that does not know ip= keeps it as a variable.
    most = _MOST_WORDS - (1 if facts.network else 0)
    if len(names) > most:
        raise Unsupported(f"linux takes at most {most} variables on its command line, not {len(names)}")
    for name in names:
        if "." in name:
            # The kernel takes it for a parameter of a module, and drops it.
            raise Unsupported(f"a linux unikernel cannot be given a variable with a dot in its name: {name}")
    return [_word("variable", word) for word in env]


def _program(facts: Facts) -> str:
    if not facts.app.args:
        raise Unsupported("a linux unikernel needs a program to start", hint="give the image a CMD")
    program, *arguments = facts.app.args
    if len(arguments) > _MOST_WORDS:
        raise Unsupported(f"linux takes at most {_MOST_WORDS} arguments, not {len(arguments)}")
    key = "rdinit" if isinstance(facts.root, Initrd) else "init"
    return (
        f"{_word('program', f'{key}={program}')} -- {' '.join(_word('argument', word) for word in arguments)}"
    )


def _line(words: list[str]) -> str:
    line = " ".join(words)
    length = len(line.encode(errors="surrogateescape"))
    if length > _LONGEST:
        raise Unsupported(
            f"the command line of the linux kernel would be {length} bytes long, over {_LONGEST}",
            hint="pass fewer or shorter arguments and variables",
        )
    return line


def _word(kind: str, word: str) -> str:
    """The spelling of `word` that the kernel reads as this very word."""
    key, _, value = word.partition("=")
    for spelling in (word, f'"{word}"', f'{key}="{value}"'):
        if word != "--" and _read(spelling) == word:
            return spelling
    raise Unsupported(f"a linux unikernel cannot be given this {kind} on its command line: {word}")


def _read(spelling: str) -> str | None:
    """What the kernel makes of it; None if that is not one word."""
    quoted = spelling.startswith('"')
    text = spelling[1:] if quoted else spelling
    if not text or not _is_one_word(text, inside=quoted):
        return None
    # A sign of equality in front is part of the name.
    equals = text.find("=", 1) + 1
    if equals and text[equals:].startswith('"'):
        return text[:equals] + text[equals + 1 :].removesuffix('"')
    return text.removesuffix('"') if quoted else text


def _is_one_word(text: str, *, inside: bool) -> bool:
    for character in text.encode(errors="surrogateescape").decode("latin-1"):
        if character in _SPACES and not inside:
            return False
        inside ^= character == '"'
    return not inside
