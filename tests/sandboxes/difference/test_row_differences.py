"""Changed rows: whole counts, a bounded sample, and the same ones in whatever order they come."""

import gc
import tracemalloc
from collections.abc import Iterator, Mapping
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from agentctl.domain.ops.redaction import REDACTED
from agentctl.domain.sandbox.difference import SAMPLE_ROWS_MAX, RowChange, RowChanges
from agentctl.domain.sandbox.row_difference import (
    LIST_ITEMS_MAX,
    TEXT_CHARACTERS_MAX,
    ChangedRow,
    RowFold,
    counted_rows,
    fold_rows,
)

Side = Mapping[str, object] | None


def row(
    key: str, before: Side, after: Side, *, graph: str = "social", type_name: str = "Person"
) -> ChangedRow:
    return ChangedRow(graph=graph, type_name=type_name, key=key, before=before, after=after)


def test_rows_are_counted_by_what_became_of_them() -> None:
    rows = [
        row("b", None, {"n": 2}),
        row("a", {"n": 1}, {"n": 3}),
        row("c", {"n": 4}, None),
        row("d", None, {"n": 5}),
        row("e", {"n": 6}, {"n": 6}),
        row("k", None, {}, type_name="Knows"),
    ]

    assert fold_rows(rows) == (
        RowChanges(
            graph="social",
            type_name="Knows",
            added=1,
            changed=0,
            removed=0,
            sample=(RowChange(key="k", before=None, after={}),),
        ),
        RowChanges(
            graph="social",
            type_name="Person",
            added=2,
            changed=1,
            removed=1,
            sample=(
                RowChange(key="a", before={"n": 1}, after={"n": 3}),
                RowChange(key="b", before=None, after={"n": 2}),
                RowChange(key="c", before={"n": 4}, after=None),
                RowChange(key="d", before=None, after={"n": 5}),
            ),
        ),
    )


def test_each_kind_has_a_sample_of_its_own() -> None:
    many = SAMPLE_ROWS_MAX + 5
    rows = [row(f"{i:03d}", None, {}) for i in range(many)]
    rows += [row("zz", {}, {"n": 1})]

    (found,) = fold_rows(reversed(rows))

    assert (found.added, found.changed) == (many, 1)
    assert [r.key for r in found.sample] == [f"{i:03d}" for i in range(SAMPLE_ROWS_MAX)] + ["zz"]


def test_what_looks_like_a_secret_is_in_no_sample() -> None:
    secret = "ghp_" + "a1B2" * 6
    long = "x" * (TEXT_CHARACTERS_MAX - 10) + " " + secret

    (found,) = fold_rows(
        [
            row(secret, None, {"token": "abc", "note": f"use {secret}", "ref": "${KEY}"}),
            row("z", {"deep": {"list": [{"password": "p"}, secret]}}, {"long": long}),
        ]
    )

    assert found.sample[0] == RowChange(
        key=REDACTED,
        before=None,
        after={"token": REDACTED, "note": f"use {REDACTED}", "ref": "${KEY}"},
    )
    assert found.sample[1].before == {"deep": {"list": [{"password": REDACTED}, REDACTED]}}
    assert "ghp_" not in str(found)


def test_masked_values_stay_as_they_are_given() -> None:
    (found,) = fold_rows([row("a", None, {"name": "•••", "age": None})])

    assert found.sample[0].after == {"name": "•••", "age": None}


def test_long_values_are_cut_and_say_so() -> None:
    text = "é" * (TEXT_CHARACTERS_MAX + 3)
    nested: object = "end"
    for _ in range(20):
        nested = [nested]
    after = {"text": text, "vector": [0.5] * 700, "nested": nested}

    (found,) = fold_rows([row("k" * 2_000, None, after)])

    shown = found.sample[0].after
    assert shown is not None
    assert shown["text"] == "é" * TEXT_CHARACTERS_MAX + "… 3 more"
    assert shown["vector"] == [0.5] * LIST_ITEMS_MAX + ["… 668 more"]
    assert str(shown["nested"]).count("[") < 12
    assert found.sample[0].key == "k" * TEXT_CHARACTERS_MAX + "… 1000 more"


