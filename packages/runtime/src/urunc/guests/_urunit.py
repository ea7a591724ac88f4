# SPDX-License-Identifier: Apache-2.0
"""Linux images whose first process is urunit: everything on the kernel's command line, the rest in its file.

The line is byte for byte the one that other implementations write.  The kernel splits it at spaces outside
double quotes, and strips a quote that begins a word or a value. It has no escape, and after `--` another `--`
ends the arguments.
"""

from __future__ import annotations

from urunc.errors import Unsupported
from urunc.guests._words import netmask
from urunc.machine import DISK_NAMES, NINEP, Block, Initrd, Share
from urunc_common.cpio import File, archive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.machine import Facts

# The kernel panics at one argument more (CONFIG_INIT_ENV_ARG_LIMIT), and cuts a longer line off.
_MOST_WORDS = 32
_LONGEST = 2047
# Bytes; the last one also occurs inside letters of UTF-8, which the kernel does not know.
_SPACES = " \t\n\v\f\r\xa0"
# A disk's name; it looks at nine letters of one.
EXTRA = "annot_vol"
_IN_AN_INITRD, _AS_THE_INITRD = "/urunit.conf", "/sys/firmware/initrd"
_NINEP_OPTIONS = "trans=virtio,version=9p2000.L,msize=5000000,cache=mmap,posixacl"


def is_first(args: tuple[str, ...]) -> bool:
    """Whether the program is urunit."""
    return bool(args) and "urunit" in args[0]


def cmdline(facts: Facts, before: list[str]) -> str:
    """The whole line, with the kernel's own words in front."""
    words = [*before, *_root(facts), *_address(facts), *_configuration(facts), _program(facts)]
    line = " ".join(words)
    length = len(line.encode(errors="surrogateescape"))
    if length > _LONGEST:
        raise Unsupported(
            f"the command line of the linux kernel would be {length} bytes long, over {_LONGEST}",
            hint="pass fewer or shorter arguments",
        )
    return line


def initrd(facts: Facts) -> bytes:
    """What is given to the kernel for urunit, behind the image's initrd if there is one."""
    text = _file(facts)
    return (
        archive([File(_IN_AN_INITRD, text, 0o400), *facts.copies]) if isinstance(facts.root, Initrd) else text
    )


def _file(facts: Facts) -> bytes:
    app = facts.app
    for word in app.env:
        if "\n" in word or word.startswith("UEE"):
            raise Unsupported(f"urunit cannot be given this variable: {word.partition('=')[0]}")
    lines = [
        "UES", *app.env, "UEE",
        "UCS", f"UID:{app.uid}", f"GID:{app.gid}", f"WD:{app.cwd}", "UCE",
        "UBS", *_extra(facts), "UBE", "",
    ]  # fmt: skip
    return "\n".join(lines).encode(errors="surrogateescape")


def _extra(facts: Facts) -> list[str]:
    """Without names it counts disks, and takes the first one for the root."""
    if not facts.extra:
        return []
    if DISK_NAMES not in facts.offers and not isinstance(facts.root, Block):
        raise Unsupported(
            "urunit would not find the block image: here it takes the first disk for the root",
            hint="set blkMntPoint to /, or leave urunit out",
        )
    by_order = "" if DISK_NAMES in facts.offers else "FC"
    return [f"ID:{by_order}{EXTRA}", f"MP:{facts.extra.mount_point}"]


def _root(facts: Facts) -> list[str]:
    root = facts.root
    if isinstance(root, Initrd):
        return ["root=/dev/ram0", "rw"]
    if isinstance(root, Block):
        return ["root=/dev/vda", "ro" if root.readonly else "rw"]
    if isinstance(root, Share):
        access = "ro" if root.readonly else "rw"
        options = [f"rootflags={_NINEP_OPTIONS}"] if root.kind == NINEP else []
        return [f"root={root.tag}", access, f"rootfstype={root.kind}", *options]
    return []


def _address(facts: Facts) -> list[str]:
    net = facts.network
    if not net or not net.address:
        return []
    return [f"ip={net.address}::{net.gateway}:{netmask(net.prefix)}:urunc:eth0:off"]


def _configuration(facts: Facts) -> list[str]:
    where = (
        [f"URUNIT_CONFIG={_IN_AN_INITRD}"]
        if isinstance(facts.root, Initrd)
        else ["retain_initrd", f"URUNIT_CONFIG={_AS_THE_INITRD}"]
    )
    return [*where, "URUNIT_DEFROUTE=1"] if _gateway_is_outside(facts) else where


def _gateway_is_outside(facts: Facts) -> bool:
    net = facts.network
    if not net or not net.address or not net.gateway:
        return False
    shift = 32 - net.prefix
    return _number(net.address) >> shift != _number(net.gateway) >> shift


def _number(address: str) -> int:
    parts = [int(part) for part in address.split(".")]
    return parts[0] << 24 | parts[1] << 16 | parts[2] << 8 | parts[3]


def _program(facts: Facts) -> str:
    program, *arguments = facts.app.args
    if len(arguments) > _MOST_WORDS:
        raise Unsupported(f"linux takes at most {_MOST_WORDS} arguments, not {len(arguments)}")
    key = "rdinit" if isinstance(facts.root, Initrd) else "init"
    return f"{_word(f'{key}={program}')} -- {' '.join(_argument(word) for word in arguments)}"


def _argument(word: str) -> str:
    """urunit joins what stands between quotes, which the kernel hands it in pieces."""
    if " " in word and "'" not in word:
        return f"'{word}'"
    return _word(word)


def _word(word: str) -> str:
    """The spelling of `word` that the kernel reads as this very word."""
    key, _, value = word.partition("=")
    for spelling in (word, f'"{word}"', f'{key}="{value}"'):
        if word != "--" and _read(spelling) == word:
            return spelling
    raise Unsupported(f"a linux unikernel cannot be given this word on its command line: {word}")


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
