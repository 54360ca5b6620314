"""The nearest vectors are those that measuring each one finds. Source: ADR 25."""

import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from agentctl.graph import search_indexes
from agentctl.graph.search import vectors
from agentctl.graph.search.cache import SearchCache
from agentctl.graph.search.searches import Searches
from agentctl.graph.search.vectors import VectorSearch, nearest_ids
from tests.graph.search import search_naive
from tests.graph.search.search_rig import Row, SearchGraph, near, over, pairs

ZERO = (0.0, 0.0, 0.0, 0.0)


def some_rows(rng: random.Random, count: int) -> list[Row]:
    """Few different numbers, so that there are many ties; some rows have no vector."""
    return [
        {
            "id": f"n{n:04}",
            "vec": None if rng.random() < 0.2 else [rng.randint(-2, 2) / 2 for _ in range(4)],
        }
        for n in range(count)
    ]


@pytest.mark.parametrize("kept", [True, False])
def test_vectors_are_ranked_as_measuring_each_one_ranks_them(tmp_path: Path, *, kept: bool) -> None:
    rng = random.Random(kept)
    graph = SearchGraph(tmp_path)
    cache = SearchCache() if kept else None
    for _ in range(2):
        graph.append([{**r, "id": f"{r['id']}-{len(graph.rows())}"} for r in some_rows(rng, 120)])
        stored = {str(r["id"]): r["vec"] for r in graph.rows() if r["vec"] is not None}
        found = Searches(graph.snapshot(), {}, cache=cache)
        for query in (ZERO, (0.5, -1.0, 0.25, 3.0)):
            far = {i: search_naive.distance(v, query) for i, v in stored.items()}  # type: ignore[arg-type]  # numbers
            for count in (None, 0, 1, 7, 1_000):
                wanted = search_naive.first(far, count, more=False)
                table = found.distances(graph.doc, near(), query, count=count)
                assert pairs(table) == wanted
            some = [*list(far)[::2], "nobody"]
            among = pa.array(some)
            wanted = search_naive.first({i: d for i, d in far.items() if i in some}, 5, more=False)
            table = found.distances(graph.doc, near(), query, among=among, count=5)
            assert pairs(table) == wanted


def test_many_ids_are_ranked_as_few_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = SearchGraph(tmp_path)
    graph.append(some_rows(random.Random(1), 200))
    among = pa.array([f"n{n:04}" for n in range(0, 200, 3)])
    few = over(graph).distances(graph.doc, near(), ZERO, among=among, count=4)

    monkeypatch.setattr(vectors, "FEW", 10)

    assert over(graph).distances(graph.doc, near(), ZERO, among=among, count=4) == few
    assert few.num_rows >= 4


def test_no_vector_is_lost_where_many_lie_almost_equally_near(tmp_path: Path) -> None:
    """Thirty-two bits cannot tell their products apart, and sixty-four can."""
    rng = np.random.default_rng(3)
    graph = SearchGraph(tmp_path)
    centre = np.array([900.0, -700.0, 300.0, 500.0])
    points = (centre + rng.normal(size=(400, 4)) * 1e-3).astype(np.float32)
    graph.append([{"id": f"n{n:03}", "vec": p.tolist()} for n, p in enumerate(points)])
    aim = centre.astype(np.float32).astype(np.float64)
    exact = ((points.astype(np.float64) - aim) ** 2).sum(axis=1)

    table = over(graph).distances(graph.doc, near(), tuple(centre.tolist()), count=5)

    assert table["id"].to_pylist() == [f"n{n:03}" for n in np.argsort(exact, kind="stable")[:5]]


