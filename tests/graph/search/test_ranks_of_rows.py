"""Rows are ranked by their nodes: by one rank or by two that are fused. Source: ADR 25."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from agentctl.graph.port import GraphError
from agentctl.graph.search.ranking import RankedRows, Ranking
from agentctl.languages.query.plan import Fusion, ParamRef, Rank
from agentctl.languages.schema.types import PropertyType, Scalar
from tests.graph.search import search_naive
from tests.graph.search.search_rig import SearchGraph, field, looks, near, number, over

TEXTS = {"a": "red red", "b": "red blue", "c": "blue", "d": None, "e": "green"}
VECTORS = {"a": [3, 0, 0, 0], "b": [1, 0, 0, 0], "c": [2, 0, 0, 0], "d": [1, 0, 0, 0], "e": None}
ZERO = (0.0, 0.0, 0.0, 0.0)


@pytest.fixture
def graph(tmp_path: Path) -> SearchGraph:
    made = SearchGraph(tmp_path)
    made.append([{"id": i, "text": TEXTS[i], "vec": VECTORS[i]} for i in TEXTS])
    return made


def costs(
    graph: SearchGraph,
    rank: Rank,
    ids: Sequence[str | None],
    *,
    texts: Sequence[str | None] = (),
    count: int | None = None,
    **params: object,
) -> list[float | None]:
    rows = RankedRows(
        types={"d": graph.doc},
        ids={"d": pa.array(ids, pa.utf8())},
        texts={("q", "other"): pa.array(texts, pa.utf8())} if texts else {},
    )
    ranking = Ranking(over(graph, **params), params, {near(ZERO): ZERO, near(): None})
    return list(ranking.costs(rank, rows, count=count).to_pylist())


def test_more_words_cost_less_and_a_row_without_one_has_no_cost(graph: SearchGraph) -> None:
    scores = search_naive.bm25(TEXTS, "red")

    found = costs(graph, looks("bm25", "red"), ["c", "b", "a", "d", "b", None])

    a, b = -scores["a"], -scores["b"]
    assert found == [None, pytest.approx(b), pytest.approx(a), None, pytest.approx(b), None]
    assert a < b


def test_the_distance_is_the_cost(graph: SearchGraph) -> None:
    assert costs(graph, near(ZERO), ["a", "b", "c", "d", "e"]) == [9.0, 1.0, 4.0, 1.0, None]


def test_where_few_are_wanted_the_others_may_go_but_no_tie_does(graph: SearchGraph) -> None:
    assert costs(graph, near(ZERO), ["a", "b", "c", "d", "e"], count=1) == [
        None, 1.0, None, 1.0, None,
    ]  # fmt: skip


def test_a_null_query_ranks_no_row(graph: SearchGraph) -> None:
    assert costs(graph, near(), ["a", "b"]) == [None, None]
    assert costs(graph, looks("bm25", None), ["a", "b"]) == [None, None]


def test_fused_ranks_add_up_one_through_k_plus_place(graph: SearchGraph) -> None:
    """Places by distance: b, d, c, a (a tie by id); by words: a, b."""
    rank = Fusion(first=near(ZERO), second=looks("bm25", "red"))

    found = costs(graph, rank, ["a", "b", "c", "d", "e"])

    assert found == [
        pytest.approx(-(1 / 64 + 1 / 61)),
        pytest.approx(-(1 / 61 + 1 / 62)),
        pytest.approx(-1 / 63),
        pytest.approx(-1 / 62),
        None,
    ]


def test_places_are_counted_among_the_nodes_of_the_rows(graph: SearchGraph) -> None:
    rank = Fusion(first=near(ZERO), second=looks("bm25", "red"), k=number(1))

    found = costs(graph, rank, ["c", "a", "c", "a", None])

    assert found == [pytest.approx(-c) for c in (1 / 2, 1 / 3 + 1 / 2, 1 / 2, 1 / 3 + 1 / 2)] + [
        None
    ]


def test_k_is_sixty_where_the_parameter_is_null(graph: SearchGraph) -> None:
    k = ParamRef(name="k", type=PropertyType(scalar=Scalar.I32, nullable=True))
    rank = Fusion(first=near(ZERO), second=looks("bm25", "red"), k=k)

    assert costs(graph, rank, ["b"], k=None) == [pytest.approx(-2 / 61)]
    assert costs(graph, rank, ["b"], k=1) == [pytest.approx(-2 / 2)]


def test_a_k_below_one_is_refused(graph: SearchGraph) -> None:
    k = ParamRef(name="k", type=PropertyType(scalar=Scalar.I32))
    rank = Fusion(first=near(ZERO), second=looks("bm25", "red"), k=k)

    with pytest.raises(GraphError) as refused:
        costs(graph, rank, ["b"], k=0)

    assert refused.value.diagnostic.code == "param_invalid"


def test_each_row_is_ranked_by_its_own_text_where_that_is_a_property(graph: SearchGraph) -> None:
    rank = looks("bm25", field("other", "q"))
    red, blue = search_naive.bm25(TEXTS, "red"), search_naive.bm25(TEXTS, "blue")

    found = costs(graph, rank, ["a", "b", "b", "c", "c"], texts=["red", "red", "blue", "red", None])

    assert found == [
        pytest.approx(-red["a"]),
        pytest.approx(-red["b"]),
        pytest.approx(-blue["b"]),
        None,
        None,
    ]


def test_places_are_counted_among_pairs_of_node_and_text_where_that_is_a_property(
    graph: SearchGraph,
) -> None:
    rank = Fusion(first=looks("bm25", field("other", "q")), second=near(), k=number(1))

    found = costs(graph, rank, ["b", "b", "c", "b"], texts=["red", "blue", "blue", "red"])

    assert found == [pytest.approx(-c) for c in (1 / 4, 1 / 3, 1 / 2, 1 / 4)]


@pytest.mark.parametrize("count", [None, 1, 3])
@pytest.mark.parametrize(
    "rank",
    [
        near(ZERO),
        near(),
        looks("bm25", "red blue"),
        Fusion(first=near(ZERO), second=looks("bm25", "red")),
        Fusion(first=looks("bm25", "green red"), second=looks("bm25", "blue"), k=number(2)),
        Fusion(first=near(), second=near()),
    ],
)
def test_all_nodes_of_a_type_are_ranked_as_their_rows_are(
    graph: SearchGraph, rank: Rank, count: int | None
) -> None:
    ids = list(TEXTS)
    by_row = {i: c for i, c in zip(ids, costs(graph, rank, ids), strict=True) if c is not None}

    ranking = Ranking(over(graph), {}, {near(ZERO): ZERO, near(): None})
    table = ranking.of_type(rank, graph.doc, count=count)

    wanted = search_naive.first(by_row, count, more=False)
    assert list(zip(table["id"].to_pylist(), table["cost"].to_pylist(), strict=True)) == wanted


@pytest.mark.parametrize("k", [2**53 + 1, 2**63 - 1, 2**64 - 1])
def test_a_k_of_any_size_is_counted_with_exactly(graph: SearchGraph, k: int) -> None:
    both = Fusion(first=near(ZERO), second=looks("bm25", "red"), k=number(k))

    found = costs(graph, both, ["a", "b", "c", "d"])
    whole = Ranking(over(graph), {}, {near(ZERO): ZERO}).of_type(both, graph.doc)

    places = {"a": (4, 1), "b": (1, 2), "c": (3,), "d": (2,)}
    wanted = {i: -sum(1 / (k + place) for place in p) for i, p in places.items()}
    assert found == list(wanted.values())
    assert dict(zip(whole["id"].to_pylist(), whole["cost"].to_pylist(), strict=True)) == wanted
