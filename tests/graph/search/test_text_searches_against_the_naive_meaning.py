"""Text searches find what ADR 25 says, over every way to answer and whatever was written before."""

import random
from pathlib import Path

import pyarrow as pa
import pytest

from agentctl.graph.port import GraphError
from agentctl.graph.search import searches as ways
from agentctl.graph.search.cache import SearchCache
from agentctl.graph.search.searches import Searches
from agentctl.graph.search.text_indexes import warm_text_index
from agentctl.graph.search_indexes import has_text_index
from agentctl.languages.query.plan import ParamRef
from agentctl.languages.schema.types import PropertyType, Scalar
from tests.graph.search import search_naive
from tests.graph.search.search_rig import (
    STRING,
    Row,
    SearchGraph,
    field,
    looks,
    number,
    over,
    pairs,
)

VOCABULARY = ("alpha", "beta", "gamma", "Alfa", "delta", "épsilon", "zeta", "bet", "1st", "--")
ASKED = [
    ("search", "Beta"),
    ("search", "beta zeta none"),
    ("match_text", "alpha beta"),
    ("match_text", "ÉPSILON, 1st"),
    ("match_text", "beta beta"),
    ("fuzzy", "bta"),
    ("fuzzy", "alpho epsilon"),
    ("bm25", "beta"),
    ("bm25", "alpha épsilon bet alpha"),
    ("search", "?!"),
    ("bm25", ""),
]


def some_rows(rng: random.Random, ids: list[str]) -> list[Row]:
    def text() -> str | None:
        if rng.random() < 0.1:
            return None
        return " ".join(rng.choices(VOCABULARY, k=rng.randrange(6)))

    return [{"id": i, "text": text(), "other": text()} for i in ids]


def everything_agrees(graph: SearchGraph, cache: SearchCache) -> None:
    """Compares every search with the naive meaning, with what is kept and without."""
    texts = {str(r["id"]): r["text"] for r in graph.rows()}
    ids = pa.array([*texts, None, "nobody"], pa.utf8())
    some = pa.array([*list(texts)[::3], "nobody"], pa.utf8())
    for function, query in ASKED:
        told = {i: search_naive.finds(function, t, query) for i, t in texts.items()}  # type: ignore[arg-type]  # texts
        scores = {i: 1.0 for i, found in told.items() if found}
        if function == "bm25":
            scores = search_naive.bm25(texts, query)  # type: ignore[arg-type]  # texts
        for way in (Searches(graph.snapshot(), {}), Searches(graph.snapshot(), {}, cache=cache)):
            search = looks(function, query)
            for count in (None, 0, 1, 4):
                wanted = search_naive.first(scores, count, more=True)
                found = pairs(way.text_scores(graph.doc, search, count=count))
                assert [i for i, _ in found] == [i for i, _ in wanted]
                assert [s for _, s in found] == pytest.approx([s for _, s in wanted], rel=1e-12)
            among = {i: s for i, s in scores.items() if i in some.to_pylist()}
            found = pairs(way.text_scores(graph.doc, search, among=some))
            assert [i for i, _ in found] == [
                i for i, _ in search_naive.first(among, None, more=True)
            ]
            truths = way.text_truths(graph.doc, search, ids=ids).to_pylist()
            assert truths == [*told.values(), None, False]


@pytest.mark.parametrize("few", [1, ways.FEW])
@pytest.mark.parametrize("seed", range(2))
def test_every_way_finds_what_the_words_say_whatever_was_written(
    tmp_path: Path, seed: int, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ways, "FEW", few)
    rng = random.Random(seed)
    graph, cache = SearchGraph(tmp_path, index_rows_min=60), SearchCache()

    everything_agrees(graph, cache)
    graph.append(some_rows(rng, [f"n{i}" for i in range(70)]))
    everything_agrees(graph, cache)
    before = dict(graph.states)
    graph.append(some_rows(rng, [f"m{i}" for i in range(9)]))
    everything_agrees(graph, cache)
    graph.merge(some_rows(rng, [f"n{i}" for i in range(0, 20, 3)]))
    graph.remove("n1", "n3", "m2")
    everything_agrees(graph, cache)
    graph.states = before  # As after a commit that names an earlier state again,
    everything_agrees(graph, cache)
    graph.append(some_rows(rng, [f"k{i}" for i in range(5)]))  # and a write on top of it.
    everything_agrees(graph, cache)
    graph.remove(*(str(r["id"]) for r in graph.rows()))
    everything_agrees(graph, cache)


