"""A column of positions behaves as the column of ids that it stands for."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from agentctl.graph.reads.frame import Frame, codes_of
from agentctl.graph.reads.joining import row_codes
from agentctl.graph.reads.places import Places, concatenated, equal, texts_of

TEXTS = pa.array([f"id-{n}" for n in range(60)])
OTHERS = pa.array(["id-1", "id-0"])
ROWS = st.lists(st.none() | st.integers(0, len(TEXTS) - 1), max_size=12)


def places(at: list[int | None]) -> Places:
    return Places(TEXTS, pa.array(at, pa.int64()))


def texts(at: list[int | None]) -> list[str | None]:
    return [None if place is None else f"id-{place}" for place in at]


@given(at=ROWS)
def test_what_is_told_apart_by_position_is_told_apart_as_by_text(at: list[int | None]) -> None:
    different, codes = codes_of(places(at))
    ids = texts_of(different).to_pylist()

    assert sorted(ids) == sorted({text for text in texts(at) if text is not None})
    assert [None if code < 0 else ids[code] for code in codes] == texts(at)


@given(at=ROWS)
def test_rows_have_equal_numbers_where_their_ids_are_equal_null_included(
    at: list[int | None],
) -> None:
    frame = Frame(len(at), {"a": places(at)})

    numbers, first = row_codes(frame, ["a"])

    found = texts(at)
    assert sorted(set(numbers.tolist())) == list(range(len(set(found))))
    assert [found[first[number]] for number in numbers] == found


@given(at=ROWS, kept=st.lists(st.booleans(), min_size=12, max_size=12))
def test_rows_are_taken_filtered_and_cut_as_texts_are(
    at: list[int | None], kept: list[bool]
) -> None:
    frame, marks = Frame(len(at), {"a": places(at)}), kept[: len(at)]
    back = np.arange(len(at) - 1, -1, -1)

    assert frame.take(back)["a"].to_pylist() == texts(at)[::-1]
    assert frame.filter(pa.array(marks, pa.bool_()))["a"].to_pylist() == [
        text for text, mark in zip(texts(at), marks, strict=True) if mark
    ]
    assert frame.slice(1, 2)["a"].to_pylist() == texts(at)[1:3]
    assert frame.take(pa.array([None], pa.int64()))["a"].to_pylist() == [None]


def test_places_of_different_versions_are_compared_and_joined_as_texts() -> None:
    ours, theirs = places([0, 1, None]), Places(OTHERS, pa.array([0, 0, 1]))

    assert equal(ours, theirs).to_pylist() == [False, True, None]
    assert equal(ours, places([0, 2, 2])).to_pylist() == [True, False, None]
    joined = texts_of(concatenated([ours, theirs, pa.array(["x"])]))
    assert joined.to_pylist() == ["id-0", "id-1", None, "id-1", "id-1", "id-0", "x"]
    alike = concatenated([ours, ours])
    assert isinstance(alike, Places)
    assert texts_of(alike).to_pylist() == ["id-0", "id-1", None] * 2
