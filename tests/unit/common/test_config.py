# SPDX-License-Identifier: Apache-2.0
"""What an image may say about its unikernel, in each of the shapes that it travels in."""

import base64

import pytest

from urunc_common.config import (
    KEYS,
    PREFIX,
    UnikernelConfig,
    encode,
    from_annotations,
    is_unikernel,
    merge,
    to_annotations,
)
from urunc_common.errors import ConfigError
from urunc_common.rules import MONITORS

SMALLEST = {
    PREFIX + "unikernelType": "unikraft",
    PREFIX + "hypervisor": "qemu",
    PREFIX + "binary": "/unikernel/app",
}
EVERYTHING = UnikernelConfig(
    type="rumprun",
    hypervisor="hvt",
    binary="/unikernel/app.hvt",
    version="v0.18.0",
    cmdline="app --flag 'a b'",
    initrd="/boot/initrd.cpio",
    block="/data.ext2",
    block_mount_point="/data",
    mount_rootfs=True,
    solo5_net="service",
    solo5_block="storage",
    ports="80,8000-8100/udp",
)


def b64(text):
    return base64.b64encode(text.encode()).decode()


def refusal_of(annotations):
    with pytest.raises(ConfigError) as caught:
        from_annotations(annotations)
    return caught.value.sentence


def refusal(**changes):
    return refusal_of({**SMALLEST, **{PREFIX + key: value for key, value in changes.items()}})


def test_every_field_survives_annotations_and_urunc_json():
    assert from_annotations(to_annotations(EVERYTHING)) == EVERYTHING
    assert from_annotations(encode(to_annotations(EVERYTHING))) == EVERYTHING


def test_every_field_has_one_key():
    assert set(KEYS) == set(vars(EVERYTHING))
    assert len(set(KEYS.values())) == len(KEYS)


def test_urunc_json_holds_padded_base64():
    assert encode({"k": "/unikernel/kernel"}) == {"k": "L3VuaWtlcm5lbC9rZXJuZWw="}


@pytest.mark.parametrize("word", ["qemu", "unikraft", "true"])
def test_a_word_that_happens_to_be_base64_is_read_as_it_stands(word):
    key = {"qemu": "hypervisor", "unikraft": "unikernelType", "true": "mountRootfs"}[word]
    base64.b64decode(word, validate=True)  # it is base64 text indeed
    assert PREFIX + key in to_annotations(from_annotations({**SMALLEST, PREFIX + key: word}))


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        ("redis-server /data/redis.conf", "redis-server /data/redis.conf"),
        (b64("redis-server /data/redis.conf"), "redis-server /data/redis.conf"),
        ("hell", "hell"),  # base64 of bytes that are no text
        (b64("one\ttwo"), b64("one\ttwo")),  # base64 of what no command line may be
        ("Zm9v=", "Zm9v="),  # wrongly padded
    ],
)
def test_a_command_line_is_decoded_only_if_it_must_be_base64(value, meaning):
    assert from_annotations({**SMALLEST, PREFIX + "cmdline": value}).cmdline == meaning


def test_annotations_override_the_file_key_by_key():
    stored = encode(SMALLEST)
    config = from_annotations(merge(stored, {PREFIX + "binary": "/other", "unrelated": "x"}))
    assert (config.binary, config.type) == ("/other", "unikraft")


def test_an_empty_annotation_takes_a_value_of_the_file_back():
    stored = encode({**SMALLEST, PREFIX + "initrd": "/initrd"})
    assert from_annotations(merge(stored, {PREFIX + "initrd": ""})).initrd == ""


def test_only_keys_with_the_prefix_make_a_unikernel():
    assert is_unikernel({PREFIX + "typo": ""})
    assert not is_unikernel({"com.urunc.other": "x", "maintainer": "me"})


def test_declared_ports_make_no_unikernel_but_belong_to_one():
    declared = {"run.urunc.ports": "8080"}
    assert not is_unikernel(declared)
    assert from_annotations(merge(encode({**SMALLEST, "run.urunc.ports": "80"}), declared)).ports == "8080"
    assert refusal_of({**SMALLEST, "run.urunc.ports": "http"}).startswith(
        "run.urunc.ports: 'http' is no port"
    )


def test_the_old_name_of_mount_rootfs_is_understood_and_the_new_one_wins():
    assert from_annotations({**SMALLEST, PREFIX + "useDMBlock": "1"}).mount_rootfs
    both = {PREFIX + "useDMBlock": "1", PREFIX + "mountRootfs": "false"}
    assert not from_annotations({**SMALLEST, **both}).mount_rootfs


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"unikernelType": "unikarft"}, "did you mean 'unikraft'?"),
        ({"hypervisor": "kvm"}, f"known: {', '.join(MONITORS)}"),
        ({"hypervisor": "hedge"}, "monitor 'hedge' is not served"),
        ({"hypervisor": "hyperlight-unikraft"}, "is not served"),
        ({"hypervisor": "spt"}, "a unikraft unikernel does not run on spt; unikraft runs on firecracker,"),
        (
            {"unikernelType": "osv", "hypervisor": "hvt"},
            "an osv unikernel does not run on hvt; osv runs on qemu;",
        ),
        ({"vAccel": "vsock"}, "vAccel: acceleration over vsock is not served"),
        ({"RPCAddress": "vsock://2:1"}, "RPCAddress: acceleration over vsock is not served"),
        ({"binarie": "/a"}, f"unknown key {PREFIX}binarie; did you mean {PREFIX}binary?"),
        ({"binary": ""}, f"missing {PREFIX}binary"),
        ({"binary": b64("\r\n")}, f"missing {PREFIX}binary"),
        ({"binary": "/a/../../b"}, "is not a clean path inside the image"),
        ({"binary": "-kernel"}, "is not a clean path inside the image"),
        ({"binary": "/a b"}, "is not a clean path inside the image"),
        ({"binary": "/"}, "is not a clean path inside the image"),
        ({"initrd": "/" + "a" * 4096}, "is not a clean path inside the image"),
        ({"mountRootfs": "maybe"}, "is neither true nor false"),
        ({"block": "/disk"}, f"{PREFIX}block is set, but not {PREFIX}blkMntPoint"),
        ({"blkMntPoint": "/data"}, f"{PREFIX}blkMntPoint is set, but not {PREFIX}block"),
        ({"block": "/d", "blkMntPoint": "data"}, "is not an absolute, clean path"),
        ({"solo5NetDev": "net-1"}, "is not a Solo5 device name"),
        ({"unikernelVersion": "1\n2"}, "not printable"),
        ({"binary": 7}, "the value is not a string"),
    ],
)
def test_what_is_wrong_is_refused_with_key_value_and_remedy(changes, said):
    assert said in refusal(**changes)
