"""Ids of one node type and their positions: the index gives what a dictionary gives."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.graph.adjacency.hashing import hash_text, hash_texts
from agentctl.graph.adjacency.id_index import ABSENT, IdIndex, id_index, one_array

ID = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
IDS = st.lists(ID, unique=True, max_size=40)


def crowded(bits: int) -> dict[str, object]:
    """A hash of so few bits that most texts share theirs with another."""
    mask = (1 << bits) - 1
    return {
        "hash_one": lambda text: hash_text(text) & mask,
        "hash_many": lambda texts: hash_texts(texts) & mask,
    }


@given(texts=st.lists(ID), seed=st.integers(0, 2**64 - 1), wide=st.booleans())
def test_a_column_is_hashed_as_each_of_its_texts_is(
    texts: list[str], seed: int, *, wide: bool
) -> None:
    column = pa.array(texts, pa.large_utf8() if wide else pa.utf8())

    assert hash_texts(column, seed=seed).tolist() == [hash_text(t, seed=seed) for t in texts]


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


def test_two_seeds_give_one_text_two_hashes() -> None:
    assert hash_text("a", seed=1) != hash_text("a", seed=2)


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
