# SPDX-License-Identifier: Apache-2.0
"""What is to reach a guest: as its image declares, or its container."""

from __future__ import annotations

import pytest

from urunc import line
from urunc.bundle import Bundle, Namespace, User
from urunc_common.config import UnikernelConfig
from urunc_common.errors import ConfigError
from urunc_common.ports import KEY, Ports

CONFIG = UnikernelConfig("linux", "qemu", "/k")
FROM_80, FROM_81 = (Ports(80, 80),), (Ports(81, 81),)


def declared(image: str, annotations: dict[str, str], *env: str) -> tuple[Ports, ...] | None:
    namespaces = (Namespace("network"),)
    bundle = Bundle("/b", "/b/r", "1.0", (), env, User(), annotations, namespaces, hooks={})
    return line.describe(bundle, CONFIG.replace(ports=image), is_hosts=False).ports


@pytest.mark.parametrize(
    ("image", "annotations", "ports"),
    [
        ("", {}, None),
        ("80", {}, FROM_80),
        ("", {KEY: "81"}, FROM_81),
        ("80", {KEY: "81"}, FROM_81),
        ("80", {KEY: ""}, ()),
    ],
)
def test_a_containers_declaration_comes_before_that_of_its_image(
    image: str, annotations: dict[str, str], ports: tuple[Ports, ...] | None
) -> None:
    assert declared(image, annotations) == ports


@pytest.mark.parametrize(
    ("env", "ports"),
    [
        (("K_REVISION=web-1", "PORT=81"), FROM_81),
        (("PORT=81",), None),
        (("K_REVISION=web-1",), None),
        (("K_REVISION=web-1", "PORT=http"), None),
    ],
)
def test_knatives_port_is_declared_where_all_signs_are_there(
    env: tuple[str, ...], ports: tuple[Ports, ...] | None
) -> None:
    assert declared("", {}, *env) == ports
    assert declared("80", {}, *env) == FROM_80, "what an image declares comes before it"
    assert declared("", {KEY: ""}, *env) == (), "and so does a container"


@pytest.mark.parametrize(
    ("kind", "args", "ipv6"),
    [("linux", "/bin/httpd", True), ("linux", "/urunit", False), ("unikraft", "/bin/httpd", False)],
)
def test_guests_with_our_first_process_are_told_ipv6(kind: str, args: str, *, ipv6: bool) -> None:
    namespaces = (Namespace("network"),)
    bundle = Bundle("/b", "/b/r", "1.0", (args,), (), User(), {}, namespaces, hooks={})
    assert line.describe(bundle, CONFIG.replace(type=kind), is_hosts=False).ipv6 == ipv6


def test_a_declaration_that_does_not_parse_is_refused() -> None:
    with pytest.raises(ConfigError, match="'http' is no port"):
        declared("", {KEY: "http"})
