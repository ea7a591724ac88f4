# SPDX-License-Identifier: Apache-2.0
"""Looking at images: files, differences, history, names; and how little that loads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Outcome

    from bima.layout import Layout

    Bima = Callable[..., Outcome]

ROOT = Path(__file__).resolve().parents[3]
MORE = """
COPY --chmod=4711 --chown=5:6 kernel /bin/tool
COPY dir /dir
WORKDIR /srv
"""


@pytest.fixture
def built(project: Path, bima: Bima) -> Path:
    """Two images in the store, of which the second has more."""
    (project / "dir").mkdir()
    (project / "dir/text").write_text("text\n")
    (project / "dir/link").symlink_to("../bin/tool")
    (project / "dir/odd\x1b[31m").write_text("")
    assert bima("build", "-q", "-t", "one", project).status == 0
    with (project / "Containerfile").open("a") as file:
        file.write(MORE)
    assert bima("build", "-q", "-t", "two", project).status == 0
    return project


@pytest.mark.usefixtures("built")
def test_files_are_listed_with_mode_owner_and_size(bima: Bima) -> None:
    done = bima("ls", "two")
    assert [line.split()[-1] for line in done.out.splitlines()] == [
        "/bin",
        "/boot",
        "/dir",
        "/srv",
        "/urunc.json",
    ]
    lines = bima("ls", "-R", "two", "/bin").out.splitlines()
    assert [line.split() for line in lines] == [["-rws--x--x", "5", "6", "614", "/bin/tool"]]
    assert "/dir/link -> ../bin/tool" in bima("ls", "two", "dir").out
    assert bima("ls", "two", "none").err == "bima: /none is not in two\n"


@pytest.mark.usefixtures("built")
def test_a_tree_shows_what_is_below_what(bima: Bima) -> None:
    assert bima("tree", "two", "/dir").out == "/dir\n  link -> ../bin/tool\n  odd\\x1b[31m\n  text\n"
    assert "  boot/\n    kernel\n" in bima("tree", "two").out


@pytest.mark.usefixtures("built")
def test_names_do_not_speak_to_the_terminal(bima: Bima) -> None:
    for words in (("ls", "-R", "two"), ("tree", "two"), ("diff", "one", "two"), ("history", "two")):
        assert "\x1b" not in bima(*words).out


def test_files_are_printed(built: Path, start: Callable[..., subprocess.Popen[str]]) -> None:
    assert built
    process = start("cat", "two", "/dir/text", "dir/text")
    assert process.communicate() == ("text\ntext\n", "")


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize(
    ("path", "message"), [("/none", "/none is not in two"), ("/dir", "/dir is no file in two")]
)
def test_what_cannot_be_printed_is_told(bima: Bima, path: str, message: str) -> None:
    assert bima("cat", "two", path).err == f"bima: {message}\n"


def test_differences_are_told_by_file_and_setting(built: Path, bima: Bima) -> None:
    done = bima("diff", "one", "two")
    assert done.status == 1
    assert done.out.splitlines() == [
        "~ working_dir: '' '/srv'",
        "+ /bin", "+ /bin/tool", "+ /dir", "+ /dir/link", "+ /dir/odd\\x1b[31m", "+ /dir/text", "+ /srv",
    ]  # fmt: skip
    same = bima("diff", "two", "two")
    assert (same.status, same.out) == (0, "")
    (built / "dir/text").write_text("TEXT\n")
    (built / "dir/link").unlink()
    (built / "dir/link").symlink_to("../bin/tooL")
    text = (built / "Containerfile").read_text().replace("--chmod=4711 --chown=5:6", "--chmod=755")
    (built / "Containerfile").write_text(text)
    bima("build", "-q", "-t", "three", built)
    assert bima("diff", "two", "three").out.splitlines() == [
        "~ /bin/tool: mode 4711 755, owner 5:6 0:0",
        "~ /dir/link: content",
        "~ /dir/text: content",
    ]


@pytest.mark.usefixtures("built")
def test_the_history_has_every_instruction_and_the_size_of_each_layer(bima: Bima) -> None:
    lines = bima("history", "two").out.splitlines()
    assert len(lines) == 10
    assert lines[0].startswith("1970-01-01T00:00:00Z")
    assert lines[0].endswith("COPY kernel /boot/kernel")
    sizes = [int(line.split()[1]) for line in lines]
    assert sum(size > 0 for size in sizes) == 5


def test_another_name_leads_to_the_same_image(built: Path, bima: Bima, store: Layout) -> None:
    assert built
    assert bima("tag", "one", "example.org/x:2").status == 0
    assert store.index["example.org/x:2"].digest == store.index["docker.io/library/one:latest"].digest
    assert "no image none:latest" in bima("tag", "none", "x").err
    assert bima("rmi", "one").status == 0
    assert bima("tag", "example.org/x:2", "two").status == 0
    assert len({each.digest for each in store.index.values()}) == 1


def test_help_loads_no_heavy_library() -> None:
    code = (
        "import sys; sys.argv = ['bima', '--help']\n"
        "from bima.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('loaded', *sys.modules)"
    )
    paths = [str(ROOT / "packages" / name / "src") for name in ("common", "bima")]
    program = f"import sys; sys.path[:0] = {paths!r}\n{code}"
    printed = subprocess.check_output([sys.executable, "-c", program], text=True)
    loaded = set(printed.partition("\nloaded ")[2].split())
    assert "click" in loaded
    assert not loaded & {"oras", "requests", "docker", "jinja2", "yaml", "pyroute2", "tarfile", "bima.plan"}
