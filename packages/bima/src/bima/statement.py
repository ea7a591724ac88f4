# SPDX-License-Identifier: Apache-2.0
"""One line of a Containerfile -> a statement: its name, its options, its words.  Pure."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

from bima import words
from bima.instruction import Document, Line, Statement
from urunc_common.rules import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bima.variables import Template

EXAMPLES = {
    "ADD": "ADD rootfs.tar /",
    "ARG": "ARG VERSION=1.0",
    "CMD": 'CMD ["first", "second argument"]',
    "COPY": "COPY kernel /boot/kernel",
    "ENTRYPOINT": 'ENTRYPOINT ["program"]',
    "ENV": 'ENV NAME=value OTHER="two words"',
    "EXPOSE": "EXPOSE 80 53/udp",
    "FROM": "FROM scratch",
    "LABEL": 'LABEL key=value other="two words"',
    "MAINTAINER": "MAINTAINER someone@example.org",
    "RUN": "RUN make",
    "SHELL": 'SHELL ["/bin/sh", "-c"]',
    "STOPSIGNAL": "STOPSIGNAL SIGQUIT",
    "USER": "USER name:group",
    "VOLUME": "VOLUME /data",
    "WORKDIR": "WORKDIR /srv",
}
NOT_SERVED = {
    "HEALTHCHECK": "it runs a program inside the container; have the engine or a probe ask over the network",
    "ONBUILD": "write the instruction into the Containerfile that builds on this one",
}
_OPTIONS = {
    "FROM": ("platform",),
    "COPY": ("from", "chown", "chmod", "link"),
    "ADD": ("chown", "chmod", "checksum", "link"),
}
_OPTION = re.compile(r"--([A-Za-z][\w-]*)(?:=(\S*))?(?:\s+|$)")
_COMMANDS = ("CMD", "ENTRYPOINT", "RUN", "SHELL")
_PAIRS = ("ARG", "ENV", "LABEL")
# The whole rest of the line, blanks and all.
_ONE = ("WORKDIR", "MAINTAINER")


def parse(line: Line, escape: str, documents: Sequence[Document] = ()) -> Statement:
    """Raises ContainerfileError for what no Containerfile can say."""
    name, rest = [*line.text.split(None, 1), ""][:2]
    word = name.upper()
    _require_known(line, name)
    if not rest:
        raise line.error(f"{word} lacks its arguments", f"write it like {EXAMPLES[word]}")
    try:
        return _parse(line, word, rest, escape, tuple(documents))
    except ValueError as error:
        raise line.error(f"{word}: {error}", f"write it like {EXAMPLES[word]}") from error
    except RecursionError as error:
        raise line.error(f"{word}: variables are nested too deeply") from error


def _parse(line: Line, word: str, rest: str, escape: str, documents: tuple[Document, ...]) -> Statement:
    if word in _COMMANDS:
        _require_command(word, rest)
        return Statement(line, word, rest, documents=documents)
    options, rest = _split_options(line, word, rest, escape)
    if word in _PAIRS:
        return Statement(line, word, rest, options, pairs=_pairs(word, rest, escape))
    found = (words.whole(rest, escape),) if word in _ONE else _words(rest, escape)
    return Statement(line, word, rest, options, found, documents=documents)


def _require_command(word: str, rest: str) -> None:
    """Raise ValueError for words that no program can be run with."""
    if word == "SHELL":
        words.array(rest)
    elif word != "RUN":
        words.command(rest)


def _require_known(line: Line, name: str) -> None:
    word = name.upper()
    if word in NOT_SERVED:
        raise line.error(f"{word} is not served", NOT_SERVED[word])
    if word not in EXAMPLES:
        raise line.error(
            f"unknown instruction {name!r}", f"did you mean {nearest(word, (*EXAMPLES, *NOT_SERVED))}?"
        )


def _split_options(
    line: Line, word: str, rest: str, escape: str
) -> tuple[tuple[tuple[str, Template], ...], str]:
    """The options before the words, each of a kind that this instruction has."""
    known, found = _OPTIONS.get(word, ()), []
    while known and (option := _OPTION.match(rest)):
        if option[1] not in known:
            raise line.error(
                f"{word} --{option[1]} is not known", f"did you mean --{nearest(option[1], known)}?"
            )
        found.append((option[1], words.whole(option[2] or "", escape)))
        rest = rest[option.end() :]
    return tuple(found), rest


def _words(rest: str, escape: str) -> tuple[Template, ...]:
    """A JSON array or words; a pattern such as `[ab].bin` begins like the one and is the other."""
    if rest.startswith("["):
        with suppress(ValueError):
            return tuple(words.literal(word, escape) for word in words.array(rest))
    return tuple(words.split(rest, escape))


def _pairs(word: str, rest: str, escape: str) -> tuple[tuple[Template, Template | None], ...]:
    """`NAME=VALUE…`, or docker's old form of one `NAME VALUE`, where the value may have blanks."""
    found = words.split(rest, escape)
    if word != "ARG" and len(found) > 1 and not _has_equals(found[0]):
        name, value = rest.split(None, 1)
        return ((words.whole(name, escape), words.whole(value, escape)),)
    return tuple(_pair(each, alone=word == "ARG") for each in found)


def _has_equals(template: Template) -> bool:
    return any(isinstance(part, str) and "=" in part for part in template)


def _pair(template: Template, *, alone: bool) -> tuple[Template, Template | None]:
    """Split at the first =; a name of ARG may stand alone."""
    for at, part in enumerate(template):
        if isinstance(part, str) and "=" in part:
            name, _, value = part.partition("=")
            pair = _full((*template[:at], name)), _full((value, *template[at + 1 :]))
            if not pair[0]:
                raise ValueError(f"{part!r} has no name before the =")
            return pair
    if not alone:
        raise ValueError(f"{_shown(template)!r} has no =; put a value with blanks in quotation marks")
    return template, None


def _full(template: Template) -> Template:
    return tuple(part for part in template if part)


def _shown(template: Template) -> str:
    return "".join(part if isinstance(part, str) else f"${part.name}" for part in template)
