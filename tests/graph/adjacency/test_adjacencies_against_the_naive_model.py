"""Steps over arrays of numbers give what sets of pairs and a search in dictionaries give."""

import itertools
from collections import Counter
from collections.abc import Sequence

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentctl.graph.adjacency import adjacency as adjacency_module
from agentctl.graph.adjacency import reaching
from agentctl.graph.adjacency.adjacency import (
    Adjacency,
    DanglingEdgeError,
    adjacency,
    reversed_adjacency,
    size_bytes_of,
)
from agentctl.graph.adjacency.expanding import TooManyPairsError, expand, expand_edges
from agentctl.graph.adjacency.reaching import reach

Edge = tuple[int, int]


class Drawn(msgspec.Struct, frozen=True, kw_only=True):
    """Edges between nodes of one type, or of two, and where to begin."""

    source_count: int
    target_count: int
    edges: list[Edge]
    sources: list[int]
    one_type: bool = True

    def built(self, edges: Sequence[Edge] | None = None) -> Adjacency:
        return built(self.edges if edges is None else edges, self)


def built(edges: Sequence[Edge], drawn: Drawn) -> Adjacency:
    ends = np.array(edges, np.int64).reshape(-1, 2)
    return adjacency(
        ends[:, 0].copy(),
        ends[:, 1].copy(),
        source_count=drawn.source_count,
        target_count=drawn.target_count,
        within_one_type=drawn.one_type,
    )


@st.composite
def graphs(draw: st.DrawFn, *, one_type: bool | None = None) -> Drawn:
    """Few nodes and many edges: parallel ones, loops and cycles among them."""
    one = draw(st.booleans()) if one_type is None else one_type
    sources = draw(st.integers(0, 7))
    targets = sources if one else draw(st.integers(0, 5))
    pairs = st.tuples(st.integers(0, max(sources - 1, 0)), st.integers(0, max(targets - 1, 0)))
    return Drawn(
        source_count=sources,
        target_count=targets,
        edges=draw(st.lists(pairs, max_size=20)) if sources and targets else [],
        sources=draw(st.lists(st.integers(0, sources - 1), max_size=6)) if sources else [],
        one_type=one,
    )


def distances(edges: Sequence[Edge], start: int, high: int) -> dict[int, int]:
    """The shortest distance, of at least one edge, to each node within *high* edges."""
    found: dict[int, int] = {}
    frontier = {start}
    for distance in range(1, high + 1):
        frontier = {b for a, b in edges if a in frontier} - set(found)
        found |= dict.fromkeys(frontier, distance)
    return found


def pairs_of(rows: object, targets: object) -> Counter[tuple[int, int]]:
    assert isinstance(rows, np.ndarray)
    assert isinstance(targets, np.ndarray)
    assert rows.dtype == targets.dtype == np.int64
    return Counter(zip(rows.tolist(), targets.tolist(), strict=True))


@given(graphs())
def test_a_step_gives_each_neighbour_once(drawn: Drawn) -> None:
    rows, targets = expand(drawn.built(), np.array(drawn.sources, np.int64))

    wanted = {(r, b) for r, s in enumerate(drawn.sources) for a, b in drawn.edges if a == s}
    assert pairs_of(rows, targets) == Counter(wanted)
    assert sorted(zip(rows, targets, strict=True)) == list(zip(rows, targets, strict=True))


@given(graphs())
def test_a_step_over_bound_edges_gives_every_edge_row_once(drawn: Drawn) -> None:
    rows, targets, edges = expand_edges(drawn.built(), np.array(drawn.sources, np.int64))

    found = list(zip(rows.tolist(), targets.tolist(), edges.tolist(), strict=True))
    wanted = [
        (r, b, row)
        for r, s in enumerate(drawn.sources)
        for row, (a, b) in enumerate(drawn.edges)
        if a == s
    ]
    assert sorted(found) == sorted(wanted)


@given(graphs(), st.data())
def test_a_step_over_several_types_gives_each_neighbour_once(
    drawn: Drawn, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(drawn.edges)))
    again = data.draw(st.integers(0, cut))
    steps = [drawn.built(drawn.edges[:cut]), drawn.built(drawn.edges[again:])]

    found = pairs_of(*expand(steps, np.array(drawn.sources, np.int64)))

    assert found == pairs_of(*expand(drawn.built(), np.array(drawn.sources, np.int64)))


@given(graphs(), st.integers(1, 4), st.integers(1, 5))
def test_reaching_gives_each_node_whose_shortest_distance_is_in_bounds(
    drawn: Drawn, low: int, high: int
) -> None:
    rows, targets = reach(drawn.built(), np.array(drawn.sources, np.int64), low, high)

    farthest = high if drawn.one_type else min(high, 1)
    wanted = {
        (row, node)
        for row, start in enumerate(drawn.sources)
        for node, distance in distances(drawn.edges, start, farthest).items()
        if low <= distance
    }
    assert pairs_of(rows, targets) == Counter(wanted)


