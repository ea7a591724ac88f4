# SPDX-License-Identifier: Apache-2.0
"""What a Linux guest is told: every field is a record, and a value may be all that C can hold."""

import re
from pathlib import Path

import pytest

from urunc_common.cpio import Directory
from urunc_common.errors import Error
from urunc_common.guest import (
    GuestConfig,
    Interface,
    Mount,
    Rlimit,
    Root,
    Route,
    init_file,
    initramfs,
    render,
)

ROOT = Path(__file__).parents[3]
PLAIN = ["arg a", "cwd /", "uid 0", "gid 0", "umask 22", "stdio console", "stopsignal 15", "report none"]


def records(data):
    """The records, read by their lengths."""
    first, _, rest = data.partition(b"\n")
    assert first == b"urunc 2"
    found = []
    while rest:
        head, _, rest = rest.partition(b"\n")
        key, length = head.split(b" ")
        value, rest = rest[: int(length)], rest[int(length) :]
        assert rest[:1] == b"\n"
        rest = rest[1:]
        found.append(f"{key.decode()} {value.decode(errors='surrogateescape')}")
    return found


def rendered(**fields):
    """The records that these fields add."""
    found = records(render(GuestConfig(**{"args": ("a",), **fields})))
    return [record for record in found if record not in PLAIN]


EVERYTHING = GuestConfig(
    ("a",),
    env=("A=1",),
    groups=(1,),
    rlimits=(Rlimit("RLIMIT_CORE", 0, 0),),
    sysctls=(("net/ipv4/x", "1 2"),),
    hostname="h",
    domainname="d",
    root=Root("block", "r"),
    mounts=(Mount("tmpfs", "", "/a"), Mount("9p", "t", "/b")),
    interfaces=(Interface("02:00:00:00:00:01", 1500, "eth0", ("10.0.0.2/24",), (Route("default"),)),),
    terminal=(24, 80),
    control="c",
    exec=True,
)


def test_the_first_process_and_its_reference_know_every_key():
    keys = {record.split(" ")[0] for record in records(render(EVERYTHING))}
    (table,) = re.findall(r"KEYS\[\] = \{(.*?)\}", (ROOT / "packages/init/config.c").read_text(), re.DOTALL)
    assert sorted(re.findall(r'"(\w+)"', table)) == sorted(keys)
    head = (ROOT / "docs/guest.md").read_text().partition("\n## ")[0]
    rows = [line.split(" | ")[0] for line in head.splitlines() if line.startswith("| `")]
    assert sorted(re.findall(r"`(\w+)`", " ".join(rows))) == sorted(keys)


def test_a_program_alone_has_defaults_for_the_rest():
    assert records(render(GuestConfig(("a",)))) == PLAIN


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"args": ("a", "", "b c")}, ["arg ", "arg b c"]),
        ({"env": ("A=1\n2", "B=")}, ["env A=1\n2", "env B="]),
        ({"cwd": "/a b"}, ["cwd /a b"]),
        ({"uid": 1, "gid": 2, "groups": (3, 4)}, ["uid 1", "gid 2", "group 3", "group 4"]),
        ({"umask": 0o77}, ["umask 77"]),
        ({"umask": 0}, ["umask 0"]),
        ({"rlimits": (Rlimit("RLIMIT_CORE", 5, 2**64 - 1),)}, ["rlimit RLIMIT_CORE 5 18446744073709551615"]),
        ({"sysctls": (("net/ipv4/x", "1 2"),)}, ["sysctl net/ipv4/x 1 2"]),
        ({"hostname": "h", "domainname": "d"}, ["hostname h", "domainname d"]),
        ({"root": Root("block", "rootfs")}, ["root block rootfs rw"]),
        ({"root": Root("block", "/dev/vda", readonly=True, fstype="ext4")}, ["root block /dev/vda ro ext4"]),
        ({"mounts": (Mount("copy", "/.urunc/volumes/0", "/a b"),)}, ["mount copy /.urunc/volumes/0 rw /a b"]),
        ({"mounts": (Mount("9p", "t", "/a", readonly=True),)}, ["mount 9p t ro /a"]),
        ({"mounts": (Mount("tmpfs", "", "/a"), Mount("9p", "t", "/b"))}, ["tmpfs /a", "mount 9p t rw /b"]),
        ({"stdio": "ports"}, ["stdio ports"]),
        ({"terminal": (24, 80)}, ["terminal 24 80"]),
        ({"control": "org.urunc.control", "stop_signal": 3}, ["control org.urunc.control", "stopsignal 3"]),
        ({"report": "debug-exit 0x501"}, ["report debug-exit 0x501"]),
        ({"exec": True}, ["exec 1"]),
    ],
)  # fmt: skip
def test_a_field_is_rendered(fields, expected):
    assert rendered(**fields) == expected


def test_addresses_and_routes_follow_their_interface():
    first = Interface(
        "02:00:00:00:00:01", 1400, "eth0", ("10.0.0.2/24", "fd00::2/64"), (Route("default", "10.0.0.1"),)
    )
    second = Interface("02:00:00:00:00:02", 1500, "eth1", (), (Route("10.1.0.0/16", metric=7),))
    assert rendered(interfaces=(first, second)) == [
        "interface 02:00:00:00:00:01 1400 eth0",
        "address 10.0.0.2/24",
        "address fd00::2/64",
        "route default 10.0.0.1 0",
        "interface 02:00:00:00:00:02 1500 eth1",
        "route 10.1.0.0/16 - 7",
    ]


def test_a_value_may_have_any_byte_but_nul():
    text = bytes(range(1, 256)).decode(errors="surrogateescape")
    assert rendered(args=(text,)) == [f"arg {text}"]
    with pytest.raises(Error, match="NUL byte, which its env has"):
        render(GuestConfig(("a",), env=("A=\0",)))


@pytest.mark.parametrize("source", ["", "a b", " a", "a\n"])
def test_a_source_is_one_word(source):
    with pytest.raises(Error, match="not one word"):
        render(GuestConfig(("a",), root=Root("block", source)))
    with pytest.raises(Error, match="not one word"):
        render(GuestConfig(("a",), mounts=(Mount("block", source, "/a"),)))


def test_the_archive_has_the_program_its_orders_and_the_volumes():
    config = GuestConfig(("a",))
    data = initramfs(config, b"\x7fELF", [Directory("/.urunc/volumes/0")])
    assert [data.count(word) for word in (b"\x7fELF", render(config), b".urunc/volumes/0\0")] == [1, 1, 1]


def test_there_is_a_program_for_each_architecture():
    assert init_file("x86_64").endswith("urunc_common/data/init-x86_64")