def test_numbers_that_overflow_when_squared_are_compared_all_the_same(tmp_path: Path) -> None:
    graph = SearchGraph(tmp_path)
    graph.append(
        [{"id": f"n{n}", "vec": [3e38 - n * 1e37, 0.0, 0.0, 0.0]} for n in range(6)]
        + [{"id": "small", "vec": [1.0, 0.0, 0.0, 0.0]}]
    )

    near_huge = over(graph).distances(graph.doc, near(), (3e38, 0.0, 0.0, 0.0), count=2)
    near_zero = over(graph).distances(graph.doc, near(), ZERO, count=1)

    assert near_huge["id"].to_pylist() == ["n0", "n1"]
    assert near_zero["id"].to_pylist() == ["small"]


def test_a_query_that_is_null_ranks_nothing(tmp_path: Path) -> None:
    graph = SearchGraph(tmp_path)
    graph.append([{"id": "a", "vec": [1.0, 2.0, 3.0, 4.0]}])

    assert over(graph).distances(graph.doc, near(), None, count=3).num_rows == 0


def test_what_is_larger_than_the_cache_is_read_each_time(tmp_path: Path) -> None:
    graph, cache = SearchGraph(tmp_path), SearchCache(bytes_max=100)
    graph.append(some_rows(random.Random(2), 50))
    found = Searches(graph.snapshot(), {}, cache=cache)

    first = found.distances(graph.doc, near(), ZERO, count=3)

    assert len(cache.values) == 0
    assert found.distances(graph.doc, near(), ZERO, count=3) == first


@pytest.mark.slow
def test_an_index_finds_most_of_what_is_nearest_and_measures_it_exactly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_indexes, "VECTOR_BYTES_MIN", 1_000)
    rng = np.random.default_rng(4)
    graph = SearchGraph(tmp_path, index_rows_min=1_000)
    points = (rng.integers(0, 40, size=(3_000, 1)) + rng.normal(size=(3_000, 4))).astype(np.float32)
    graph.append([{"id": f"n{n:04}", "near": p.tolist()} for n, p in enumerate(points)])
    snapshot = graph.snapshot()
    assert search_indexes.has_vector_index(snapshot.dataset(graph.doc), "near")
    hits = 0
    for point in points[:20]:
        exact = ((points.astype(np.float64) - point) ** 2).sum(axis=1)
        search = VectorSearch(column="near", wanted=point, count=10)
        table = nearest_ids(snapshot, graph.doc, search, None, lambda _: None)
        distances = dict(pairs(table))
        assert distances == {i: exact[int(i[1:])] for i in distances}
        assert list(distances.values()) == sorted(distances.values())
        hits += len({f"n{n:04}" for n in np.argsort(exact)[:10]} & set(list(distances)[:10]))

    assert hits >= 190


@pytest.mark.slow
def test_rows_that_no_index_covers_yet_are_found_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_indexes, "VECTOR_BYTES_MIN", 1_000)
    rng = np.random.default_rng(5)
    graph = SearchGraph(tmp_path, index_rows_min=500)
    points = rng.normal(size=(600, 4)).astype(np.float32) + 10
    graph.append([{"id": f"n{n:04}", "near": p.tolist()} for n, p in enumerate(points)])
    graph.append([{"id": "late", "near": [0.0, 0.0, 0.0, 0.0]}, {"id": "none"}])
    search = VectorSearch(column="near", wanted=np.zeros(4, dtype=np.float32), count=1)

    assert found(graph, search)["id"].to_pylist() == ["late"]


@pytest.mark.slow
def test_a_limit_that_nothing_could_hold_asks_the_index_for_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_indexes, "VECTOR_BYTES_MIN", 1_000)
    graph = SearchGraph(tmp_path, index_rows_min=500)
    points = np.random.default_rng(6).normal(size=(600, 4)).astype(np.float32)
    graph.append([{"id": f"n{n:04}", "near": p.tolist()} for n, p in enumerate(points)])
    search = VectorSearch(column="near", wanted=np.zeros(4, dtype=np.float32), count=2**62)

    assert found(graph, search).num_rows > 300


def found(graph: SearchGraph, search: VectorSearch) -> pa.Table:
    return nearest_ids(graph.snapshot(), graph.doc, search, None, lambda _: None)
