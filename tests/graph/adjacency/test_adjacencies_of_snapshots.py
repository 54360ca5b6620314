"""Adjacencies are made of what a commit names, once for each version of what they are made of."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from agentctl.graph.adjacency.adjacency import DanglingEdgeError
from agentctl.graph.adjacency.building import Adjacencies
from agentctl.graph.adjacency.cache import AdjacencyCache
from agentctl.graph.adjacency.expanding import expand, expand_edges
from agentctl.ids import ulid
from tests.graph.adjacency.small_graph import Edge, SmallGraph

PEOPLE = ("ann", "bob", "cid", "dee")


@pytest.fixture
def graph(tmp_path: Path) -> SmallGraph:
    made = SmallGraph(tmp_path)
    made.add("Person", *PEOPLE)
    made.add("City", "oslo", "rome")
    made.link("Knows", [("ann", "bob"), ("ann", "bob"), ("bob", "cid"), ("dee", "dee")])
    made.link("LivesIn", [("ann", "rome"), ("bob", "oslo"), ("cid", "rome")])
    return made


def edges(kept: Adjacencies, graph: SmallGraph, name: str, *, forward: bool) -> set[Edge]:
    """The pairs that an adjacency holds, from the ends that it was asked from."""
    edge = graph.type(name)
    assert edge.source is not None
    assert edge.target is not None
    ends = (edge.source, edge.target) if forward else (edge.target, edge.source)
    near, far = (kept.ids(graph.type(end)) for end in ends)
    rows, targets = expand(kept.of(edge, forward=forward), np.arange(len(near)))
    pairs = zip(near.take(rows).to_pylist(), far.take(targets).to_pylist(), strict=True)
    return set(pairs)


def test_edges_are_followed_both_ways(graph: SmallGraph) -> None:
    kept = Adjacencies(graph.snapshot(), AdjacencyCache())
    lives = {("ann", "rome"), ("bob", "oslo"), ("cid", "rome")}

    assert edges(kept, graph, "Knows", forward=True) == {
        ("ann", "bob"), ("bob", "cid"), ("dee", "dee"),
    }  # fmt: skip
    assert edges(kept, graph, "LivesIn", forward=True) == lives
    assert edges(kept, graph, "LivesIn", forward=False) == {(b, a) for a, b in lives}


@pytest.mark.parametrize("forward", [True, False])
def test_a_direction_made_of_the_other_is_the_one_that_is_read(
    graph: SmallGraph, *, forward: bool
) -> None:
    snapshot, knows = graph.snapshot(), graph.type("Knows")
    both = Adjacencies(snapshot, AdjacencyCache())
    both.of(knows, forward=not forward)
    made = both.of(knows, forward=forward)

    read = Adjacencies(snapshot, AdjacencyCache()).of(knows, forward=forward)

    assert made.parallel.targets.tolist() == read.parallel.targets.tolist()
    assert made.edge_rows.tolist() == read.edge_rows.tolist()
    assert made.neighbours.targets.tolist() == read.neighbours.targets.tolist()


def test_positions_and_edge_rows_are_what_lance_takes_where_rows_were_removed(
    graph: SmallGraph,
) -> None:
    graph.add("Person", "eve", "fay")
    graph.link("Knows", [("fay", "ann"), ("eve", "fay"), ("fay", "eve")])
    graph.remove("Person", "dee")
    graph.remove("Knows", "0004")
    graph.add("Person", "gus")
    graph.link("Knows", [("gus", "fay")])
    snapshot = graph.snapshot()
    person, knows = graph.type("Person"), graph.type("Knows")
    kept = Adjacencies(snapshot, AdjacencyCache())

    ids = kept.ids(person)
    everybody = snapshot.dataset(person).take(list(range(len(ids))), columns=["id"])
    rows, targets, edge_rows = expand_edges(kept.of(knows, forward=True), np.arange(len(ids)))
    taken = snapshot.dataset(knows).take(edge_rows.tolist(), columns=["src", "dst"])

    assert set(ids.ids.to_pylist()) == {"ann", "bob", "cid", "eve", "fay", "gus"}
    assert everybody["id"].to_pylist() == ids.ids.to_pylist()
    assert taken["src"].to_pylist() == ids.take(rows).to_pylist()
    assert taken["dst"].to_pylist() == ids.take(targets).to_pylist()
    assert len(rows) == 7


def test_a_type_without_rows_is_an_adjacency_without_edges(tmp_path: Path) -> None:
    graph = SmallGraph(tmp_path)
    kept = Adjacencies(graph.snapshot(), AdjacencyCache())

    for name in ("Knows", "LivesIn"):
        for forward in (True, False):
            found = kept.of(graph.type(name), forward=forward)
            assert found.edge_count == found.source_count == found.target_count == 0
            assert edges(kept, graph, name, forward=forward) == set()


def test_what_a_commit_did_not_change_stays_warm_and_what_it_changed_is_read_anew(
    graph: SmallGraph,
) -> None:
    cache = AdjacencyCache()
    before = Adjacencies(graph.snapshot(), cache)
    knows, lives = graph.type("Knows"), graph.type("LivesIn")
    for edge in (knows, lives):
        before.of(edge, forward=True)
    graph.link("Knows", [("cid", "ann")])
    after = Adjacencies(graph.snapshot(), cache)

    assert before.is_warm(knows, forward=True)
    assert after.is_warm(lives, forward=True)
    assert not after.is_warm(knows, forward=True)
    assert edges(after, graph, "Knows", forward=True) == {
        ("ann", "bob"), ("bob", "cid"), ("dee", "dee"), ("cid", "ann"),
    }  # fmt: skip
    assert edges(before, graph, "Knows", forward=True) == {
        ("ann", "bob"), ("bob", "cid"), ("dee", "dee"),
    }  # fmt: skip


def test_a_write_of_nodes_alone_moves_no_edge(graph: SmallGraph) -> None:
    cache = AdjacencyCache()
    before = edges(Adjacencies(graph.snapshot(), cache), graph, "LivesIn", forward=True)
    graph.add("City", "aarhus")
    graph.remove("Person", "dee")

    after = Adjacencies(graph.snapshot(), cache)

    assert not after.is_warm(graph.type("LivesIn"), forward=True)
    assert edges(after, graph, "LivesIn", forward=True) == before


def test_another_incarnation_shares_nothing(graph: SmallGraph, tmp_path: Path) -> None:
    cache = AdjacencyCache()
    Adjacencies(graph.snapshot(), cache).of(graph.type("Knows"), forward=True)
    other = SmallGraph(tmp_path / "other", incarnation=ulid(2, bytes(10)))

    assert not Adjacencies(other.snapshot(), cache).is_warm(other.type("Knows"), forward=True)


def test_an_edge_to_nobody_is_found_and_not_kept(graph: SmallGraph) -> None:
    graph.link("Knows", [("ann", "nobody")])
    cache = AdjacencyCache()
    kept = Adjacencies(graph.snapshot(), cache)

    for _ in range(2):
        with pytest.raises(DanglingEdgeError, match="row 4"):
            kept.of(graph.type("Knows"), forward=True)
    assert not kept.is_warm(graph.type("Knows"), forward=True)


def test_what_has_no_room_is_foretold(graph: SmallGraph) -> None:
    snapshot, knows = graph.snapshot(), graph.type("Knows")

    assert Adjacencies(snapshot, AdjacencyCache()).fits(knows)
    assert not Adjacencies(snapshot, AdjacencyCache(bytes_max=100)).fits(knows)


def test_building_is_ended_by_what_its_pause_raises(graph: SmallGraph) -> None:
    def pause() -> None:
        raise TimeoutError

    cache = AdjacencyCache()
    with pytest.raises(TimeoutError):
        Adjacencies(graph.snapshot(), cache, pause=pause).of(graph.type("Knows"), forward=True)

    assert len(cache) == 0
    assert Adjacencies(graph.snapshot(), cache).ids(graph.type("Person")).positions(
        pa.array(PEOPLE)
    ).tolist() == [0, 1, 2, 3]
