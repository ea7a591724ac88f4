# SPDX-License-Identifier: Apache-2.0
"""Image names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bima.errors import ImageNameError
from bima.reference import Reference
from urunc_common.errors import Error

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "full", "familiar"),
    [
        ("hello", "docker.io/library/hello:latest", "hello:latest"),
        ("hello:1.0", "docker.io/library/hello:1.0", "hello:1.0"),
        ("me/hello", "docker.io/me/hello:latest", "me/hello:latest"),
        ("library/hello", "docker.io/library/hello:latest", "hello:latest"),
        ("docker.io/hello", "docker.io/library/hello:latest", "hello:latest"),
        ("index.docker.io/hello", "docker.io/library/hello:latest", "hello:latest"),
        ("docker.io/library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"),
        ("localhost/hello", "localhost/hello:latest", "localhost/hello:latest"),
        ("localhost:5000/a/b:c", "localhost:5000/a/b:c", "localhost:5000/a/b:c"),
        ("[::1]:5000/a", "[::1]:5000/a:latest", "[::1]:5000/a:latest"),
        ("Registry/a", "Registry/a:latest", "Registry/a:latest"),
        (
            "harbor.nbfc.io/nubificus/image:tag",
            "harbor.nbfc.io/nubificus/image:tag",
            "harbor.nbfc.io/nubificus/image:tag",
        ),
        (f"hello@{DIGEST}", f"docker.io/library/hello@{DIGEST}", f"hello@{DIGEST}"),
        (f"hello:1@{DIGEST}", f"docker.io/library/hello:1@{DIGEST}", f"hello:1@{DIGEST}"),
        ("a__b-c.d--e", "docker.io/library/a__b-c.d--e:latest", "a__b-c.d--e:latest"),
    ],
)
def test_names_are_read_as_docker_reads_them(text: str, full: str, familiar: str) -> None:
    reference = Reference.parse(text)
    assert (str(reference), reference.familiar) == (full, familiar)
    assert Reference.parse(full) == Reference.parse(familiar) == reference


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "repository"),
        ("Hello", "repository"),
        ("a//b", "repository"),
        ("/a", "repository"),
        ("a/", "repository"),
        ("-a", "repository"),
        ("a___b", "repository"),
        ("a b", "repository"),
        ("docker.io/", "repository"),
        ("hello:", "tag"),
        ("hello:-x", "tag"),
        ("hello:" + "x" * 129, "tag"),
        ("hello@sha256:abc", "digest"),
        ("hello@md5:" + "a" * 64, "digest"),
        ("bad_host.x:80/a", "registry"),
        ("a.b:65536/c", "no port is over 65535"),
        ("x" * 250, "255 characters"),
        ("a" * 64, "an image's id"),
    ],
)
def test_a_wrong_name_is_refused_with_the_part_that_is_wrong(text: str, word: str) -> None:
    with pytest.raises(ImageNameError) as refused:
        Reference.parse(text)
    assert word in refused.value.sentence


@given(st.text(alphabet="aA0.:/@-_[]", max_size=30))
def test_every_name_that_is_accepted_survives_its_full_form(text: str) -> None:
    try:
        reference = Reference.parse(text)
    except Error:
        return
    assert Reference.parse(str(reference)) == reference
    assert Reference.parse(reference.familiar) == reference
