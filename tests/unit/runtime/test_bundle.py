# SPDX-License-Identifier: Apache-2.0
"""config.json as a value."""

import json

import pytest

from urunc import bundle as bundles
from urunc.bundle import Bind, Bundle, Hook, Namespace, User
from urunc.errors import BundleError

SMALLEST = {"root": {"path": "rootfs"}}


def load(spec):
    return bundles.from_text(json.dumps(spec), "/b")


def test_the_smallest_bundle():
    assert load(SMALLEST) == Bundle(
        path="/b", rootfs="/b/rootfs", version="1.0.0", args=(), env=(), user=User(), annotations={},
        namespaces=(), hooks={},
    )  # fmt: skip


def test_an_absolute_root_stays_absolute():
    assert load({"root": {"path": "/var/lib/x/merged"}}).rootfs == "/var/lib/x/merged"


def test_what_the_process_asks_for():
    found = load(
        {
            **SMALLEST,
            "process": {
                "args": ["a", "b c"],
                "env": ["K=V"],
                "terminal": True,
                "consoleSize": {"height": 24, "width": 80},
                "user": {"uid": 1000, "gid": 100, "additionalGids": [5]},
                "noNewPrivileges": True,
            },
        }
    )
    assert (found.args, found.env, found.terminal) == (("a", "b c"), ("K=V",), True)
    assert (found.console_size, found.user, found.no_new_privileges) == (
        (24, 80),
        User(1000, 100, (5,)),
        True,
    )


def test_namespaces_come_in_the_order_in_which_they_are_entered():
    entries = [{"type": "mount"}, {"type": "network", "path": "/run/netns/x"}, {"type": "ipc"}]
    assert load({**SMALLEST, "linux": {"namespaces": entries}}).namespaces == (
        Namespace("ipc"), Namespace("network", "/run/netns/x"), Namespace("mount"),
    )  # fmt: skip


def test_a_hook_without_args_gets_its_path_and_without_env_inherits():
    hooks = {
        "prestart": [{"path": "/h"}],
        "poststop": [{"path": "/p", "args": ["p", "x"], "env": [], "timeout": 3}],
    }
    found = load({**SMALLEST, "hooks": hooks}).hooks
    assert found["prestart"] == (Hook("/h", ("/h",), None, None),)
    assert found["poststop"] == (Hook("/p", ("p", "x"), (), 3),)


def test_bind_mounts_are_the_engines_volumes():
    mounts = [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/data", "type": "bind", "source": "/srv", "options": ["rbind", "ro"]},
        {"destination": "/x", "type": "none", "source": "/x", "options": ["bind"]},
    ]
    assert load({**SMALLEST, "mounts": mounts}).binds == (
        Bind("/srv", "/data", readonly=True),
        Bind("/x", "/x"),
    )


@pytest.mark.parametrize(("limit", "meaning"), [(1 << 28, 1 << 28), (0, None), (-1, None)])
def test_a_memory_limit_is_a_positive_number(limit, meaning):
    found = load({**SMALLEST, "linux": {"resources": {"memory": {"limit": limit}}}})
    assert found.memory_limit == meaning


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ([], "is not a JSON object"),
        ({}, "root.path is missing"),
        ({"root": {"path": 7}}, "root.path must be of type str, not int"),
        ({"root": {"path": "a\0b"}}, "root.path contains a NUL character"),
        ({**SMALLEST, "process": {"args": "hello"}}, "process.args must be of type list"),
        ({**SMALLEST, "process": {"user": {"uid": -1}}}, "process.user.uid is -1"),
        ({**SMALLEST, "process": {"user": {"uid": True}}}, "process.user.uid must be of type int, not bool"),
        ({**SMALLEST, "process": {"user": {"uid": 0xFFFFFFFF}}}, "process.user.uid is 4294967295"),
        ({**SMALLEST, "process": {"user": {"additionalGids": [True]}}}, "additionalGids must be a list of"),
        ({**SMALLEST, "process": {"user": {"additionalGids": [1] * 65537}}}, "at most 65536 group ids"),
        ({**SMALLEST, "process": {"consoleSize": {"height": 1 << 16}}}, "consoleSize.height is 65536"),
        ({**SMALLEST, "process": {"args": ["\ud800"]}}, "process.args must be a list of strings without"),
        ({"root": {"path": "\ud800"}}, "root.path contains a NUL character or half of a surrogate pair"),
        ({**SMALLEST, "linux": {"namespaces": [{"type": "net"}]}}, "linux.namespaces[0].type is 'net'"),
        ({**SMALLEST, "linux": {"namespaces": [{"type": "pid"}] * 2}}, "names 'pid' a second time"),
        ({**SMALLEST, "linux": {"namespaces": ["pid"]}}, "linux.namespaces[0] is not an object"),
        ({**SMALLEST, "hooks": {"prestart": [{"path": "h"}]}}, "hooks.prestart[0].path is 'h'"),
        (
            {**SMALLEST, "hooks": {"poststop": [{"path": "/h", "timeout": 0}]}},
            "timeout must be greater than zero",
        ),
        ({**SMALLEST, "annotations": {"a": 1}}, "annotations must have strings as values"),
    ],
)
def test_what_is_wrong_is_named_by_its_whole_key(spec, said):
    with pytest.raises(BundleError) as caught:
        load(spec)
    assert said in str(caught.value)
    assert str(caught.value).startswith("/b/config.json")


@pytest.mark.parametrize("text", ["", "{", '{"root": }', "nul", "{} x", "[" * 100000])
def test_broken_json_says_where(text):
    with pytest.raises(BundleError, match=r"/b/config\.json is not valid JSON"):
        bundles.from_text(text, "/b")


def test_a_directory_without_config_json_is_no_bundle(tmp_path):
    with pytest.raises(BundleError, match=r"cannot read .*/config\.json: No such file") as caught:
        bundles.load(str(tmp_path))
    assert caught.value.hint
