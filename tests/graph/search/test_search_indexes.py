"""Which columns Lance indexes for searches, and when. Source: languages 1.3, ADR 25."""

from pathlib import Path

import pyarrow as pa
import pytest

from agentctl.graph import search_indexes, tables
from agentctl.graph.index_homes import inherited_indexes, strayed_indexes
from agentctl.graph.search_indexes import (
    has_text_index,
    has_vector_index,
    text_columns,
    vector_columns,
)
from tests.graph.search.search_rig import SearchGraph, ir_of, looks, near, over

SCHEMA = """
node Doc {
  slug: String @key
  text: String @index
  first: String
  second: String
  plain: String
  tags: [String]
  kind: enum(a, b) @index
  rank: I32 @index
  vec: Vector(2) @index
  other: Vector(2)
  @index(first, second)
}
edge Cites: Doc -> Doc { note: String @index }
"""


def test_free_texts_and_vectors_that_the_schema_indexes_are_indexed_for_searches() -> None:
    doc, cites = ir_of(SCHEMA).types

    assert text_columns(doc) == ("text", "first", "second")
    assert vector_columns(doc) == ("vec",)
    assert text_columns(cites) == vector_columns(cites) == ()


def test_a_type_gets_its_indexes_when_it_is_large_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_indexes, "VECTOR_BYTES_MIN", 30 * 4 * 4)
    graph = SearchGraph(tmp_path, index_rows_min=20)

    def indexed() -> tuple[bool, bool, bool]:
        dataset = graph.snapshot().dataset(graph.doc)
        return (
            has_text_index(dataset, "text"),
            has_vector_index(dataset, "near"),
            has_text_index(dataset, "other") or has_vector_index(dataset, "vec"),
        )

    def add(name: str, count: int) -> None:
        rows = [{"id": f"{name}{n}", "text": "red fox", "near": [n, 0, 0, 0]} for n in range(count)]
        graph.append(rows)

    add("a", 19)
    assert indexed() == (False, False, False)
    add("b", 1)
    assert indexed() == (True, False, False)
    add("c", 10)
    assert indexed() == (True, True, False)


def test_an_index_of_words_leaves_the_one_of_whole_values_in_place(tmp_path: Path) -> None:
    graph = SearchGraph(tmp_path, index_rows_min=20)
    graph.append([{"id": f"n{n}", "text": "red fox"} for n in range(20)])

    kinds = {i.name for i in graph.snapshot().dataset(graph.doc).describe_indices()}

    assert {"text_btree", "text_words", "id_btree"} <= kinds


