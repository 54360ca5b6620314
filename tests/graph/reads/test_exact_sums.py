"""Sums of groups: exact, rounded once, the same in any order. Source: languages 3.2."""

import itertools
import math
import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.graph.reads.grouping import float_sums, integer_sums

plain = st.floats(-1e9, 1e9, allow_nan=False)
wide = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300)


@given(st.lists(st.tuples(st.integers(0, 3), st.one_of(plain, wide)), max_size=40))
def test_floats_are_added_as_if_rounded_once(pairs: list[tuple[int, float]]) -> None:
    codes = np.array([c for c, _ in pairs], np.int64)
    numbers = np.array([n for _, n in pairs], np.float64)

    found = float_sums(numbers, codes, 4)

    assert found == [math.fsum(n for c, n in pairs if c == group) for group in range(4)]


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(-(2**63), 2**63 - 1)), max_size=30),
)
def test_integers_are_added_beyond_64_bits(pairs: list[tuple[int, int]]) -> None:
    codes = np.array([c for c, _ in pairs], np.int64)
    values = pa.array([n for _, n in pairs], pa.int64())

    found = integer_sums(values, codes, 3)

    assert found == [sum(n for c, n in pairs if c == group) for group in range(3)]


def test_unsigned_integers_are_added_too() -> None:
    values = pa.array([2**64 - 1, 2**64 - 1, 1], pa.uint64())

    assert integer_sums(values, np.array([0, 0, 1]), 2) == [2**65 - 2, 1]


@pytest.mark.slow
def test_many_integers_are_added_in_pieces() -> None:
    numbers = np.full((1 << 21) + 3, 2**62, np.int64)

    assert integer_sums(pa.array(numbers), np.zeros(len(numbers), np.int64), 1) == [
        2**62 * len(numbers)
    ]


def test_the_order_of_rows_does_not_show() -> None:
    numbers = [0.1, 0.2, 0.3, 1e16, -1e16, 1.0]
    random.Random(3).shuffle(numbers)

    sums = {float_sums(np.roll(numbers, n), np.zeros(6, np.int64), 1)[0] for n in range(6)}

    assert len(sums) == 1


@pytest.mark.parametrize(
    ("numbers", "total"),
    [
        ([1e308, 1e308, -1e308], 1e308),
        ([1.7e308, 1.7e308, -1.7e308, -1.7e308, 0.25], 0.25),
        ([1e308, 1e308, 1e308], math.inf),
        ([-1e308, -1e308, 1.0], -math.inf),
    ],
)
def test_what_overflows_on_the_way_alone_is_added_in_any_order(
    numbers: list[float], total: float
) -> None:
    zeros = np.zeros(len(numbers), np.int64)
    orders = [np.array(one) for one in itertools.permutations(numbers)]

    assert {float_sums(order, zeros, 1)[0] for order in orders} == {total}
