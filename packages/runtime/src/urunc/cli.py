# SPDX-License-Identifier: Apache-2.0
"""The command line, as one table; runc's words.

A verb that an engine calls is parsed here by hand, since importing click takes longer than the verb
itself.  What this parser does not understand, be it `--help` or a mistake, goes to `urunc.help`, whose
click program is made from the same table.
"""

from __future__ import annotations

import posix
import sys
import time

from urunc import state
from urunc.errors import HostError, Unsupported, UsageError
from urunc.host import files
from urunc_common.errors import Error
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, NoReturn

    from urunc.log import Log
    from urunc.settings import Settings

DEFAULT_ROOT = "/run/urunc"
SHIM_VARIABLE = b"URUNC_SHIM"
# What runc and crun keep in the directory of a container.
_FOREIGN_STATE = ("state.json", "status")


class Verb(Record):
    """One sub-command: its help, its positional arguments, options with a value, and flags."""

    help: str
    arguments: tuple[str, ...] = ()
    """A name in brackets may be left out."""
    values: Mapping[str, str] = {}
    flags: Mapping[str, str] = {}
    lists: Mapping[str, str] = {}
    """Options with a value that may be given several times."""
    rest: str = ""
    """What all words from the last argument on are called; options then stand before the arguments."""
    hot: bool = False


GLOBAL_VALUES: Mapping[str, str] = {
    "--root": "directory of the containers' state",
    "--log": "file that the log is appended to",
    "--log-format": "text or json",
    "--timestamps": "file that the times of all phases are appended to, for `urunc trace`",
    "--rootless": "auto, true or false; accepted as runc does",
}
GLOBAL_FLAGS: Mapping[str, str] = {
    "--debug": "log every phase, with its time",
    "--systemd-cgroup": "let systemd make the cgroup, as a cgroupsPath like slice:prefix:name does, too",
}
SHORT: Mapping[str, str] = {
    "-b": "--bundle",
    "-a": "--all",
    "-f": "--force",
    "-d": "--detach",
    "-q": "--quiet",
    "-r": "--resources",
    "-e": "--env",
    "-t": "--tty",
    "-u": "--user",
    "-g": "--additional-gids",
    "-p": "--process",
    "-c": "--cap",
}
_BUNDLE = {"--bundle": "directory with config.json (default: the current one)"}
_CREATE_VALUES = {
    **_BUNDLE,
    "--pid-file": "file that the process id is written to",
    "--console-socket": "socket that receives the terminal",
    "--preserve-fds": "accepted as runc does; a monitor inherits no descriptors",
}
_CREATE_FLAGS = {
    "--no-pivot": "accepted as runc does; the monitor's root is always pivoted into",
    "--no-new-keyring": "accepted as runc does",
}
_EXEC_VALUES = {
    "--process": "file with the process object of the specification, instead of a program",
    "--cwd": "working directory (default: the container's)",
    "--user": "UID[:GID] (default: the container's)",
    "--pid-file": "file that the process id of its relay is written to",
    "--console-socket": "socket that receives the terminal",
    "--preserve-fds": "accepted as runc does; a guest inherits no descriptors",
    "--process-label": "accepted as runc does; labels are the guest's own",
    "--apparmor": "accepted as runc does; profiles are the guest's own",
    "--cgroup": "accepted as runc does; the relay is in the container's cgroup",
}
VERBS: Mapping[str, Verb] = {
    "create": Verb(
        "make a container, which waits for start", ("id",), _CREATE_VALUES, _CREATE_FLAGS, hot=True,
    ),
    "start": Verb("start a created container", ("id",), hot=True),
    "state": Verb("print the state of a container", ("id",), hot=True),
    "kill": Verb(
        "send a signal (default TERM)", ("id", "[signal]"), flags={"--all": "to all processes"}, hot=True,
    ),
    "delete": Verb("delete a stopped container", ("id",), flags={"--force": "kill it first"}, hot=True),
    "run": Verb(
        "create and start a container", ("id",), _CREATE_VALUES,
        {**_CREATE_FLAGS, "--detach": "do not wait for it to end", "--keep": "do not delete it when it ends"},
    ),
    "list": Verb(
        "list the containers", values={"--format": "table or json"}, flags={"--quiet": "only the ids"},
    ),
    "pause": Verb("pause the processes of a container", ("id",), hot=True),
    "resume": Verb("resume a paused container", ("id",), hot=True),
    "update": Verb(
        "change what a container may take", ("id",),
        {
            "--resources": "file with linux.resources, or - for standard input; then all else is ignored",
            "--blkio-weight": "weight for block devices, 10 to 1000",
            "--cpu-burst": "microseconds that may be saved up",
            "--cpu-idle": "1 for work that need not be done",
            "--cpu-period": "microseconds",
            "--cpu-quota": "microseconds in each period, -1 for no limit",
            "--cpu-rt-period": "microseconds",
            "--cpu-rt-runtime": "microseconds in each period",
            "--cpu-share": "weight among other containers",
            "--cpuset-cpus": "processors, like 0-2,5",
            "--cpuset-mems": "nodes of memory, like 0",
            "--kernel-memory": "refused: Linux no longer has it",
            "--kernel-memory-tcp": "bytes",
            "--memory": "bytes, or like 64m; -1 for no limit",
            "--memory-reservation": "bytes, or like 64m",
            "--memory-swap": "bytes of memory and swap together; -1 for no limit",
            "--pids-limit": "number of processes, -1 for no limit",
            "--l3-cache-schema": "refused",
            "--mem-bw-schema": "refused",
        },
        hot=True,
    ),
    "events": Verb(
        "print what a container takes, and when memory is short",
        ("id",),
        {"--interval": "time between two reports, like 5s (default)"},
        {"--stats": "print it once"},
    ),
    "ps": Verb("list the processes of a container", ("id",), {"--format": "table or json"}),
    "doctor": Verb(
        "say what this host has and lacks, and what crashes have left",
        values={"--format": "table or json"},
        flags={"--clean": "remove what is left, and say nothing else"},
    ),
    "exec": Verb(
        "run one more program in a Linux guest", ("id",), _EXEC_VALUES,
        {
            "--tty": "give it a terminal", "--detach": "do not wait for it to end",
            "--no-new-privs": "accepted as runc does; the guest is the program's own",
            "--ignore-paused": "accepted as runc does; a guest that is paused does not answer",
        },
        {
            "--env": "NAME=VALUE, besides the container's",
            "--additional-gids": "further groups",
            "--cap": "accepted as runc does; root has all capabilities in its guest",
        },
        rest="args",
    ),
    "trace": Verb(
        "show where the time of a container went, as --timestamps has recorded it",
        ("file", "[id]"),
        {"--svg": "file that a picture of it is written to"},
    ),
    "features": Verb("print what this runtime can do, as JSON"),
    "spec": Verb(
        "write an example config.json, or explain one that is there",
        values=_BUNDLE,
        flags={"--explain": "say what would be done with the bundle, and why; nothing is made"},
    ),
}  # fmt: skip
# Verbs of runc that a unikernel's container cannot follow; for an ordinary container they are handed over.
UNSERVED = ("checkpoint", "restore")