def test_what_changed_is_read_anew_and_nothing_else(tmp_path: Path) -> None:
    graph, cache = SearchGraph(tmp_path), SearchCache()
    graph.append([{"id": f"n{i}", "text": f"word{i}"} for i in range(40)])
    Searches(graph.snapshot(), {}, cache=cache).text_scores(graph.doc, looks("bm25", "word1"))
    graph.merge([{"id": "n7", "text": "seven"}, {"id": "new", "text": "more"}])
    snapshot = graph.snapshot()

    kept = Searches(snapshot, {}, cache=cache)
    found = kept.text_scores(graph.doc, looks("bm25", "seven more word7 word8"))
    index = warm_text_index(snapshot, graph.doc, "text", cache)

    assert found["id"].to_pylist() == ["n7", "n8", "new"]
    assert index is not None
    assert [sorted(p.segment.ids.to_pylist())[:2] for p in index.parts] == [
        ["n0", "n1"],
        ["n7", "new"],
    ]


def test_an_index_of_lance_decides_nothing(tmp_path: Path) -> None:
    """Also where it covers no row that was written since."""
    rows: list[Row] = [{"id": f"n{i:03}", "text": f"red w{i}"} for i in range(80)]
    bare, indexed = SearchGraph(tmp_path / "a"), SearchGraph(tmp_path / "b", index_rows_min=60)
    for graph in (bare, indexed):
        graph.append(rows)
        graph.append([{"id": "late", "text": "blue red"}])
        graph.remove("n005")
    for search in (looks("search", "w5 w6 blue"), looks("match_text", "blue red")):
        assert over(bare).text_scores(bare.doc, search) == over(indexed).text_scores(
            indexed.doc, search
        )
    assert has_text_index(indexed.snapshot().dataset(indexed.doc), "text")
    assert not has_text_index(bare.snapshot().dataset(bare.doc), "text")


def test_a_word_that_lance_would_cut_once_more_is_found_all_the_same(tmp_path: Path) -> None:
    graph = SearchGraph(tmp_path, index_rows_min=10)
    graph.append([{"id": f"n{i}", "text": f"İzmir {i}"} for i in range(12)])
    assert has_text_index(graph.snapshot().dataset(graph.doc), "text")

    found = over(graph).text_scores(graph.doc, looks("match_text", "İzmir 3"))

    assert found["id"].to_pylist() == ["n3"]


def test_the_statistics_are_of_all_rows_whatever_a_filter_leaves(tmp_path: Path) -> None:
    graph = SearchGraph(tmp_path)
    graph.append([{"id": str(i), "text": "rare" if i == 3 else "common"} for i in range(9)])
    search = looks("bm25", "rare common")
    whole = dict(pairs(over(graph).text_scores(graph.doc, search)))

    some = dict(pairs(over(graph).text_scores(graph.doc, search, among=pa.array(["3", "4"]))))

    assert some == {i: whole[i] for i in ("3", "4")}
    assert some["3"] > some["4"]


def test_each_row_may_look_for_another_text(tmp_path: Path) -> None:
    graph = SearchGraph(tmp_path)
    graph.append([{"id": "a", "text": "red fox"}, {"id": "b", "text": "dog"}, {"id": "c"}])
    search = looks("search", field("other", "e"))
    ids = pa.array(["a", "a", "b", "b", "c", None])
    queries = pa.array(["fox", "dog", "DOG", None, "dog", "dog"])

    truths = over(graph).text_truths(graph.doc, search, ids=ids, queries=queries)

    assert truths.to_pylist() == [True, False, True, None, None, None]


def test_a_query_that_is_null_finds_nothing_and_is_unknown(tmp_path: Path) -> None:
    graph = SearchGraph(tmp_path)
    graph.append([{"id": "a", "text": "red"}])
    given = ParamRef(name="q", type=STRING)
    for params in ({}, {"q": None}):
        found = over(graph, **params)

        assert found.text_scores(graph.doc, looks("bm25", given)).num_rows == 0
        truths = found.text_truths(graph.doc, looks("search", given), ids=pa.array(["a"]))
        assert truths.to_pylist() == [None]


def test_edits_are_as_many_as_the_query_says(tmp_path: Path) -> None:
    graph = SearchGraph(tmp_path)
    graph.append([{"id": "a", "text": "kitten"}])

    def found(edits: int) -> bool:
        search = looks("fuzzy", "sitting", edits=number(edits))
        return bool(over(graph).text_scores(graph.doc, search).num_rows)

    assert [found(n) for n in range(5)] == [False, False, False, True, True]


def test_fewer_than_no_edits_is_refused(tmp_path: Path) -> None:
    graph = SearchGraph(tmp_path)
    edits = ParamRef(name="n", type=PropertyType(scalar=Scalar.I32))

    with pytest.raises(GraphError) as refused:
        over(graph, n=-1).text_scores(graph.doc, looks("fuzzy", "a", edits=edits))

    assert refused.value.diagnostic.code == "param_invalid"
    assert "`$n`" in refused.value.diagnostic.message
