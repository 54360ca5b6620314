"""Canonical JSON is RFC 8785, whichever of its two ways the bytes were made. Source: RFC 8785."""

from collections.abc import Callable
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from agentctl.canonical import canonical_bytes

ASCII = st.text(alphabet=[chr(n) for n in range(128)])
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**60), max_value=2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | ASCII
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text() | ASCII, inner, max_size=5)
    ),
    max_leaves=20,
)


def said(make: Callable[[Any], bytes], value: object) -> bytes | type[Exception]:
    try:
        return make(value)
    except (ValueError, UnicodeError) as refused:
        return type(refused)


@given(VALUES)
@example(2**53)
@example([2**53 - 1])
@example({"a": -(2**53) - 1})
@example(1.0)
@example([1e21, -0.0])
@example("\x7f\x00\x1f\u2028")
@example({"\U00010000": 1, "\ue000": 2})
@example(":1234567890123456")
@example("")
@example(-1)
@example({"a": [[-0.5]]})
@example({"a": {"b": 1234567890123456789}})
def test_the_bytes_are_those_of_the_library(value: object) -> None:
    assert said(canonical_bytes, value) == said(rfc8785.dumps, value)


def test_the_short_way_is_taken_for_what_plans_are_made_of(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(value: object) -> bytes:
        raise AssertionError(value)

    monkeypatch.setattr(rfc8785, "dumps", never)

    instant = {"at": "2026-11-21T10:15:30.123Z"}
    assert canonical_bytes(instant) == b'{"at":"2026-11-21T10:15:30.123Z"}'
    assert canonical_bytes({"b": ["x", 1, None], "a": True}) == b'{"a":true,"b":["x",1,null]}'
