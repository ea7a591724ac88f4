# SPDX-License-Identifier: Apache-2.0
"""What each instruction does to a stage."""

from __future__ import annotations

from dataclasses import replace
from posixpath import join
from typing import TYPE_CHECKING, Any

from bima.copying import copy
from bima.errors import ContextError, ImageError
from bima.image import Step
from bima.instruction import (
    Arg,
    Cmd,
    Copy,
    Entrypoint,
    Env,
    Expose,
    Instruction,
    Label,
    Maintainer,
    Shell,
    StopSignal,
    User,
    Volume,
    Workdir,
)  # fmt: skip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from bima.context import Origin
    from bima.staged import Staged

# containerd refuses to make a container with a longer label.
LONGEST_LABEL = 4096


def perform(
    instruction: Instruction,
    staged: Staged,
    find_origin: Callable[[Copy], Origin],
    given: Mapping[str, str],
) -> None:
    """Change the stage; `given` are the values of ARGs that are known from elsewhere."""
    match instruction:
        case Copy():
            _copy(instruction, staged, find_origin)
        case Workdir(line, path):
            path = join(staged.config.working_dir or "/", path)
            staged.config = replace(staged.config, working_dir=path)
            staged.add_directory(path, line.text)
        case Arg(line, pairs):
            values = {name: given.get(name, default) for name, default in pairs}
            staged.arguments |= {name: value for name, value in values.items() if value is not None}
            staged.steps.append(Step(line.text))
        case _:
            staged.config = replace(staged.config, **_changes(instruction, staged))
            staged.has_cmd = staged.has_cmd or isinstance(instruction, Cmd)
            staged.steps.append(Step(instruction.line.text))


def _copy(instruction: Copy, staged: Staged, find_origin: Callable[[Copy], Origin]) -> None:
    line = instruction.line
    try:
        copy(instruction, find_origin(instruction), staged.tree, staged.config.working_dir)
    except (ContextError, ImageError) as error:
        raise type(error)(f"{line.place}: {error}", hint=error.hint) from error
    staged.add_layer(line.text)


def _changes(instruction: Instruction, staged: Staged) -> dict[str, Any]:
    """The fields of the configuration that an instruction gives other values."""
    config = staged.config
    match instruction:
        case Label(_, pairs):
            _require_short(instruction)
            return {"labels": {**config.labels, **dict(pairs)}}
        case Env(_, pairs):
            return {"env": merge_env(config.env, [f"{name}={value}" for name, value in pairs])}
        case Cmd():
            return {"cmd": _command(instruction, staged)}
        case Entrypoint():
            kept = config.cmd if staged.has_cmd else ()
            return {"entrypoint": _command(instruction, staged), "cmd": kept}
        case Shell(_, words):
            return {"shell": words}
        case User(_, name):
            return {"user": name}
        case Expose(_, ports):
            return {"ports": tuple(dict.fromkeys((*config.ports, *ports)))}
        case Volume(_, paths):
            return {"volumes": tuple(dict.fromkeys((*config.volumes, *paths)))}
        case StopSignal(_, signal):
            return {"stop_signal": signal}
        case Maintainer(_, name):
            return {"author": name}
    raise AssertionError(instruction)


def _command(instruction: Cmd | Entrypoint, staged: Staged) -> tuple[str, ...]:
    """A command that is written as text is the shell's to split, where there is one."""
    shell = staged.shell if instruction.text else ()
    return (*shell, instruction.text) if shell else instruction.words


def merge_env(old: Iterable[str], new: Iterable[str]) -> tuple[str, ...]:
    """NAME=VALUE in order of their first mention; the last value counts."""
    return tuple({each.partition("=")[0]: each for each in (*old, *new)}.values())


def _require_short(label: Label) -> None:
    for key, value in label.pairs:
        size = len(key.encode()) + len(value.encode())
        if size > LONGEST_LABEL:
            raise label.line.error(
                f"label {key} and its value have {size} bytes, more than the {LONGEST_LABEL}"
                " that containerd takes",
                "put long text in a file and COPY it",
            )
