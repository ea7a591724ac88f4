# SPDX-License-Identifier: Apache-2.0
"""The command line: a table of commands, each loaded when called, and the one place that prints errors."""

from __future__ import annotations

import sys
import traceback
from importlib import import_module
from typing import TYPE_CHECKING

import click

from bima import __version__
from urunc_common.errors import Error
from urunc_common.rules import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

COMMANDS: Mapping[str, str] = {
    "build": "package a unikernel as an image",
    "cat": "print files of an image",
    "convert": "make an ordinary image, or one of Unikraft's, boot",
    "copy": "bring an image from anywhere to anywhere",
    "diff": "tell how two images differ",
    "history": "show what made each layer of an image",
    "images": "list the images",
    "inspect": "print what an image says, as JSON",
    "lint": "tell what is likely wrong with an image",
    "login": "try and keep a password for a registry",
    "logout": "forget the password for a registry",
    "logs": "print what a container in the background has printed",
    "ls": "list files of an image",
    "pack": "package a kernel and a root file system as an image",
    "ps": "list the containers",
    "pull": "fetch an image from its registry",
    "push": "send an image to its registry",
    "rm": "remove containers that have ended",
    "rmi": "remove images",
    "run": "boot an image",
    "stop": "end containers",
    "tag": "give an image another name",
    "tags": "list what a registry has of a repository",
    "tree": "show the files of an image",
    "verify": "tell what other versions of urunc make of an image",
    "version": "print the version",
}
_INTERRUPTED = 130


class LazyGroup(click.Group):
    """Commands are modules; the table knows enough to list them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            ctx.fail(f"unknown command {cmd_name!r}; did you mean {nearest(cmd_name, COMMANDS)}?")
        command: click.Command = import_module(f"bima.commands.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group("bima", cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="bima %(version)s")
def cli() -> None:
    """Package unikernels as OCI images, deliver them anywhere, and run them."""


def main() -> None:
    """Run the program; a failure is one sentence on stderr."""
    try:
        status = cli.main(prog_name="bima", standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        _fail("interrupted", _INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except Error as error:
        _fail(error.sentence, error.exit_code)
    except OSError as error:
        _fail(_sentence(error), 1)
    except Exception as error:
        _fail(f"{_internal(error)}; please report this", 1)
    sys.exit(status if isinstance(status, int) else 0)


def _fail(sentence: str, status: int) -> None:
    click.echo(f"bima: {sentence}", err=True)
    sys.exit(status)


def _internal(error: Exception) -> str:
    """A mistake of ours, in one line; where it happened is all that a report needs."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"internal error at {place.filename}:{place.lineno}: {type(error).__name__}: {error}"


def _sentence(error: OSError) -> str:
    what = (error.strerror or str(error)).lower()
    return f"{error.filename}: {what}" if error.filename else what
