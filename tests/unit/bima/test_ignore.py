# SPDX-License-Identifier: Apache-2.0
"""Ignore files, as docker reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bima.context import Context, find_ignored
from bima.errors import ContextError
from bima.ignore import parse
from bima.tree import File

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "ignored", "kept"),
    [
        ("", [], ["a", "b/c"]),
        ("a", ["a", "a/b"], ["b/a", "ab"]),
        ("/a/", ["a", "a/b"], ["b"]),
        ("./a", ["a"], []),
        ("*.o", ["x.o", ".o"], ["d/x.o", "x.oo"]),
        ("**/*.o", ["x.o", "d/x.o", "d/e/x.o"], ["x.c"]),
        ("d/**", ["d/a", "d/e/f"], ["d"]),
        ("d/**/x", ["d/x", "d/e/f/x"], ["x"]),
        ("a?c", ["abc"], ["ac", "a/c"]),
        ("[a-c]", ["a", "c"], ["d"]),
        ("[^a]", ["b"], ["a"]),
        (r"\*", ["*"], ["a"]),
        ("# a\n\n b ", ["b"], ["a", "# a"]),
        ("*\n!keep", ["a"], ["keep", "keep/a"]),
        ("!a\na", ["a"], []),
        ("d\n!d/e\nd/e/f", ["d", "d/x", "d/e/f"], ["d/e"]),
        ("a+b(c)", ["a+b(c)"], ["aab(c)"]),
        ("/\n.\n!\n..", [], ["a"]),
    ],
)
def test_the_last_pattern_for_a_path_or_what_is_above_it_decides(
    text: str, ignored: list[str], kept: list[str]
) -> None:
    found = parse(text)
    assert [path for path in ignored if not found.excludes(path)] == []
    assert [path for path in kept if found.excludes(path)] == []


def test_the_ignore_file_of_the_containerfile_goes_first(tmp_path: Path) -> None:
    file = tmp_path / "Containerfile"
    for path, ignored in (
        (tmp_path / ".dockerignore", "c"),
        (tmp_path / ".containerignore", "b"),
        (tmp_path / "Containerfile.dockerignore", "a"),
    ):
        path.write_text(ignored)
        assert find_ignored(tmp_path, file).excludes(ignored)
    assert not find_ignored(tmp_path, None).excludes("a")
    assert find_ignored(tmp_path, None).excludes("b")


def test_a_wrong_pattern_is_refused_with_its_file(tmp_path: Path) -> None:
    (tmp_path / ".dockerignore").write_text("a\n[z-a]")
    with pytest.raises(ContextError, match=r"\.dockerignore: '\[z-a\]' is no pattern"):
        find_ignored(tmp_path, None)


def test_what_is_ignored_is_not_there_to_copy(tmp_path: Path) -> None:
    for name in ("a", "b", "dir/a", "dir/deep/kept", "dir/deep/lost"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    context = Context(tmp_path, parse("a\ndir\n!dir/deep\ndir/deep/lost"))
    with pytest.raises(ContextError, match="a is ignored"):
        context.resolve("a")
    assert [source.name for source in context.resolve("[ab]")] == ["b"]
    (directory,) = context.resolve("dir")
    assert [path for path, entry in directory.entries if isinstance(entry, File)] == ["deep/kept"]
    (everything,) = context.resolve(".")
    assert [path for path, entry in everything.entries if isinstance(entry, File)] == ["b", "dir/deep/kept"]
