# SPDX-License-Identifier: Apache-2.0
"""What a pod says to one of its containers."""

from __future__ import annotations

import pytest

from urunc import pod

WEB = {"io.kubernetes.cri.container-name": "web"}
WEB_OF_CRIO = {"io.kubernetes.container.name": "web"}


@pytest.mark.parametrize("named", [WEB, WEB_OF_CRIO])
@pytest.mark.parametrize(
    ("said", "ports"),
    [
        ({"run.urunc.ports": "80"}, "80"),
        ({"run.urunc.ports.web": "81"}, "81"),
        ({"run.urunc.ports": "80", "run.urunc.ports.web": "81"}, "81"),
        ({"run.urunc.ports.web": "81", "run.urunc.ports": "80"}, "81"),
        ({"run.urunc.ports": "80", "run.urunc.ports.web": ""}, ""),
        ({"run.urunc.ports": "80", "run.urunc.ports.db": "81"}, "80"),
        ({"run.urunc.ports.db": "81"}, None),
        ({"run.urunc.ports.my.web": "81"}, None),
    ],
)
def test_what_is_said_by_name_is_said_to_nobody_else(
    named: dict[str, str], said: dict[str, str], ports: str | None
) -> None:
    assert pod.own({**named, **said}).get("run.urunc.ports") == ports


@pytest.mark.parametrize(
    "annotations",
    [
        {},
        {"run.urunc.ports": "80"},
        {"run.urunc.ports.": "80"},
        {**WEB, "com.urunc.unikernel.binary.web": "/k", "other.web": "x"},
    ],
)
def test_nothing_else_is_changed(annotations: dict[str, str]) -> None:
    assert pod.own(annotations) == annotations


@pytest.mark.parametrize(
    ("annotations", "kind"),
    [
        ({"io.kubernetes.cri.container-type": "sandbox"}, pod.PAUSE),
        ({"io.kubernetes.cri-o.ContainerType": "container"}, pod.CONTAINER),
        (WEB, ""),
    ],
)
def test_the_pause_container_is_told_from_others(annotations: dict[str, str], kind: str) -> None:
    assert pod.kind(annotations) == kind
