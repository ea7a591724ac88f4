# SPDX-License-Identifier: Apache-2.0
"""`bima run` for an ordinary user, with nothing set up but bima."""

from __future__ import annotations

import os
import socket
import subprocess
from fnmatch import fnmatchcase

import ordinary_user
import pytest
from capabilities import ROOT, require
from e2e import examples, network
from e2e.examples import expected
from e2e.waiting import eventually

pytestmark = pytest.mark.vm

HELLO, LINUX = "hello:example", "linux-httpd:example"


@pytest.fixture(scope="module")
def home():
    """Of a user who has built the examples."""
    require("root", "qemu", "gcc", "linux-kernel")
    with ordinary_user.open_folder() as folder:
        (folder / "config.toml").write_text(examples.TCG)
        for name, image in (("hello", HELLO), ("linux-httpd", LINUX)):
            examples.run(str(examples.context(name) / "build"))
            ordinary_user.give(folder)
            bima(folder, "build", "--tag", image, str(examples.context(name)))
        yield folder


def bima(home, *words, check=True):
    environment = {
        **ordinary_user.environment(home),
        "XDG_DATA_HOME": str(home / "data"),
        "PATH": os.environ["PATH"],
        "URUNC_CONFIG_FILE": str(home / "config.toml"),
    }
    command = [*ordinary_user.COMMAND, str(ROOT / ".venv/bin/bima"), *words]
    done = subprocess.run(
        command, env=environment, cwd=home, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False, timeout=120,
    )  # fmt: skip
    assert not (check and done.returncode), done.stderr
    return done


def left(home):
    folders = (home / ".local/state/bima/containers", home / "run/bima/urunc")
    return [path for folder in folders if folder.is_dir() for path in folder.iterdir() if path.is_dir()]


def test_an_example_prints_what_its_folder_says(home):
    done = bima(home, "run", HELLO)
    assert fnmatchcase(done.stdout.replace("\r", ""), expected("hello"))
    assert left(home) == []


def test_a_published_port_leads_to_the_guest(home):
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    name = bima(
        home, "run", "--detach", "--rm", "--name", "web", "--publish", f"{port}:80", LINUX
    ).stdout.strip()
    assert bima(home, "ps", "--quiet").stdout.split() == [name]
    address = f"127.0.0.1:{port}"
    assert expected("linux-httpd").strip("*\n") in eventually(lambda: network.page(address), "the page")
    bima(home, "stop", name)
    eventually(lambda: not left(home), "nothing of it")


def test_what_it_printed_is_kept_and_removed(home):
    name = bima(home, "run", "--detach", "--name", "kept", HELLO).stdout.strip()
    eventually(lambda: "exited" in bima(home, "ps", "--all").stdout, "its end")
    assert fnmatchcase(bima(home, "logs", name).stdout.replace("\r", ""), expected("hello"))
    bima(home, "rm", name)
    assert left(home) == []


def test_a_limit_that_nothing_could_hold_is_refused_by_name(home):
    done = bima(home, "run", "--memory", "256m", HELLO, check=False)
    assert done.returncode == 1
    assert "linux.resources.memory.limit cannot hold" in done.stderr
    assert left(home) == []


def test_a_bridge_is_not_for_ordinary_users(home):
    done = bima(home, "run", "--network", "bridge", HELLO, check=False)
    assert done.returncode == 1
    assert "only root can connect a container to a bridge" in done.stderr
    assert left(home) == []
