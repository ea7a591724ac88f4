# SPDX-License-Identifier: Apache-2.0
"""A statement and the values of its variables -> an instruction.  Pure."""

from __future__ import annotations

import re
import signal
from contextlib import suppress
from functools import partial
from posixpath import normpath
from typing import TYPE_CHECKING

from bima import words
from bima.instruction import (
    Arg,
    Cmd,
    Copy,
    Entrypoint,
    Env,
    Expose,
    From,
    Instruction,
    Label,
    Maintainer,
    Run,
    Shell,
    StopSignal,
    User,
    Volume,
    Workdir,
)  # fmt: skip
from bima.statement import EXAMPLES
from bima.variables import expand

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bima.instruction import Statement
    from bima.variables import Template

    Expand = Callable[[Template], str]

_MODE = re.compile(r"[0-7]{3,4}")
_OWNER = re.compile(r"[^:\s]+(?::[^:\s]+)?")
_PORT = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?(?:/(tcp|udp|sctp))?", re.IGNORECASE)
_ADDRESS = re.compile(r"[a-z]+://|git@")
_CHECKSUM = re.compile(r"sha256:[0-9a-f]{64}")
_LAST_PORT = 65535


def evaluate(statement: Statement, values: Mapping[str, str]) -> Instruction:
    """Raises ContainerfileError for what the words say once they are whole."""
    line = statement.line
    try:
        instruction = _READERS[statement.word](statement, partial(expand, values=values))
    except ValueError as error:
        example = f"write it like {EXAMPLES[statement.word]}"
        raise line.error(f"{statement.word}: {error}", example) from error
    except RecursionError as error:
        raise line.error(f"{statement.word}: variables are nested too deeply") from error
    return instruction


def _from(statement: Statement, value: Expand) -> From:
    found = [value(word) for word in statement.words]
    if not found or not found[0]:
        raise ValueError("the base image has an empty name")
    if len(found) not in (1, 3) or (len(found) == 3 and found[1].upper() != "AS"):
        raise ValueError(f"{' '.join(found)!r} is neither BASE nor BASE AS NAME")
    return From(statement.line, found[0], found[2] if len(found) == 3 else "", **_options(statement, value))


def _copy(statement: Statement, value: Expand) -> Copy:
    found = [value(word) for word in statement.words]
    words.require_possible(found)
    options = _options(statement, value)
    documents = tuple((each.name, value(each.text).encode()) for each in statement.documents)
    sources = tuple(
        source for source in found[:-1] if not (documents and source.lstrip("0123456789").startswith("<<"))
    )
    if not found[1:] or "" in found:
        raise ValueError("a source or the destination is missing")
    if len(sources) + len(documents) > 1 and not found[-1].endswith("/"):
        raise ValueError(f"several sources need a directory as destination, not {found[-1]}; end it with /")
    return Copy(
        statement.line,
        sources,
        found[-1],
        options.get("from", ""),
        _owner(options.get("chown", "")),
        _mode(options.get("chmod", "")),
        documents,
        unpack=statement.word == "ADD",
        checksum=_checksum(options.get("checksum", "")),
    )


def is_address(source: str) -> bool:
    """Whether a source of ADD is somewhere else."""
    return bool(_ADDRESS.match(source))


def _checksum(checksum: str) -> str:
    if checksum and not _CHECKSUM.fullmatch(checksum):
        raise ValueError(f"the checksum {checksum!r} is not sha256: and 64 hex digits")
    return checksum


def _owner(text: str) -> str:
    if text and not _OWNER.fullmatch(text):
        raise ValueError(f"--chown={text} is not USER or USER:GROUP")
    return text


def _mode(text: str) -> int | None:
    if text and not _MODE.fullmatch(text):
        raise ValueError(f"--chmod={text} is not octal, as 755 is")
    return int(text, 8) if text else None


