# SPDX-License-Identifier: Apache-2.0
"""What the documents claim about files, tests, keys and tables of the code is true."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from urunc import cli, monitors, settings, sizing
from urunc_common.config import PREFIX
from urunc_common.rules import MONITORS

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    {
        *ROOT.glob("*.md"),
        *(ROOT / "docs").glob("*.md"),
        *ROOT.glob("deploy/*.md"),
        *ROOT.glob("examples/*/*.md"),
    }
)
README, ARCHITECTURE = ROOT / "README.md", ROOT / "ARCHITECTURE.md"
CONFIGURATION = (ROOT / "docs/configuration.md").read_text()
# Where our own files are; other paths are inside an image or on a user's machine.
FOLDERS = ("deploy", "docs", "examples", "packages", "scripts", "tests")

LINK = re.compile(r"\]\(([^)#\s]+)")
CODE = re.compile(r"`([^`\n]+)`")
TEST = re.compile(r"`(test_\w+)`")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SETTING = re.compile(r"^\| `([^`]+)` \| (string|integer|boolean) \| `([^`]+)` \|", re.MULTILINE)
TYPES = {"string": str, "integer": int, "boolean": bool}

every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def rows(text: str) -> list[list[str]]:
    """The cells of all tables."""
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line[:1] == "|"]


def setting(key: str, value: object) -> settings.Settings:
    """What the runtime makes of a file that has nothing but this."""
    return settings.from_values({key.replace("*", "qemu"): value}, "config.toml")


def toml(name: str) -> dict[str, object]:
    return settings.flatten(tomllib.loads((ROOT / "deploy/containerd" / name).read_text()))


@every_document
def test_links_lead_to_files(document):
    links = LINK.findall(FENCE.sub("", document.read_text()))
    assert [link for link in links if "://" not in link and not (document.parent / link).exists()] == []


@every_document
def test_paths_lead_to_files(document):
    words = {word.split()[0] for word in CODE.findall(FENCE.sub("", document.read_text()))}
    paths = {word for word in words if "/" in word and word.split("/")[0] in FOLDERS}
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []


@every_document
def test_scripts_are_there_and_executable(document):
    scripts = re.findall(r"(?<![\w/])scripts/[a-z-]+", document.read_text())
    assert [script for script in scripts if not os.access(ROOT / script, os.X_OK)] == []


def test_the_readme_begins_with_its_two_commands():
    language, block = FENCE.findall(README.read_text())[0]
    assert language == "sh"
    assert [line.split()[0] for line in block.splitlines()] == ["scripts/demo", "scripts/test"]


def test_the_readme_shows_the_example_as_it_is():
    text = README.read_text()
    containerfile = (ROOT / "examples/hello/Containerfile").read_text()
    assert containerfile.removeprefix("# SPDX-License-Identifier: Apache-2.0\n") in text
    assert (ROOT / "examples/hello/expected").read_text().splitlines()[0] in text


def test_the_readme_says_which_guest_runs_where_and_how_that_is_known():
    printed = subprocess.check_output([sys.executable, ROOT / "scripts/matrix"], text=True)
    assert printed in README.read_text(), "put what scripts/matrix prints into README.md"


def test_what_the_readme_calls_booted_and_checked_is_tested():
    script = (ROOT / "scripts/matrix").read_text()
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    named = set(re.findall(r'"(test_\w+)"', script))
    assert named
    assert [name for name in sorted(named) if f"def {name}(" not in tests] == []


def test_every_refusal_is_a_sentence():
    printed = subprocess.check_output([sys.executable, ROOT / "scripts/matrix", "--refused"], text=True)
    lines = printed.splitlines()
    assert "unikraft on qemu, block: a unikraft unikernel cannot have block as its root" in lines
    assert all(re.fullmatch(r"\w+ on [\w-]+(, [\w]+)?: \S.*[^.]", line) for line in lines)


def test_the_readme_says_which_verbs_are_not_served():
    line = next(line for line in README.read_text().splitlines() if line.startswith("- `checkpoint`"))
    assert sorted(CODE.findall(line.partition(";")[0])) == sorted(cli.UNSERVED)


def test_the_architecture_names_tests_that_exist():
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    named = TEST.findall(ARCHITECTURE.read_text())
    assert named
    assert [name for name in named if f"def {name}(" not in tests] == []


def test_the_annotations_are_those_of_the_code():
    printed = subprocess.check_output([sys.executable, ROOT / "scripts/annotations"], text=True)
    assert (ROOT / "docs/annotations.md").read_text() == printed, "scripts/annotations > docs/annotations.md"


def test_every_setting_is_described_once():
    described = [key for key, _, _ in SETTING.findall(CONFIGURATION)]
    assert sorted(described) == sorted(settings._TYPES)


@pytest.mark.parametrize(("key", "kind", "default"), SETTING.findall(CONFIGURATION))
def test_a_setting_has_the_type_and_default_that_are_said(key, kind, default):
    assert settings._TYPES[key] is TYPES[kind]
    assert setting(key, tomllib.loads(f"x = {default}")["x"]) == settings.from_values({}, "")


@pytest.mark.parametrize("key", settings._MUST_BE_FALSE)
def test_what_must_be_false_says_why(key):
    assert [key, "boolean", "false", settings._MUST_BE_FALSE[key]] in [
        [cell.strip("`") for cell in row] for row in rows(CONFIGURATION)
    ]


def test_the_example_of_a_configuration_is_accepted():
    (block,) = (text for language, text in FENCE.findall(CONFIGURATION) if language == "toml")
    chosen = settings.from_values(settings.flatten(tomllib.loads(block)), "config.toml")
    assert chosen != settings.from_values({}, "")


def test_the_memory_of_monitors_is_as_said():
    need = {name: monitors.load(name).overhead_mib("kvm", tight=False) for name in MONITORS}
    qemu = monitors.load("qemu")
    emulating, tight = (qemu.overhead_mib("tcg", tight=tight) - need["qemu"] for tight in (False, True))
    assert need["hvt"] == need["spt"]
    said = (
        f"{need['qemu']} MiB for QEMU, {emulating} MiB more without KVM "
        f"or {tight} if the limit is below {sizing._TIGHT_MIB} MiB, "
        f"{need['cloud-hypervisor']} MiB for Cloud Hypervisor, {need['firecracker']} MiB for Firecracker, "
        f"{need['hvt']} MiB for Solo5"
    )
    assert said in " ".join(CONFIGURATION.split())


@pytest.mark.parametrize(
    ("name", "version", "plugin"),
    [("config-1.toml", 2, "io.containerd.grpc.v1.cri"), ("config-2.toml", 3, "io.containerd.cri.v1.runtime")],
)
def test_containerd_finds_the_runtime(name, version, plugin):
    runtime = f"plugins.{plugin}.containerd.runtimes.urunc"
    assert toml(name) == {
        "version": version,
        f"{runtime}.runtime_type": "io.containerd.runc.v2",
        **{f"{runtime}.{of}_annotations": [f"{PREFIX}*", "run.urunc.*"] for of in ("pod", "container")},
        f"{runtime}.options.BinaryName": "/usr/local/bin/urunc",
        f"{runtime}.options.SystemdCgroup": False,
    }


def test_docker_finds_the_runtime_and_makes_the_cgroups_itself():
    assert json.loads((ROOT / "deploy/docker/daemon.json").read_text()) == {
        "exec-opts": ["native.cgroupdriver=cgroupfs"],
        "runtimes": {"urunc": {"path": "/usr/local/bin/urunc"}},
    }


def test_kubernetes_asks_for_the_handler_that_containerd_has():
    text = (ROOT / "deploy/kubernetes/runtimeclass.yaml").read_text()
    assert "\nkind: RuntimeClass\n" in text
    assert text.endswith("\nhandler: urunc\n")


def test_the_licence_is_whole():
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License\n                           Version 2.0" in text
    assert "END OF TERMS AND CONDITIONS" in text