def test_memory_is_bounded_by_the_sample_and_not_by_the_rows() -> None:
    def stream(number: int) -> Iterator[ChangedRow]:
        for i in range(number, 0, -1):  # each key is less than all before, so each is sampled
            yield row(f"{i:09d}", None, {"text": f"{i}" * 50})

    def peak(number: int) -> int:
        gc.collect()
        tracemalloc.start()
        try:
            fold_rows(stream(number))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(100)

    assert peak(4_000) < 2 * peak(200) + 50_000


def test_rows_that_were_counted_elsewhere_have_a_sample_like_any() -> None:
    many = [row(f"{i:03d}", None, {"token": "abc"}) for i in range(SAMPLE_ROWS_MAX + 5)]

    found = counted_rows("g", "A", added=900, changed=0, removed=2, sample=reversed(many))

    assert (found.graph, found.type_name, found.added, found.removed) == ("g", "A", 900, 2)
    assert [r.key for r in found.sample] == [f"{i:03d}" for i in range(SAMPLE_ROWS_MAX)]
    assert found.sample[0].after == {"token": REDACTED}
    assert counted_rows("g", "A", added=1, changed=0, removed=0, sample=()).sample == ()


VALUES = st.dictionaries(st.sampled_from(["n", "m"]), st.integers(0, 3), max_size=2)
ROWS = st.lists(
    st.builds(
        row,
        st.text("abc", max_size=2),
        st.none() | VALUES,
        st.none() | VALUES,
        graph=st.sampled_from(["g", "h"]),
        type_name=st.sampled_from(["A", "B"]),
    ),
    max_size=30,
)
ONCE = ROWS.map(lambda rows: list({(r.graph, r.type_name, r.key): r for r in rows}.values()))


def naive(rows: list[ChangedRow], sample_max: int) -> tuple[RowChanges, ...]:
    """What a fold that keeps everything and sorts it at the end says."""
    differing = [r for r in rows if r.before != r.after]
    found = []
    for graph, type_name in sorted({(r.graph, r.type_name) for r in differing}):
        of_type = [r for r in differing if (r.graph, r.type_name) == (graph, type_name)]
        kinds = [
            [r for r in of_type if r.before is None],
            [r for r in of_type if r.before is not None and r.after is not None],
            [r for r in of_type if r.after is None],
        ]
        shown = [r for kind in kinds for r in sorted(kind, key=lambda r: r.key)[:sample_max]]
        found.append(
            RowChanges(
                graph=graph,
                type_name=type_name,
                added=len(kinds[0]),
                changed=len(kinds[1]),
                removed=len(kinds[2]),
                sample=tuple(
                    RowChange(key=r.key, before=r.before, after=r.after)
                    for r in sorted(shown, key=lambda r: r.key)
                ),
            )
        )
    return tuple(found)


@given(ONCE, st.integers(0, 5))
def test_the_fold_says_what_one_that_keeps_everything_says(
    rows: list[ChangedRow], sample_max: int
) -> None:
    assert fold_rows(rows, sample_max=sample_max) == naive(rows, sample_max)


@given(ROWS, st.randoms(use_true_random=False), st.integers(0, 4))
def test_the_order_of_arrival_says_nothing(
    rows: list[ChangedRow], order: Random, sample_max: int
) -> None:
    turned = [*rows]
    order.shuffle(turned)

    assert fold_rows(turned, sample_max=sample_max) == fold_rows(rows, sample_max=sample_max)


@given(ONCE)
def test_a_fold_may_be_asked_before_its_end(rows: list[ChangedRow]) -> None:
    fold = RowFold()
    for number, one in enumerate(rows, start=1):
        fold.add(one)

        assert fold.changes() == fold_rows(rows[:number])
