# SPDX-License-Identifier: Apache-2.0
"""Containerfile text."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bima.containerfile import parse
from bima.errors import ContainerfileError
from bima.evaluation import evaluate
from bima.instruction import Cmd, Copy, Entrypoint, Env, From, Instruction, Label


def read(text: str, file: str = "C", **values: str) -> list[Instruction]:
    return [evaluate(each, values) for each in parse(text, file)]


def only(text: str, **values: str) -> Instruction:
    (instruction,) = read(text, **values)
    return instruction


def test_a_whole_file_is_read_with_its_line_numbers() -> None:
    text = '# syntax=x\n\nFROM scratch\n  copy a \\\n    # a comment\n\n    /b\nCmd ["x"]\r\n'
    found = read(text, "F")
    assert [type(each) for each in found] == [From, Copy, Cmd]
    assert [each.line.place for each in found] == ["F:3", "F:4", "F:8"]


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("a=b", [("a", "b")]),
        ("a=b c=d", [("a", "b"), ("c", "d")]),
        ('a="b c" "d e"=\'f g\'', [("a", "b c"), ("d e", "f g")]),
        ("a=b=c", [("a", "b=c")]),
        ("a=", [("a", "")]),
        ('a=""', [("a", "")]),
        (r"a=b\ c", [("a", "b c")]),
        (r'a="b\"c\d"', [("a", r'b"c\d')]),
        (r"a='b\c'", [("a", r"b\c")]),
        ("a=b  'c=x  y'", [("a", "b"), ("c", "x  y")]),
        ("a b c", [("a", "b c")]),
        ('a "b  c"', [("a", "b  c")]),
        ('a={"x": [1, "two words"]} b=c', [("a", '{"x": [1, "two words"]}'), ("b", "c")]),
        ("a={x", [("a", "{x")]),
        ("a=LABEL", [("a", "LABEL")]),
        ("a='$HOME'", [("a", "$HOME")]),
        (r"a=\$HOME", [("a", "$HOME")]),
        ("a=5$", [("a", "5$")]),
        ('a=b \\\n c="d \\\n  e"', [("a", "b"), ("c", "d   e")]),
    ],
)
@pytest.mark.parametrize(("word", "kind"), [("LABEL", Label), ("ENV", Env)])
def test_pairs_are_quoted_as_docker_quotes_them(
    word: str, kind: type, text: str, pairs: list[tuple[str, str]]
) -> None:
    instruction = only(f"{word} {text}")
    assert isinstance(instruction, kind)
    assert list(instruction.pairs) == pairs


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('["a", "b c"]', ("a", "b c")),
        ("[]", ()),
        ("a 'b c' d\\ e", ("a", "b c", "d e")),
        ('{"cmdline": "redis  x", "net": {}}', ('{"cmdline": "redis  x", "net": {}}',)),
        ("'{\"a\": 1}'", ('{"a": 1}',)),
        ("run # no comment", ("run", "#", "no", "comment")),
        ("echo $HOME", ("echo", "$HOME")),
    ],
)
@pytest.mark.parametrize(("word", "kind"), [("CMD", Cmd), ("ENTRYPOINT", Entrypoint)])
def test_a_command_is_a_list_or_split_without_a_shell(
    word: str, kind: type, text: str, words: tuple[str, ...]
) -> None:
    instruction = only(f"{word} {text}")
    assert isinstance(instruction, kind)
    assert instruction.words == words


@pytest.mark.parametrize(
    ("text", "sources", "destination"),
    [
        ("a b", ["a"], "b"),
        ("a b c/", ["a", "b"], "c/"),
        ('["a b", "c"]', ["a b"], "c"),
        ('"a b" c', ["a b"], "c"),
        ("[ab].bin c", ["[ab].bin"], "c"),
    ],
)
def test_copy_takes_several_sources(text: str, sources: list[str], destination: str) -> None:
    instruction = only(f"COPY {text}")
    assert isinstance(instruction, Copy)
    assert (list(instruction.sources), instruction.destination) == (sources, destination)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a$x", "aX"),
        ("$x$x", "XX"),
        ("${x}y", "Xy"),
        ("$xy", ""),
        ("$none", ""),
        ("5$", "5$"),
        ("$1", "$1"),
        ("'$x'", "$x"),
        ('"$x y"', "X y"),
        (r"\$x", "$x"),
        (r'"\$x"', "$x"),
        ("${none:-d e}", "d e"),
        ("${none:-$x}", "X"),
        ("${none:-${none:-'$x'}}", "$x"),
        ("${empty:-d}", "d"),
        ("${empty-d}", ""),
        ("${none-d}", "d"),
        ("${x:-d}", "X"),
        ("${x:+d}", "d"),
        ("${empty:+d}", ""),
        ("${empty+d}", "d"),
        ("${none+d}", ""),
        ("${x:?no}", "X"),
        ("${empty?no}", ""),
        ("$blank", "two words"),
    ],
)
def test_variables_are_what_they_are_in_a_shell(text: str, value: str) -> None:
    instruction = only(f"LABEL a={text} b=c", x="X", empty="", blank="two words")
    assert isinstance(instruction, Label)
    assert dict(instruction.pairs) == {"a": value, "b": "c"}


@pytest.mark.parametrize(
    ("text", "instruction"),
    [
        ("FROM $x AS y", {"base": "X", "name": "y"}),
        ("FROM --platform=linux/$x a", {"base": "a", "platform": "linux/X"}),
        ("COPY --from=$x a $x/", {"sources": ("a",), "destination": "X/", "origin": "X"}),
        ('COPY ["a $x", "\\"b"]', {"sources": ("a X",), "destination": '"b'}),
        ("COPY --chown=1:$x --chmod=4755 --link a b", {"owner": "1:X", "mode": 0o4755}),
        ("ADD a b", {"unpack": True}),
        ("WORKDIR /a b/../$x", {"path": "/X"}),
        ("USER $x:1", {"name": "X:1"}),
        ("EXPOSE 80 53/UDP $ports", {"ports": ("80/tcp", "53/udp", "1/tcp", "2/tcp")}),
        ('VOLUME ["/a b", "/$x"]', {"paths": ("/a b", "/X")}),
        ("VOLUME /a /b", {"paths": ("/a", "/b")}),
        ("STOPSIGNAL rtmin+3", {"signal": "rtmin+3"}),
        ("STOPSIGNAL 9", {"signal": "9"}),
        ("MAINTAINER some one", {"name": "some one"}),
        ('SHELL ["a", "$x"]', {"words": ("a", "$x")}),
        ("ARG a b=$x c=", {"pairs": (("a", None), ("b", "X"), ("c", ""))}),
    ],
)  # fmt: skip
def test_every_instruction_is_read(text: str, instruction: dict[str, object]) -> None:
    found = vars(only(text, x="X", ports="1-2"))
    assert {name: found[name] for name in instruction} == instruction


def test_here_documents_follow_their_instruction() -> None:
    text = "COPY <<A <<-'B' c /x/\n$x\n\"q\"\\$y\nA\n\t$x\n\t B\n\tB\nENV a=b"
    copy, env = read(text, x="X")
    assert isinstance(copy, Copy)
    assert copy.documents == (("A", b'X\n"q"$y\n'), ("B", b"$x\n B\n"))
    assert copy.sources == ("c",)
    assert env.line.number == 8


def test_a_here_document_of_run_is_not_taken_for_instructions() -> None:
    assert [each.word for each in parse("RUN <<A cat\nCOPY x\nA\nCMD x")] == ["RUN", "CMD"]


def test_the_escape_directive_changes_continuations() -> None:
    instruction = read("# escape=`\nFROM scratch\nCOPY a `\n  C:\\b\n")[1]
    assert isinstance(instruction, Copy)
    assert instruction.destination == "C:\\b"


def test_two_backslashes_do_not_continue_a_line() -> None:
    assert len(parse("CMD a \\\\\nCMD b")) == 2


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"),
    [
        ("FROM scratch\nCOPPY a b", 2, "unknown instruction 'COPPY'", "COPY"),
        ("FRM scratch", 1, "unknown instruction 'FRM'", "FROM"),
        ("entripoint x", 1, "unknown instruction 'entripoint'", "ENTRYPOINT"),
        ("FROM scratch\nRUNN x", 2, "unknown instruction 'RUNN'", "RUN"),
        ("FROM scratch\n\nONBUILD COPY a b", 3, "ONBUILD is not served", "builds on this one"),
        ("HEALTHCHECK CMD x", 1, "HEALTHCHECK is not served", "over the network"),
        ("FROM a b", 1, "neither BASE nor BASE AS NAME", "FROM scratch"),
        ("FROM a IS b", 1, "neither BASE nor BASE AS NAME", "FROM scratch"),
        ("FROM $nothing", 1, "the base image has an empty name", "FROM scratch"),
        ("FROM --plattform=linux/arm64 scratch", 1, "--plattform is not known", "--platform"),
        ("COPY --form=x a b", 1, "COPY --form is not known", "--from"),
        ("COPY --chmod=u+x a b", 1, "--chmod=u+x is not octal", "COPY kernel"),
        ("COPY --chown=a:b:c a b", 1, "--chown=a:b:c is not USER or USER:GROUP", "COPY kernel"),
        ("ADD --checksum=md5:0 a b", 1, "the checksum 'md5:0' is not sha256:", "ADD"),
        ("COPY <<EOF /x\na", 1, "the here-document EOF has no end", "EOF"),
        ("COPY <<A <<B /x\na\nA\nb\nB", 1, "several sources need a directory", "COPY"),
        ("COPY a $empty", 1, "source or the destination is missing", "COPY kernel"),
        ("ENV a=${b", 1, "${b is never closed", "ENV NAME"),
        ("ENV a=${b:-c", 1, "${b:-c is never closed", "ENV NAME"),
        ("ENV a=${b/c}", 1, "${b… has an operator that is not known", "ENV NAME"),
        ("ENV a=${1}", 1, "no name follows", "ENV NAME"),
        ("ENV a=${b:?say what b is}", 1, "$b has no value: say what b is", "ENV NAME"),
        ("ENV $empty=b", 1, "a name is empty", "ENV NAME"),
        ("WORKDIR $empty", 1, "the word is empty", "WORKDIR /srv"),
        ("USER a b", 1, "it takes one word, not 2", "USER name"),
        ("EXPOSE 0", 1, "'0' is no port", "EXPOSE 80"),
        ("EXPOSE 65536", 1, "'65536' is no port", "EXPOSE 80"),
        ("EXPOSE 9-8", 1, "'9-8' is no port", "EXPOSE 80"),
        ("EXPOSE 80/http", 1, "'80/http' is no port", "EXPOSE 80"),
        ("STOPSIGNAL SIGNOTHING", 1, "'SIGNOTHING' is no signal", "STOPSIGNAL SIGQUIT"),
        ("STOPSIGNAL 65", 1, "'65' is no signal", "STOPSIGNAL SIGQUIT"),
        ("VOLUME /a $empty", 1, "a path is empty", "VOLUME /data"),
        ("SHELL /bin/sh", 1, "not a JSON array of strings", "SHELL ["),
        ("SHELL []", 1, "the shell has no program", "SHELL ["),
        pytest.param("ENV a=" + "${a:-" * 9999, 1, "nested too deeply", "", id="nested"),
        ("COPY a", 1, "source or the destination is missing", "COPY kernel"),
        ("COPY", 1, "COPY lacks its arguments", "COPY kernel"),
        ("COPY a b c", 1, "several sources need a directory", "COPY"),
        ("LABEL a=b c", 1, "'c' has no =", "LABEL key=value"),
        ("LABEL a", 1, "'a' has no =", "LABEL key=value"),
        ("LABEL =a", 1, "no name before the =", "LABEL key=value"),
        ('LABEL a="b', 1, "never closed", "LABEL key=value"),
        ("LABEL a='b", 1, "never closed", "LABEL key=value"),
        ("CMD ['a']", 1, "not a JSON array of strings", "CMD ["),
        ("CMD [1]", 1, "not a JSON array of strings", "CMD ["),
        ('CMD ["\\u0000"]', 1, "neither a NUL character nor half of a surrogate pair", "CMD ["),
        ('COPY ["\\ud800", "b"]', 1, "half of a surrogate pair", "COPY kernel"),
        ("CMD 'a", 1, "quotation mark", "CMD ["),
        ("# escape=x\nCMD a", 1, "escape=x", "backslash"),
        ("CMD \\\n\\\n", 1, "CMD lacks its arguments", "CMD"),
        pytest.param("CMD " + "[" * 100_000, 1, "not a JSON array of strings", "CMD", id="deep"),
    ],
)
def test_a_wrong_line_is_refused_with_file_line_and_remedy(
    text: str, line: int, message: str, hint: str
) -> None:
    with pytest.raises(ContainerfileError) as refused:
        read(text, "dir/Containerfile")
    assert str(refused.value).startswith(f"dir/Containerfile:{line}: ")
    assert message in str(refused.value)
    assert hint in refused.value.hint


WORDS = [
    "FROM",
    "scratch",
    "COPY",
    "LABEL",
    "ENV",
    "CMD",
    "a=b",
    "\\",
    "\n",
    '"',
    "'",
    "{",
    "[",
    "=",
    "$",
    "#",
    "`",
]


@given(st.lists(st.one_of(st.sampled_from(WORDS), st.text(max_size=3))).map(" ".join))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(ContainerfileError):
        assert all(each.line.number >= 1 for each in read(text))