def _pairs(statement: Statement, value: Expand) -> tuple[tuple[str, str], ...]:
    found = tuple((value(name), value(text or ())) for name, text in statement.pairs)
    if any(not name for name, _ in found):
        raise ValueError("a name is empty")
    return found


def _arg(statement: Statement, value: Expand) -> Arg:
    pairs = ((value(name), None if text is None else value(text)) for name, text in statement.pairs)
    return Arg(statement.line, tuple(pairs))


def _command(kind: type[Cmd] | type[Entrypoint], statement: Statement, value: Expand) -> Cmd | Entrypoint:
    del value  # it is the shell's to know variables
    text = "" if statement.rest.startswith(("[", "{")) else statement.rest
    return kind(statement.line, words.command(statement.rest), text)


def _shell(statement: Statement, value: Expand) -> Shell:
    del value
    found = tuple(words.array(statement.rest))
    if not found:
        raise ValueError("the shell has no program")
    return Shell(statement.line, found)


def _workdir(statement: Statement, value: Expand) -> Workdir:
    path = _only(statement, value)
    words.require_possible([path])
    return Workdir(statement.line, path if path == "/" else normpath(path))


def _expose(statement: Statement, value: Expand) -> Expose:
    found = " ".join(value(word) for word in statement.words).split()
    return Expose(statement.line, tuple(port for word in found for port in _ports(word)))


def _ports(word: str) -> list[str]:
    """`80`, `53/udp` or `8000-8010` -> each port with its protocol."""
    match = _PORT.fullmatch(word)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not match or not 0 < first <= last <= _LAST_PORT:
        raise ValueError(f"{word!r} is no port")
    return [f"{port}/{(match[3] or 'tcp').lower()}" for port in range(first, last + 1)]


def _volume(statement: Statement, value: Expand) -> Volume:
    paths = tuple(value(word) for word in statement.words)
    words.require_possible(paths)
    if "" in paths:
        raise ValueError("a path is empty")
    return Volume(statement.line, paths)


def _stop_signal(statement: Statement, value: Expand) -> StopSignal:
    found = _only(statement, value)
    with suppress(ValueError):
        if 0 < int(found) <= signal.SIGRTMAX:
            return StopSignal(statement.line, found)
    if f"SIG{found.upper().removeprefix('SIG')}" not in _SIGNALS:
        raise ValueError(f"{found!r} is no signal")
    return StopSignal(statement.line, found)


def _only(statement: Statement, value: Expand) -> str:
    found = [value(word) for word in statement.words]
    if len(found) != 1 or not found[0]:
        raise ValueError(f"it takes one word, not {len(found)}" if found[1:] else "the word is empty")
    return found[0]


def _options(statement: Statement, value: Expand) -> dict[str, str]:
    """The options but `--link`, which says how a layer is made: here, each is made like that."""
    return {name: value(text) for name, text in statement.options if name != "link"}


_SIGNALS = {each.name for each in signal.Signals} | {
    f"SIGRTMIN+{number}" for number in range(1, signal.SIGRTMAX - signal.SIGRTMIN + 1)
}
_READERS: Mapping[str, Callable[[Statement, Expand], Instruction]] = {
    "ADD": _copy,
    "ARG": _arg,
    "CMD": partial(_command, Cmd),
    "COPY": _copy,
    "ENTRYPOINT": partial(_command, Entrypoint),
    "ENV": lambda statement, value: Env(statement.line, _pairs(statement, value)),
    "EXPOSE": _expose,
    "FROM": _from,
    "LABEL": lambda statement, value: Label(statement.line, _pairs(statement, value)),
    "MAINTAINER": lambda statement, value: Maintainer(statement.line, _only(statement, value)),
    "RUN": lambda statement, _value: Run(statement.line),
    "SHELL": _shell,
    "STOPSIGNAL": _stop_signal,
    "USER": lambda statement, value: User(statement.line, _only(statement, value)),
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}
