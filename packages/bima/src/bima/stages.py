# SPDX-License-Identifier: Apache-2.0
"""Statements -> the stages that an image needs.  Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bima.errors import UsageError
from bima.evaluation import evaluate
from bima.instruction import Arg, Copy, From, Line, Statement
from urunc_common.rules import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SCRATCH = "scratch"
# Known without ARG, as the tools that build containers have it.
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
_PREDEFINED = frozenset((*PROXIES, *map(str.lower, PROXIES), "SOURCE_DATE_EPOCH"))


@dataclass(frozen=True)
class Stage:
    """What one FROM begins; `values` are those of the ARGs before the first one."""

    number: int
    start: From
    statements: tuple[Statement, ...]
    values: Mapping[str, str]
    # The last line, or 0 for the end of the file.
    end: int = 0

    def is_called(self, name: str) -> bool:
        """Whether FROM and --from mean this stage with the name."""
        return name.lower() == self.start.name.lower() != "" or name == str(self.number)

    @property
    def run(self) -> Line | None:
        """The first RUN, which we cannot do ourselves."""
        return next((each.line for each in self.statements if each.word == "RUN"), None)


def split(
    statements: Sequence[Statement], arguments: Mapping[str, str], platform: Mapping[str, str]
) -> tuple[Stage, ...]:
    """All stages; `arguments` come from the command line, `platform` are TARGETARCH and the like."""
    first = next((at for at, each in enumerate(statements) if each.word == "FROM"), 0)
    values, before = dict(platform), statements[:first]
    for each in before:
        instruction = evaluate(each, values)
        if not isinstance(instruction, Arg):
            raise each.line.error(f"{each.word} comes before FROM", "only ARG may")
        values.update({name: arguments.get(name, default or "") for name, default in instruction.pairs})
    _require_used(statements, arguments, platform)
    return _stages(statements[first:], values)


def find(stages: Sequence[Stage], target: str) -> Stage:
    """The stage that is to become the image: the last one, or that of the name."""
    if not target:
        return stages[-1]
    for stage in stages:
        if stage.is_called(target):
            return stage
    names = [stage.start.name or str(stage.number) for stage in stages]
    raise UsageError(f"there is no stage {target!r}", hint=f"did you mean {nearest(target, names)}?")


def earlier(stages: Sequence[Stage], stage: Stage, name: str) -> Stage | None:
    """The stage before this one that has the name, the nearest first."""
    return next((each for each in reversed(stages[: stage.number]) if each.is_called(name)), None)


def origin(statement: Statement, values: Mapping[str, str]) -> str:
    """What COPY --from names."""
    instruction = evaluate(statement, values)
    return instruction.origin if isinstance(instruction, Copy) else ""


def _stages(statements: Sequence[Statement], values: Mapping[str, str]) -> tuple[Stage, ...]:
    found: list[Stage] = []
    start, own = From(statements[0].line if statements else Line("", 1, "")), list[Statement]()
    for each in statements:
        if each.word != "FROM":
            own.append(each)
            continue
        if each is not statements[0]:
            found.append(Stage(len(found), start, tuple(own), values, each.line.number - 1))
        evaluated = evaluate(each, values)
        assert isinstance(evaluated, From)
        start, own = evaluated, []
    return (*found, Stage(len(found), start, tuple(own), values))


def _require_used(
    statements: Sequence[Statement], arguments: Mapping[str, str], platform: Mapping[str, str]
) -> None:
    """Refuse a --build-arg that no ARG takes: it is a slip of the pen."""
    known = {"".join(map(str, name)) for each in statements if each.word == "ARG" for name, _ in each.pairs}
    known |= _PREDEFINED | platform.keys()
    for name in arguments:
        if name not in known:
            raise UsageError(f"no ARG takes --build-arg {name}", hint=f"did you mean {nearest(name, known)}?")
