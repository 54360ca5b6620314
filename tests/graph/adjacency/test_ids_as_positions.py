"""Ids of one node type and their positions: the index gives what a dictionary gives."""

import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.graph.adjacency.hashing import SHORT_BYTES_MAX, hash_text, hash_texts, keys_from
from agentctl.graph.adjacency.id_index import ABSENT, IdIndex, id_index, one_array

CHARACTERS = st.characters(exclude_categories=["Cs"])
LONG = st.integers(SHORT_BYTES_MAX - 9, SHORT_BYTES_MAX + 9).map("x".__mul__)
ID = st.text(CHARACTERS, max_size=40)
IDS = st.lists(ID, unique=True, max_size=40)


def crowded(bits: int) -> dict[str, object]:
    """A hash of so few bits that most texts share theirs with another."""
    mask = (1 << bits) - 1
    return {
        "hash_one": lambda text: hash_text(text) & mask,
        "hash_many": lambda texts: hash_texts(texts) & mask,
    }


@given(texts=st.lists(ID | LONG), secret=st.binary(max_size=64), wide=st.booleans())
def test_a_column_is_hashed_as_each_of_its_texts_is(
    texts: list[str], secret: bytes, *, wide: bool
) -> None:
    column = pa.array(texts, pa.large_utf8() if wide else pa.utf8())
    keys = keys_from(secret)

    assert hash_texts(column, keys=keys).tolist() == [hash_text(t, keys=keys) for t in texts]


@given(st.lists(ID, min_size=3), st.data())
def test_a_slice_of_a_column_is_hashed_as_its_own_texts_are(
    texts: list[str], data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(texts)))
    part = pa.array(texts, pa.utf8()).slice(start, 2)

    assert hash_texts(part).tolist() == [hash_text(t) for t in part.to_pylist()]


def test_texts_that_differ_in_one_byte_or_in_length_have_other_hashes() -> None:
    texts = ["", "\0", "\0\0", "a" * 7, "a" * 8, "a" * 9, "a" * 16, "a" * 15 + "b", "b" + "a" * 15]
    texts += [f"person-{n}" for n in range(10_000)]

    assert len(set(hash_texts(pa.array(texts)).tolist())) == len(texts)


@pytest.mark.parametrize("text", ["", "a", "a" * 2_000])
def test_other_keys_give_a_text_another_hash(text: str) -> None:
    assert hash_text(text, keys=keys_from(b"1")) != hash_text(text, keys=keys_from(b"2"))


def test_ids_prepared_to_collide_do_not_whatever_the_keys_are() -> None:
    """Two words that differ in high bits of halves, where a product leaves little of the rest.

    A hash that folds one word after the other into 64 bits gives some two of these the same number
    under every seed: the second word takes back what is left of the first.
    """
    places = itertools.product("1qQ!", repeat=4)
    prepared = pa.array(["000{}000{}000{}000{}".format(*place) for place in places])

    for n in range(200):
        hashes = hash_texts(prepared, keys=keys_from(n.to_bytes(2)))
        assert len(np.unique(hashes)) == len(prepared)


def test_ids_that_differ_in_one_place_fall_into_all_parts_of_their_hashes() -> None:
    """Large types are looked through by the remainders of their hashes."""
    hashes = hash_texts(pa.array([f"{n:03}-of-the-people" for n in range(1_000)]))

    assert np.bincount((hashes % np.uint64(4)).astype(np.int64), minlength=4).min() > 150


@pytest.mark.parametrize("bits", [64, 3, 0])
@given(ids=IDS, others=st.lists(st.none() | ID, max_size=40), wide=st.booleans())
def test_every_id_has_the_position_of_its_row_and_nothing_else_has_one(
    bits: int, ids: list[str], others: list[str | None], *, wide: bool
) -> None:
    index = id_index(pa.array(ids, pa.utf8()), **crowded(bits))  # type: ignore[arg-type]
    wanted = [*ids, *others, *ids]
    place = {text: row for row, text in enumerate(ids)}
    expected = [ABSENT if t is None else place.get(t, ABSENT) for t in wanted]

    column = pa.array(wanted, pa.large_utf8() if wide else pa.utf8())
    assert index.positions(column).tolist() == expected
    assert [ABSENT if t is None else index.position(t) for t in wanted] == expected


@given(IDS)
def test_positions_become_the_ids_they_came_from(ids: list[str]) -> None:
    index = id_index(pa.chunked_array([pa.array(ids[:3], pa.utf8()), pa.array(ids[3:], pa.utf8())]))

    assert len(index) == len(ids)
    assert index.take(index.positions(pa.array(ids[::-1], pa.utf8()))).to_pylist() == ids[::-1]


def test_an_index_of_no_ids_finds_none() -> None:
    index = id_index(pa.chunked_array([], pa.utf8()))

    assert index.position("a") == ABSENT
    assert index.positions(pa.array(["a"] * 20)).tolist() == [ABSENT] * 20


def test_an_index_says_what_it_holds() -> None:
    ids = pa.array([f"person-{n:06}" for n in range(1_000)])

    index = id_index(ids)

    assert isinstance(index, IdIndex)
    assert index.size_bytes == ids.nbytes + 8 * 1_000 + 4 * 1_000


def test_texts_beyond_what_narrow_offsets_hold_are_joined_as_wide_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("agentctl.graph.adjacency.id_index._NARROW_BYTES_MAX", 10)
    chunks = pa.chunked_array([["some text"], ["and more"]])

    texts = one_array(chunks)

    assert texts.type == pa.large_utf8()
    assert id_index(texts).positions(pa.array(["and more"] * 9)).tolist() == [1] * 9
