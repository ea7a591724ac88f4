# SPDX-License-Identifier: Apache-2.0
"""Whatever stands in a field of config.json, it is taken, or refused in a sentence that names the field."""

import json
import os

from everything import EVERYTHING
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from urunc import bundle as bundles
from urunc import isolation
from urunc.errors import BundleError, Unsupported

# The same tries each time; `scripts/fuzz` makes more, and others each time.
DEEPER = int(os.environ.get("FUZZ", "1"))
HASTE = settings(
    max_examples=60 * DEEPER,
    derandomize=DEEPER == 1,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([-1, 0, 1, 1 << 31, 1 << 32, 1 << 63, 1 << 64, 1e300, 0.5])
    | st.text(max_size=5)
    | st.sampled_from(["", "\0", "\ud800", "/", "..", "a/b", "CAP_CHOWN", "SCMP_ACT_ALLOW", "net.x", "user"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def places(value, path=()):
    """Where something stands, at any depth."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from places(inner, (*path, index))


PLACES = list(places(EVERYTHING))


def changed(path, value):
    spec = json.loads(json.dumps(EVERYTHING))
    inner = spec
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return spec


def key(path):
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")


def said(action, *arguments):
    """What a refusal says; empty where there is none."""
    try:
        action(*arguments)
    except (BundleError, Unsupported) as error:
        return str(error)
    return ""


def said_of(text):
    found = []
    refusal = said(lambda: found.append(bundles.from_text(text, "/b")))
    for bundle in found:
        for own_network in (False, True):
            contradiction = said(lambda: isolation.check(bundle, own_network=own_network))  # noqa: B023
            assert "\n" not in contradiction
    return refusal


@HASTE
@given(st.sampled_from(PLACES), VALUES)
def test_one_field_of_any_value_is_taken_or_named(path, value):
    refusal = said_of(json.dumps(changed(path, value)))
    section = key(path[:2] if path[0] == "linux" else path[:1])
    assert not refusal or (refusal.startswith("/b/config.json: ") and section in refusal)
    assert "\n" not in refusal


@HASTE
@given(st.dictionaries(st.sampled_from([*EVERYTHING]), VALUES), st.dictionaries(st.text(max_size=4), VALUES))
def test_no_configuration_makes_the_loader_stumble(known, unknown):
    refusal = said_of(json.dumps({**EVERYTHING, **unknown, **known}))
    assert not refusal or refusal.startswith("/b/config.json")


@HASTE
@given(st.text(max_size=60) | st.recursive(VALUES, st.lists, max_leaves=3).map(json.dumps))
def test_no_text_makes_the_loader_stumble(text):
    refusal = said_of(text)
    assert not refusal or refusal.startswith("/b/config.json")
