"""Which columns Lance indexes for searches, and when. Source: languages 1.3, ADR 25."""

from pathlib import Path

import pytest

from agentctl.graph import search_indexes
from agentctl.graph.search_indexes import (
    has_text_index,
    has_vector_index,
    text_columns,
    vector_columns,
)
from tests.graph.search.search_rig import SearchGraph, ir_of, near, over

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