# Verbs whose phases can be recorded.
RECORDED = ("create", "start", "kill", "delete", "run")


class Unknown(Exception):
    """The hand parser does not understand this; click will, or will say why not."""


class Call(Record):
    """A parsed command line."""

    globals: Mapping[str, Any]
    verb: str
    options: Mapping[str, Any]


class Context:
    """What a verb is given besides its own options."""

    def __init__(self, settings: Settings, root: str, log: Log, argv: Sequence[str]) -> None:
        self.settings, self.root, self.log, self.argv = settings, root, log, argv
        self.systemd = False
        """Whether systemd is to make the cgroups."""

    def delegate(self) -> NoReturn:
        """Become the ordinary runtime, with the same command line.  Raises Unsupported if there is none."""
        from urunc.host import process

        name = self.settings.delegate
        environment = outside_shim(posix.environ)
        path = process.search(name, environment.get(b"PATH", b"").decode()) if "/" not in name else name
        words = [name, *([] if "--root" in self.argv else ["--root", self.root]), *self.argv]
        try:
            posix.execve(path or name, words, environment)
        except OSError as error:
            raise Unsupported(
                f"an ordinary container, but {name}, which runs those, cannot be executed: {error.strerror}",
                hint=f"install {name}, or name another in runtime.delegate of the configuration",
            ) from error

    def require_ours(self, container_id: str) -> None:
        """Hand over to the ordinary runtime if the container is one of its own."""
        directory = state.directory(self.root, container_id)
        if files.exists(f"{directory}/{state.FILE}"):
            return
        if any(files.exists(f"{directory}/{name}") for name in _FOREIGN_STATE):
            self.delegate()

    def lock(self, container_id: str) -> int:
        """The lock of a container that is ours.  Raises NotFound."""
        self.require_ours(container_id)
        return state.lock(self.root, container_id)


