# SPDX-License-Identifier: Apache-2.0
"""The command line for people: help, completion and messages about mistakes, by click, from the table in
`cli`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NoReturn

import click

from urunc import __version__, cli
from urunc.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SPEC_VERSION = "1.2.0"


def program(words: Sequence[str]) -> NoReturn:
    """Run click on a command line, and exit."""
    words = list(words)
    group = click.Group(
        "urunc",
        commands={name: _command(name, verb, words) for name, verb in cli.VERBS.items()},
        params=[*_options(cli.GLOBAL_VALUES, cli.GLOBAL_FLAGS), _version()],
        help="An OCI runtime that boots unikernels.",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    try:
        status = group.main(words, prog_name="urunc", standalone_mode=False)
    except click.UsageError as error:
        hint = f"see {error.ctx.command_path if error.ctx else 'urunc'} --help"
        status = cli.fail(words, UsageError(error.format_message().rstrip("."), hint=hint))
    except click.Abort:
        status = 130
    raise SystemExit(status or 0)


def _command(name: str, verb: cli.Verb, words: Sequence[str]) -> click.Command:
    arguments = [
        click.Argument([argument.strip("[]")], required=not argument.startswith("["))
        for argument in verb.arguments
    ]
    if verb.rest:
        arguments.append(click.Argument([verb.rest], nargs=-1))
    return click.Command(
        name,
        callback=lambda **values: _execute(name, values, words),
        params=[*arguments, *_options(verb.values, verb.flags, verb.lists)],
        help=verb.help[0].upper() + verb.help[1:] + ".",
        context_settings={"allow_interspersed_args": not verb.rest},
    )


def _options(
    values: Mapping[str, str], flags: Mapping[str, str], lists: Mapping[str, str] = {}
) -> list[click.Parameter]:
    short = {long: letter for letter, long in cli.SHORT.items()}
    return [
        click.Option(
            [name, *([short[name]] if name in short else [])],
            help=text,
            is_flag=name in flags,
            multiple=name in lists,
        )
        for name, text in {**values, **flags, **lists}.items()
    ]


def _execute(name: str, values: dict[str, Any], words: Sequence[str]) -> NoReturn:
    """Here only if click understands what the hand parser did not, such as combined short options."""
    parent = click.get_current_context().parent
    given = {key: value for key, value in (parent.params if parent else {}).items() if value}
    call = cli.Call(given, name, {key: value for key, value in values.items() if value})
    os._exit(cli.execute(call, words))


def _version() -> click.Option:
    def show(context: click.Context, _parameter: click.Parameter, *values: bool) -> None:
        if any(values) and not context.resilient_parsing:
            # Engines look for the word "version" and the specification in this text.
            click.echo(f"urunc version {__version__}\nspec: {_SPEC_VERSION}")
            context.exit()

    return click.Option(
        ["--version", "-v"],
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=show,
        help="print the version",
    )
