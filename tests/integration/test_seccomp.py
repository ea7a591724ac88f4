# SPDX-License-Identifier: Apache-2.0
"""Filters as libseccomp compiles them and the kernel runs them, and the files that keep them."""

from __future__ import annotations

import ctypes
import json
import os

import profiles
import pytest
from capabilities import require

from urunc import bundle as bundles
from urunc import seccomp
from urunc.errors import BundleError, Unsupported
from urunc.host import libseccomp
from urunc.host import seccomp as host
from urunc.seccomp import Filter

ALLOW, EPERM, KILL_PROCESS = 0x7FFF0000, 0x50001, 0x80000000
CALLS = {
    "getppid": 110,
    "getpriority": 140,
    "personality": 135,
    "clone3": 435,
    "futex_wake": 454,
    "none": 900,
}
SIGSYS = 31


@pytest.fixture(autouse=True)
def _as_root():
    require("root")


def refuse(number):
    return 0x50000 | number


def calling(code, name, *arguments):
    """What the call returns, or "errno N" or "signal N", in a process with this filter."""
    read_end, write_end = os.pipe()
    libc = ctypes.CDLL(None, use_errno=True)
    child = os.fork()
    if child == 0:
        try:
            host.load([host.Program(code, 0)])
            result = libc.syscall(CALLS[name], *map(ctypes.c_long, arguments))
            os.write(write_end, str(ctypes.get_errno() if result < 0 else -1).encode())
        finally:
            os._exit(0)
    os.close(write_end)
    ended = os.waitpid(child, 0)[1]
    with os.fdopen(read_end) as answer:
        text = answer.read()
    return f"signal {ended & 0x7F}" if ended else int(text)


SUCCEEDS = -1
WRITE = (("write", "exit_group", "close", "brk", "mmap", "munmap", "futex"), ALLOW, ())


def rules(*found, default=ALLOW):
    return Filter(default, rules=(WRITE, *found))


def equal(index, value):
    return (index, 4, value, 0)


ONE, OTHER = ((equal(0, 0),), (equal(1, 1),))


@pytest.mark.parametrize(
    ("found", "arguments", "answer"),
    [
        (rules((("getpriority",), refuse(77), ())), (0, 0), 77),
        (rules((("no_such_call", "getpriority"), refuse(77), ())), (0, 0), 77),
        (rules((("getppid",), refuse(77), ())), (0, 0), SUCCEEDS),
        (rules((("getpriority",), KILL_PROCESS, ())), (0, 0), f"signal {SIGSYS}"),
        (rules(default=EPERM), (0, 0), 1),
        (
            rules((("getpriority",), EPERM, ()), (("getpriority",), ALLOW, ()), default=EPERM),
            (0, 0),
            SUCCEEDS,
        ),
        (rules((("getpriority",), ALLOW, ONE), default=EPERM), (0, 0), SUCCEEDS),
        (rules((("getpriority",), ALLOW, ONE), default=EPERM), (1, 0), 1),
        (rules((("getpriority",), ALLOW, (equal(0, 0), equal(1, 0))), default=EPERM), (0, 1), 1),
        (rules((("getpriority",), refuse(5), OTHER), (("getpriority",), refuse(6), ONE)), (0, 0), 6),
        (rules((("getpriority",), refuse(5), ()), (("getpriority",), refuse(6), ())), (0, 0), 5),
        (rules((("getpriority",), refuse(5), ONE), (("getpriority",), refuse(6), ())), (0, 0), 6),
        (rules((("getpriority",), ALLOW, ((0, 7, 0xF0, 0x10),)), default=EPERM), (0x1F, 0), 22),
        (rules((("getpriority",), ALLOW, ((0, 7, 0xF0, 0x10),)), default=EPERM), (0x2F, 0), 1),
    ],
)
def test_the_kernel_answers_what_the_rules_say(found, arguments, answer):
    code, _ = libseccomp.compile_filter(found)
    assert calling(code, "getpriority", *arguments) == answer
    forbidden = bool(seccomp.forbidden(found, frozenset({"getpriority"})))
    assert not (forbidden and answer in (SUCCEEDS, 22)), "what is called forbidden never succeeds"


@pytest.mark.parametrize(
    ("last", "name", "answer"),
    [
        ("getpriority", "none", 38),
        ("getpriority", "clone3", 38),
        ("clone3", "none", 38),
        ("clone3", "personality", 1),
    ],
)
def test_what_is_newer_than_the_profile_does_not_exist(last, name, answer):
    code, _ = libseccomp.compile_filter(rules(((last,), ALLOW, ()), default=EPERM))
    assert calling(code, name) == answer


def test_a_newer_call_that_the_profile_names_is_answered_as_it_says():
    code, _ = libseccomp.compile_filter(rules((("clone3",), EPERM, ()), default=EPERM))
    assert calling(code, "clone3") == 1


@pytest.mark.parametrize(("profile", "answer"), [(profiles.DOCKER, 1), (profiles.PODMAN, 38)])
def test_the_profiles_of_engines_are_obeyed(profile, answer):
    code, _ = libseccomp.compile_filter(translated(profile))
    assert calling(code, "getpriority", 0, 0) == answer
    assert calling(code, "personality", 0xFFFFFFFF) == SUCCEEDS
    assert calling(code, "personality", 0x40000) == answer


