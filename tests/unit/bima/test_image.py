# SPDX-License-Identifier: Apache-2.0
"""The JSON documents of an image."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bima import image
from bima.errors import StoreError
from bima.image import Descriptor, ImageConfig, Layer, Step

DIGEST = image.digest_of(b"")
LAYER = Layer(Descriptor(image.LAYER_GZIP, DIGEST, 7), "sha256:" + "1" * 64)


def test_a_descriptor_survives_json() -> None:
    for descriptor in (
        Descriptor("type", DIGEST, 3),
        Descriptor("type", DIGEST, 3, {"a": "b"}, {"os": "linux", "architecture": "arm"}),
    ):
        assert Descriptor.from_json(descriptor.to_json()) == descriptor


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        None,
        {"digest": DIGEST},
        {"digest": "sha256:../../x", "size": 1},
        {"digest": DIGEST, "size": "1"},
        {"digest": DIGEST, "size": -1},
        {"digest": DIGEST, "size": True},
        {"digest": 5, "size": 1},
    ],
)
def test_what_is_no_descriptor_is_refused(document: Any) -> None:
    with pytest.raises(StoreError):
        Descriptor.from_json(document)


def test_documents_are_compact_and_sorted() -> None:
    assert image.canonical({"b": 1, "a": "é"}) == '{"a":"é","b":1}'.encode()


def test_a_config_says_how_to_run_and_what_it_is_made_of() -> None:
    config = ImageConfig("arm", "v7", env=("A=b",), cmd=("x",), labels={"k": "v"})
    document = json.loads(config.render([LAYER], [Step("COPY a b", empty=False), Step("CMD x")]))
    assert document == {
        "architecture": "arm",
        "variant": "v7",
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {"Env": ["A=b"], "Cmd": ["x"], "Labels": {"k": "v"}},
        "rootfs": {"type": "layers", "diff_ids": [LAYER.diff_id]},
        "history": [
            {"created": "1970-01-01T00:00:00Z", "created_by": "COPY a b"},
            {"created": "1970-01-01T00:00:00Z", "created_by": "CMD x", "empty_layer": True},
        ],
    }


def test_a_manifest_points_to_config_and_layers() -> None:
    config = image.describe(b"{}", image.CONFIG)
    document = json.loads(image.render_manifest(config, [LAYER], {"a": "b"}))
    assert document == {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": image.CONFIG, "digest": image.digest_of(b"{}"), "size": 2},
        "layers": [{"mediaType": image.LAYER_GZIP, "digest": DIGEST, "size": 7}],
        "annotations": {"a": "b"},
    }


def test_a_time_is_rendered_in_utc() -> None:
    assert image.timestamp(1_700_000_000) == "2023-11-14T22:13:20Z"