def test_vectors_that_have_no_place_in_an_index_are_written_and_compared_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their squares are beyond 32 bits; a write of them once the index is there fails no more."""
    monkeypatch.setattr(search_indexes, "VECTOR_BYTES_MIN", 30 * 4 * 4)
    huge = [{"id": f"h{n}", "near": [3e38, float(n), 0.0, 0.0]} for n in range(40)]
    small = [{"id": f"s{n}", "near": [float(n % 3), 1.0, float(n), 0.0]} for n in range(40)]
    before, later = (
        SearchGraph(tmp_path / "a", index_rows_min=20),
        SearchGraph(tmp_path / "b", index_rows_min=20),
    )

    before.append(huge)
    later.append(small)
    later.append(huge)

    assert not has_vector_index(before.snapshot().dataset(before.doc), "near")
    assert has_vector_index(later.snapshot().dataset(later.doc), "near")
    zero = (0.0, 1.0, 0.0, 0.0)
    for graph, nearest in ((before, "h0"), (later, "s0")):
        table = over(graph).distances(graph.doc, near(zero, "near"), zero, count=1)
        assert table["id"].to_pylist()[0] == nearest
        assert graph.snapshot().rows(graph.doc) == len(graph.rows())


def test_a_column_without_vectors_has_no_index_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_indexes, "VECTOR_BYTES_MIN", 30 * 4 * 4)
    graph = SearchGraph(tmp_path, index_rows_min=20)

    graph.append([{"id": f"n{n}"} for n in range(40)])

    assert not has_vector_index(graph.snapshot().dataset(graph.doc), "near")


def on_another_branch(graph: SearchGraph, *gone: str) -> None:
    """Removes documents on a branch that is cut for it, and compacts it."""
    removed = pa.array(gone, pa.utf8())
    state = graph.tables.delete(graph.doc, graph.states[graph.doc.id], removed, tag="u")
    assert "text_words" in inherited_indexes(graph.tables.open(graph.doc.id, state))
    graph.states[graph.doc.id], _ = graph.tables.compact(graph.doc, state, tag="u")


def found_by_both(graph: SearchGraph) -> tuple[list[str], list[str]]:
    """Returns what is found by a word, and by a vector."""
    wanted = (7.2, 0.0, 0.0, 0.0)
    return (
        sorted(over(graph).text_scores(graph.doc, looks("match_text", "w7"))["id"].to_pylist()),
        over(graph).distances(graph.doc, near(wanted, "near"), wanted, count=1)["id"].to_pylist(),
    )


def has_both(graph: SearchGraph) -> tuple[bool, bool]:
    dataset = graph.snapshot().dataset(graph.doc)
    return has_text_index(dataset, "text"), has_vector_index(dataset, "near")


@pytest.fixture
def indexed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SearchGraph:
    monkeypatch.setattr(search_indexes, "VECTOR_BYTES_MIN", 30 * 4 * 4)
    graph = SearchGraph(tmp_path, index_rows_min=20)
    for start in (0, 40):
        graph.append(
            [
                {"id": f"n{n}", "text": f"red w{n}", "near": [n, 0, 0, 0]}
                for n in range(start, start + 40)
            ]
        )
    assert has_both(graph) == (True, True)
    return graph


def test_a_branch_that_is_compacted_is_searched_by_indexes_of_its_own(indexed: SearchGraph) -> None:
    on_another_branch(indexed, "n6")

    assert inherited_indexes(indexed.snapshot().dataset(indexed.doc)) == ()
    assert has_both(indexed) == (True, True)
    assert found_by_both(indexed) == (["n7"], ["n7"])


def test_search_indexes_that_strayed_are_not_asked_and_made_anew_by_a_write(
    indexed: SearchGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(tables, "inherited_indexes", lambda _: ())
        on_another_branch(indexed, "n6")
    assert {"text_words", "near_near"} <= {
        *strayed_indexes(indexed.snapshot().dataset(indexed.doc))
    }
    assert has_both(indexed) == (False, False)
    assert found_by_both(indexed) == (["n7"], ["n7"])

    gone = pa.array(["n7"], pa.utf8())
    state = indexed.tables.delete(indexed.doc, indexed.states[indexed.doc.id], gone, tag="u")
    indexed.states[indexed.doc.id] = state

    assert strayed_indexes(indexed.snapshot().dataset(indexed.doc)) == ()
    assert has_both(indexed) == (True, True)
    assert found_by_both(indexed) == ([], ["n8"])


def test_an_index_of_vectors_that_strayed_and_has_no_place_for_them_is_dropped(
    indexed: SearchGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    indexed.append([{"id": f"h{n}", "near": [3e38, float(n), 0.0, 0.0]} for n in range(40)])
    with monkeypatch.context() as patched:
        patched.setattr(tables, "inherited_indexes", lambda _: ())
        on_another_branch(indexed, "n6")
    assert "near_near" in strayed_indexes(indexed.snapshot().dataset(indexed.doc))

    gone = pa.array(["n7"], pa.utf8())
    state = indexed.tables.delete(indexed.doc, indexed.states[indexed.doc.id], gone, tag="u")
    indexed.states[indexed.doc.id] = state

    assert has_both(indexed) == (True, False)
    assert found_by_both(indexed) == ([], ["n8"])