def outside_shim(environment: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Pure: as it was before containerd's shim for urunc put a folder where we are called runc first."""
    kept = dict(environment)
    if folder := kept.pop(SHIM_VARIABLE, b""):
        kept[b"PATH"] = b":".join(one for one in kept.get(b"PATH", b"").split(b":") if one != folder)
    return kept


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit; buffers are not flushed, since nothing here uses them."""
    invoked = time.monotonic_ns()
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        call = parse(words)
    except Unknown:
        from urunc.help import program

        program(words)
    posix._exit(execute(call, words, invoked))


def parse(words: Sequence[str]) -> Call:
    """Pure: what a command line says.  Raises Unknown."""
    given, rest = _parse_options(words, Verb("", values=GLOBAL_VALUES, flags=GLOBAL_FLAGS), interleaved=False)
    if rest and rest[0] in UNSERVED and "--help" not in rest and "-h" not in rest:
        return Call(given, "unserved", {"verb": rest[0], "words": tuple(rest[1:])})
    if not rest or rest[0] not in VERBS:
        raise Unknown
    verb = VERBS[rest[0]]
    options, arguments = _parse_options(rest[1:], verb, interleaved=not verb.rest)
    return Call(given, rest[0], {**options, **_name_arguments(verb, arguments)})


def _name_arguments(verb: Verb, words: list[str]) -> dict[str, Any]:
    required = [name for name in verb.arguments if not name.startswith("[")]
    if len(words) < len(required) or (len(words) > len(verb.arguments) and not verb.rest):
        raise Unknown
    named = dict(zip((name.strip("[]") for name in verb.arguments), words, strict=False))
    return {**named, verb.rest: tuple(words[len(verb.arguments) :])} if verb.rest else named


def execute(call: Call, words: Sequence[str], invoked: int = 0) -> int:
    """Run a parsed command; the exit status.  An error is logged once, and said on stderr."""
    from urunc.log import Log

    parsed = time.monotonic_ns()
    log = Log()
    try:
        log = _open_log(call)
        context = _make_context(call, log, words)
        _record_phases(call, context, invoked or parsed, parsed)
        module: Any = __import__(f"urunc.commands.{call.verb}", fromlist=["run"])
        status: int = module.run(context, module.Options(**call.options))
        log.phase("end")
    except Error as error:
        return _fail(log, error)
    except OSError as error:
        return _fail(log, HostError(f"{call.verb}: {error.filename or ''}", error))
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        return _fail(log, _internal(error))
    return status


def _internal(error: Exception) -> Error:
    """A mistake of ours, in one line; where it happened is all that a report needs."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    where = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "unknown"
    return Error(f"internal error at {where}: {type(error).__name__}: {error}", hint="please report this")


def fail(words: Sequence[str], error: Error) -> int:
    """Log an error found before the command line was understood, where its first options say."""
    from urunc.log import Log

    try:
        given, _ = _parse_options(
            words, Verb("", values=GLOBAL_VALUES, flags=GLOBAL_FLAGS), interleaved=False
        )
        return _fail(_open_log(Call(given, "", {})), error)
    except (Unknown, Error):
        return _fail(Log(), error)


def _fail(log: Log, error: Error) -> int:
    log.phase("failed")
    log.error(error.sentence)
    if log.descriptor != 2:
        posix.write(2, f"urunc: {error.sentence}\n".encode())
    return error.exit_code


def _open_log(call: Call) -> Log:
    from urunc.log import open_log

    style = call.globals.get("log_format", "text")
    if style not in ("text", "json"):
        raise UsageError(f"invalid log-format: {style}", hint="use text or json")
    try:
        return open_log(call.globals.get("log", ""), style, "debug" if call.globals.get("debug") else "info")
    except OSError as error:
        raise HostError(f"open the log {call.globals['log']}", error) from error


def _make_context(call: Call, log: Log, words: Sequence[str]) -> Context:
    from urunc import settings

    chosen = settings.load(posix.environ)
    if not call.globals.get("debug"):
        log.set_level(chosen.log_level)
    context = Context(chosen, _root(call), log, words)
    context.systemd = bool(call.globals.get("systemd_cgroup"))
    return context


def _record_phases(call: Call, context: Context, invoked: int, parsed: int) -> None:
    path = call.globals.get("timestamps") or context.settings.timestamps
    if not path or call.verb not in RECORDED:
        return
    settled = time.monotonic_ns()
    from urunc import timestamps

    log = context.log
    log.recorder = timestamps.start(path, call.verb, call.options["id"])
    for phase, at in (("invoked", invoked), ("parse", parsed), ("settings", settled), ("timestamps", 0)):
        log.phase(phase, at)


def _root(call: Call) -> str:
    named: str = call.globals.get("root", "")
    personal = posix.environ.get(b"XDG_RUNTIME_DIR", b"").decode()
    root = named or (f"{personal}/urunc" if posix.geteuid() and personal else DEFAULT_ROOT)
    root = root if root.startswith("/") else f"{posix.getcwd()}/{root}"
    if not root.strip("/."):
        raise UsageError(f"the state root cannot be {root}")
    return root.rstrip("/")


def _parse_options(
    words: Sequence[str], verb: Verb, *, interleaved: bool
) -> tuple[dict[str, Any], list[str]]:
    """Options among `words`, and the rest; without `interleaved`, the first other word ends the options."""
    found: dict[str, Any] = {}
    rest: list[str] = []
    queue = list(words)
    while queue:
        word = queue.pop(0)
        if not word.startswith("-") or word == "-":
            rest.append(word)
            if not interleaved:
                return found, rest + queue
            continue
        name, equals, value = word.partition("=")
        name = SHORT.get(name, name)
        field = name.lstrip("-").replace("-", "_")
        if name in verb.flags and not equals:
            found[field] = True
            continue
        if name not in (*verb.values, *verb.lists) or not (equals or queue):
            raise Unknown
        value = value if equals else queue.pop(0)
        found[field] = (*found.get(field, ()), value) if name in verb.lists else value
    return found, rest