def translated(profile):
    spec = {"root": {"path": "r"}, "linux": {"seccomp": profile}}
    found = bundles.from_text(json.dumps(spec), "/b").seccomp_profile
    assert found
    return seccomp.translate(found)


def test_an_architecture_that_libseccomp_does_not_know_is_refused():
    with pytest.raises(BundleError, match=r"linux\.seccomp names the architecture pdp11"):
        libseccomp.compile_filter(Filter(EPERM, architectures=("pdp11",)))


def test_rules_that_contradict_each_other_are_refused():
    found = rules((("getpriority",), refuse(5), ONE), (("getpriority",), refuse(6), ONE))
    with pytest.raises(BundleError, match="has rules for getpriority that do not go together"):
        libseccomp.compile_filter(found)


def test_a_filter_that_is_too_long_for_the_kernel_is_refused():
    found = tuple((("getpriority",), ALLOW, (equal(0, value << 33),)) for value in range(3000))
    with pytest.raises(BundleError, match=r"compiles to \d+ instructions, but the kernel takes 4096"):
        libseccomp.compile_filter(Filter(EPERM, rules=found))


WANTED = rules((("getpriority",), refuse(77), ()))


def compiled(wanted=WANTED):
    return host.compile_all([wanted])[0].code


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """The directory where programs are kept."""
    monkeypatch.setattr(host, "run_directory", lambda _: str(tmp_path))
    return tmp_path / "seccomp"


@pytest.fixture
def without_libseccomp(monkeypatch):
    return lambda: monkeypatch.setattr(libseccomp, "_FILE", "libmissing.so.0")


def test_without_libseccomp_the_package_is_named(kept, without_libseccomp):
    without_libseccomp()
    with pytest.raises(Unsupported) as caught:
        compiled()
    assert "install the package libseccomp2" in caught.value.sentence
    assert list(kept.iterdir()) == []


def test_a_filter_is_compiled_once(kept, without_libseccomp):
    first = compiled()
    without_libseccomp()
    assert compiled() == first
    assert calling(first, "getpriority", 0, 0) == 77
    (file,) = kept.iterdir()
    assert (kept.stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o700, 0o600)


def test_each_filter_has_a_file_of_its_own(kept):
    others = (
        rules((("getpriority",), refuse(78), ())),
        WANTED.replace(default=EPERM),
        WANTED.replace(architectures=("x86",)),
    )
    for other in (WANTED, *others):
        compiled(other)
    assert len(list(kept.iterdir())) == 1 + len(others)


def poison(kept):
    """A kept program that allows everything, in the place of the right one."""
    compiled()
    (file,) = kept.iterdir()
    head = file.read_bytes().partition(b"\n")[0]
    file.write_bytes(head + b"\n" + (0x06).to_bytes(4, "little") + ALLOW.to_bytes(4, "little"))
    assert calling(compiled(), "getpriority", 0, 0) == SUCCEEDS, "as it is, it is used"
    return file


def belongs_to_another(file):
    os.chown(file, 1234, 0)


def is_writable_by_others(file):
    file.chmod(0o620)


def is_a_link(file):
    file.rename(file.with_name("elsewhere"))
    file.symlink_to(file.with_name("elsewhere"))


def is_of_another_library(file):
    head, _, code = file.read_bytes().partition(b"\n")
    path, _, size, inode = json.loads(head)
    file.write_bytes(json.dumps([path, 1, size, inode]).encode() + b"\n" + code)


def is_of_a_library_that_is_gone(file):
    file.write_bytes(b'["/gone", 1, 2, 3]\n' + file.read_bytes().partition(b"\n")[2])


def is_damaged(file):
    file.write_bytes(file.read_bytes()[30:])


@pytest.mark.parametrize(
    "spoil",
    [
        belongs_to_another, is_writable_by_others, is_a_link, is_of_another_library,
        is_of_a_library_that_is_gone, is_damaged,
    ],
)  # fmt: skip
def test_a_kept_program_is_not_used_when_it(spoil, kept):
    file = poison(kept)
    spoil(file)
    assert calling(compiled(), "getpriority", 0, 0) == 77
    # The right one has taken its place.
    assert (file.is_symlink(), file.stat().st_uid, file.stat().st_mode & 0o777) == (False, 0, 0o600)
    assert calling(compiled(), "getpriority", 0, 0) == 77


@pytest.mark.parametrize("mode", [0o755, 0o1777])
def test_a_directory_that_others_can_read_keeps_nothing(kept, mode):
    poison(kept)
    kept.chmod(mode)
    assert calling(compiled(), "getpriority", 0, 0) == 77


def test_a_directory_of_another_owner_or_behind_a_link_keeps_nothing(kept):
    file = poison(kept)
    os.chown(kept, 1234, 0)
    assert calling(compiled(), "getpriority", 0, 0) == 77
    os.chown(kept, 0, 0)
    kept.rename(kept.with_name("elsewhere"))
    kept.symlink_to("elsewhere")
    assert calling(compiled(), "getpriority", 0, 0) == 77
    assert file.stat().st_uid == 0
    assert len(list(kept.iterdir())) == 1
