# SPDX-License-Identifier: Apache-2.0
"""Containerfile text -> instructions.  Pure; errors carry the file, the line and the remedy."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

from bima import words
from bima.errors import ContainerfileError
from bima.instruction import Cmd, Copy, Entrypoint, Env, From, Instruction, Label, Line
from urunc_common.rules import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator

NOT_SERVED = (
    "ADD", "ARG", "EXPOSE", "HEALTHCHECK", "MAINTAINER", "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER",
    "VOLUME", "WORKDIR",
)  # fmt: skip
_DIRECTIVE = re.compile(r"#\s*([A-Za-z][\w-]*)\s*=\s*(.*?)\s*")


_EXAMPLES = {
    "FROM": "FROM scratch",
    "COPY": "COPY kernel /boot/kernel",
    "LABEL": 'LABEL key=value other="two words"',
    "ENV": 'ENV NAME=value OTHER="two words"',
    "CMD": 'CMD ["first", "second argument"]',
    "ENTRYPOINT": 'ENTRYPOINT ["program"]',
}


def parse(text: str, file: str = "Containerfile") -> tuple[Instruction, ...]:
    """All instructions in order; a file without FROM begins with nothing, as FROM scratch does."""
    lines = text.removeprefix("\ufeff").split("\n")
    escape = _escape(lines, file)
    found = tuple(_instruction(line, escape) for line in _logical_lines(lines, file, escape))
    for instruction in found[1:]:
        if isinstance(instruction, From):
            raise instruction.line.error(
                "FROM comes after other instructions",
                "an image has one FROM, at the top; several stages are not served yet",
            )
    return found


def _escape(lines: list[str], file: str) -> str:
    """The parser directive `# escape=`; the other ones change nothing here."""
    for number, line in enumerate(lines, 1):
        directive = _DIRECTIVE.fullmatch(line.strip())
        if not directive:
            break
        if directive[1].lower() == "escape":
            if directive[2] not in ("\\", "`"):
                raise ContainerfileError(file, number, f"escape={directive[2]}", "use a backslash or `")
            return directive[2]
    return "\\"


def _logical_lines(lines: list[str], file: str, escape: str) -> Iterator[Line]:
    """Join continued lines; comments and empty lines are dropped, also between continued ones."""
    start, text = 0, ""
    for number, raw in enumerate(lines, 1):
        line = raw.rstrip()
        if not line or line.lstrip().startswith("#"):
            continue
        start = start or number
        continued = line.endswith(escape) and not line.endswith(escape * 2)
        text += line.removesuffix(escape) if continued else line
        if not continued:
            yield Line(file, start, text.strip())
            start, text = 0, ""
    if text.strip():
        yield Line(file, start, text.strip())


def _instruction(line: Line, escape: str) -> Instruction:
    name, rest = [*line.text.split(None, 1), ""][:2]
    word = name.upper()
    _require_served(line, name)
    if not rest:
        raise line.error(f"{word} lacks its arguments", f"write it like {_EXAMPLES[word]}")
    try:
        return _read(line, word, rest, escape)
    except ValueError as error:
        raise line.error(f"{word}: {error}", f"write it like {_EXAMPLES[word]}") from error


def _require_served(line: Line, name: str) -> None:
    word = name.upper()
    if word in NOT_SERVED:
        raise line.error(f"{word} is not served yet", f"served are {', '.join(_EXAMPLES)}")
    if word not in _EXAMPLES:
        guess = nearest(word, (*_EXAMPLES, *NOT_SERVED))
        raise line.error(f"unknown instruction {name!r}", f"did you mean {guess}?")


def _read(line: Line, word: str, rest: str, escape: str) -> Instruction:
    match word:
        case "FROM":
            return _from(line, rest)
        case "COPY":
            return _copy(line, rest, escape)
        case "LABEL":
            return Label(line, _pairs(rest, escape))
        case "ENV":
            return Env(line, _pairs(rest, escape))
        case "CMD":
            return Cmd(line, words.command(rest))
        case _:
            return Entrypoint(line, words.command(rest))


def _from(line: Line, rest: str) -> From:
    base = next((word for word in rest.split() if not word.startswith("--")), "")
    if rest.startswith("--"):
        raise line.error(f"FROM {rest.split()[0]} is not served yet", "use `bima build --platform`")
    if base != "scratch":
        raise line.error(
            f"FROM {base} is not served yet: an image begins with nothing",
            "write FROM scratch and COPY the kernel from the build directory",
        )
    return From(line)


def _copy(line: Line, rest: str, escape: str) -> Copy:
    for unserved, what in (("--", "the option"), ("<<", "the here-document")):
        if rest.startswith(unserved):
            raise line.error(f"COPY: {what} {rest.split()[0]} is not served yet")
    paths = _paths(rest, escape)
    words.require_possible(paths)
    if len(paths) < 2:
        raise ValueError("a source or the destination is missing")
    if len(paths) > 2 and not paths[-1].endswith("/"):
        raise ValueError(f"several sources need a directory as destination, not {paths[-1]}; end it with /")
    return Copy(line, tuple(paths[:-1]), paths[-1])


def _paths(rest: str, escape: str) -> list[str]:
    """A JSON array or words; a pattern such as `[ab].bin` begins like the one and is the other."""
    if rest.startswith("["):
        with suppress(ValueError):
            return words.array(rest)
    return words.split(rest, escape)


def _pairs(rest: str, escape: str) -> tuple[tuple[str, str], ...]:
    """`NAME=VALUE…`, or docker's old form of one `NAME VALUE`, where the value may have blanks."""
    found = words.split(rest, escape)
    if "=" not in found[0] and len(found) > 1:
        name, value = rest.split(None, 1)
        return ((words.unquote(name, escape), words.unquote(value, escape)),)
    return tuple(_pair(word) for word in found)


def _pair(word: str) -> tuple[str, str]:
    key, equals, value = word.partition("=")
    if not equals:
        raise ValueError(f"{word!r} has no =; put a value with blanks in quotation marks")
    if not key:
        raise ValueError(f"{word!r} has no name before the =")
    return key, value
