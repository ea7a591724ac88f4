# SPDX-License-Identifier: Apache-2.0
"""Containerfile text."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bima.containerfile import parse
from bima.errors import ContainerfileError
from bima.instruction import Cmd, Copy, Entrypoint, Env, From, Instruction, Label


def only(text: str) -> Instruction:
    (instruction,) = parse(text)
    return instruction


def test_a_whole_file_is_read_with_its_line_numbers() -> None:
    text = '# syntax=x\n\nFROM scratch\n  copy a \\\n    # a comment\n\n    /b\nCmd ["x"]\r\n'
    found = parse(text, "F")
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


def test_the_escape_directive_changes_continuations() -> None:
    instruction = parse("# escape=`\nFROM scratch\nCOPY a `\n  C:\\b\n")[1]
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
        ("FROM scratch\n\nRUN make", 3, "RUN is not served yet", "COPY"),
        ("ARG x", 1, "ARG is not served yet", "COPY"),
        ("FROM debian", 1, "FROM debian is not served yet", "FROM scratch"),
        ("FROM --platform=linux/arm64 scratch", 1, "not served yet", "--platform"),
        ("FROM scratch\nFROM scratch", 2, "FROM comes after", "one FROM"),
        ("COPY a", 1, "source or the destination is missing", "COPY kernel"),
        ("COPY", 1, "COPY lacks its arguments", "COPY kernel"),
        ("COPY a b c", 1, "several sources need a directory", "COPY"),
        ("COPY --from=x a b", 1, "--from=x is not served yet", ""),
        ("COPY <<EOF /x", 1, "<<EOF is not served yet", ""),
        ("COPY $a b", 1, "variables are not served yet", ""),
        ("LABEL a=b c", 1, "'c' has no =", "LABEL key=value"),
        ("LABEL a", 1, "'a' has no =", "LABEL key=value"),
        ("LABEL =a", 1, "no name before the =", "LABEL key=value"),
        ('LABEL a="b', 1, "never closed", "LABEL key=value"),
        ("LABEL a='b", 1, "never closed", "LABEL key=value"),
        ("ENV a=${b}", 1, "variables are not served yet", ""),
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
        parse(text, "dir/Containerfile")
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
        assert all(each.line.number >= 1 for each in parse(text))