@pytest.mark.parametrize(("flags", "gathered"), [(1, 1), (8, 2), (64, 3), (1 << 20, 1 << 20)])
@given(drawn=graphs(one_type=True), high=st.integers(2, 5), reversed_too=st.booleans())
@settings(max_examples=60)
def test_no_size_of_a_block_changes_what_is_reached(
    flags: int, gathered: int, drawn: Drawn, high: int, *, reversed_too: bool
) -> None:
    step = drawn.built()
    given_steps = (step, reversed_adjacency(step)) if reversed_too else (step,)
    sources = np.array(drawn.sources, np.int64)
    edges = drawn.edges + ([(b, a) for a, b in drawn.edges] if reversed_too else [])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reaching, "FLAG_COUNT", flags)
        patch.setattr(reaching, "GATHER_COUNT", gathered)
        found = pairs_of(*reach(given_steps, sources, 1, high))

    wanted = {
        (row, node)
        for row, start in enumerate(drawn.sources)
        for node in distances(edges, start, high)
    }
    assert found == Counter(wanted)


def test_many_sources_over_a_larger_graph_reach_what_each_reaches_alone() -> None:
    rng = np.random.default_rng(6)
    drawn = Drawn(source_count=5_000, target_count=5_000, edges=[], sources=[])
    edges = rng.integers(0, 5_000, (20_000, 2))
    step = drawn.built([(int(a), int(b)) for a, b in edges])
    sources = rng.choice(5_000, 1_200, replace=False)
    by_source: dict[int, set[int]] = {}
    for a, b in edges.tolist():
        by_source.setdefault(a, set()).add(b)

    for low, high in ((1, 1), (1, 3), (3, 3), (2, 6)):
        rows, targets = reach(step, sources, low, high)

        found: dict[int, list[int]] = {}
        for row, target in zip(rows.tolist(), targets.tolist(), strict=True):
            found.setdefault(row, []).append(target)
        for row in range(0, 1_200, 100):
            level, seen, wanted = {int(sources[row])}, set[int](), set[int]()
            for distance in range(1, high + 1):
                level = set[int]().union(*(by_source.get(n, set()) for n in level)) - seen
                seen |= level
                wanted |= level if distance >= low else set()
            assert sorted(found.get(row, [])) == sorted(wanted)


@given(graphs())
def test_the_reverse_is_what_the_swapped_edges_give(drawn: Drawn) -> None:
    swapped = Drawn(
        source_count=drawn.target_count,
        target_count=drawn.source_count,
        edges=[(b, a) for a, b in drawn.edges],
        sources=[],
        one_type=drawn.one_type,
    )

    assert_same(reversed_adjacency(drawn.built()), swapped.built())
    assert_same(reversed_adjacency(swapped.built()), drawn.built())


@given(graphs())
def test_edges_too_many_for_one_key_are_ordered_by_several(drawn: Drawn) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adjacency_module, "_KEY_BITS_MAX", 0)
        other = drawn.built()

    assert_same(other, drawn.built())


@given(graphs())
def test_an_adjacency_says_what_it_holds_and_no_more_than_was_foretold(drawn: Drawn) -> None:
    step = drawn.built()

    assert step.edge_count == len(drawn.edges)
    assert step.source_count == drawn.source_count
    foretold = size_bytes_of(source_count=drawn.source_count, edge_count=len(drawn.edges))
    assert 0 < step.size_bytes <= foretold


@pytest.mark.parametrize("edge", [(0, -1), (-1, 0)])
def test_an_edge_to_no_node_is_told_by_its_row(edge: Edge) -> None:
    drawn = Drawn(source_count=2, target_count=2, edges=[(0, 1), edge], sources=[])

    with pytest.raises(DanglingEdgeError, match="row 1") as raised:
        drawn.built()

    assert raised.value.edge == 1


@given(graphs(), st.integers(1, 4))
def test_more_pairs_than_there_is_room_for_are_refused_and_just_as_many_are_not(
    drawn: Drawn, high: int
) -> None:
    step, sources = drawn.built(), np.array(drawn.sources, np.int64)
    for act in (
        lambda room: expand(step, sources, pairs_max=room),
        lambda room: expand_edges(step, sources, pairs_max=room),
        lambda room: reach(step, sources, 1, high, pairs_max=room),
    ):
        count = len(act(None)[0])

        assert len(act(count)[0]) == count
        if count:
            with pytest.raises(TooManyPairsError):
                act(count - 1)


def test_a_search_is_ended_by_what_its_pause_raises() -> None:
    drawn = Drawn(source_count=3, target_count=3, edges=[(0, 1), (1, 2), (2, 0)], sources=[])
    steps = itertools.count()

    def pause() -> None:
        if next(steps) == 1:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        reach(drawn.built(), np.array([0]), 1, 3, pause=pause)
    assert next(steps) == 2


def assert_same(found: Adjacency, wanted: Adjacency) -> None:
    assert found.target_count == wanted.target_count
    assert found.within_one_type == wanted.within_one_type
    for a, b in ((found.neighbours, wanted.neighbours), (found.parallel, wanted.parallel)):
        assert a.starts.tolist() == b.starts.tolist()
        assert a.targets.tolist() == b.targets.tolist()
    assert found.edge_rows.tolist() == wanted.edge_rows.tolist()
