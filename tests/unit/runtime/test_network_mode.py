# SPDX-License-Identifier: Apache-2.0
"""When a guest takes its network namespace over, and when it is one of several in it."""

from __future__ import annotations

import pytest

from urunc.bundle import Namespace
from urunc.errors import BundleError
from urunc.network_mode import HOST, OWN, SHARED, STATIC, USER, decide
from urunc.user_network import KEY

NEW, NAMED = Namespace("network"), Namespace("network", "/run/netns/blue")
OF_A_PROCESS, OF_A_THREAD = (
    Namespace("network", path) for path in ("/proc/12/ns/net", "/proc/12/task/13/ns/net")
)
IN_A_POD = {"io.kubernetes.cri.container-type": "container"}
IN_A_POD_OF_CRIO = {"io.kubernetes.cri-o.ContainerType": "container"}
ALONE = {"io.kubernetes.cri.container-type": "sandbox"}
KNATIVE = {**IN_A_POD, "io.kubernetes.cri.container-name": "user-container"}

TABLE = {
    "a new namespace": (NEW, {}, OWN),
    "a new namespace, whatever else is said": (NEW, IN_A_POD, OWN),
    "a namespace with a name": (NAMED, {}, OWN),
    "a container of a pod": (NAMED, IN_A_POD, SHARED),
    "a container of a pod of CRI-O": (NAMED, IN_A_POD_OF_CRIO, SHARED),
    "a pod's own container": (NAMED, ALONE, OWN),
    "another process's": (OF_A_PROCESS, {}, SHARED),
    "another thread's": (OF_A_THREAD, {}, SHARED),
    "Knative": (OF_A_PROCESS, KNATIVE, STATIC),
    "no namespace": (None, {}, HOST),
    "no namespace, in a pod": (None, IN_A_POD, HOST),
    "asked to share a named one": (NAMED, {KEY: "shared"}, SHARED),
    "asked to share a new one": (NEW, {KEY: "shared"}, SHARED),
    "asked to take over a pod's": (OF_A_PROCESS, {**IN_A_POD, KEY: "own"}, OWN),
    "asked to take over Knative's": (OF_A_PROCESS, {**KNATIVE, KEY: "own"}, OWN),
    "the monitor's": (OF_A_PROCESS, {**IN_A_POD, KEY: "user,tcp:80:80"}, USER),
    "the monitor's, without a namespace": (None, {KEY: "user"}, USER),
}


@pytest.mark.parametrize(("namespace", "annotations", "mode"), TABLE.values(), ids=TABLE)
def test_the_mode(namespace: Namespace | None, annotations: dict[str, str], mode: str) -> None:
    assert decide(namespace, annotations, is_hosts=False) == mode


@pytest.mark.parametrize("namespace", [NAMED, OF_A_PROCESS, None])
def test_the_hosts_network_is_nobodys(namespace: Namespace | None) -> None:
    assert decide(namespace, IN_A_POD, is_hosts=True) == HOST


@pytest.mark.parametrize("asked", ["own", "shared"])
@pytest.mark.parametrize("namespace", [NAMED, None])
def test_the_hosts_network_cannot_be_asked_for(namespace: Namespace | None, asked: str) -> None:
    with pytest.raises(BundleError, match=f"{asked}.* host's network"):
        decide(namespace, {KEY: asked}, is_hosts=bool(namespace))
