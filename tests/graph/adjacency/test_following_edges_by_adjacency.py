"""Edges that adjacencies give are those that the columns give: in any mix of types and directions."""

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentctl.graph.adjacency.cache import AdjacencyCache
from agentctl.graph.port import GraphError
from agentctl.graph.reads.budget import Budget
from agentctl.graph.reads.executors import csr
from agentctl.graph.reads.executors.arrow import ArrowExpander
from agentctl.graph.reads.executors.csr import CsrExpander, at_hand
from agentctl.graph.reads.executors.expansion import EdgeRows, Expander, Wanted
from agentctl.graph.reads.expressions import Column, Compare, Constant, Test
from agentctl.graph.reads.places import texts_of
from agentctl.graph.reads.source import Source
from agentctl.graph.snapshot import Snapshot
from agentctl.languages.schema.types import PropertyType, Scalar
from tests.graph.adjacency.small_graph import Edge, SmallGraph

PEOPLE = ("ann", "bob", "cid", "dee", "eve")
CITIES = ("oslo", "rome", "ann")
"""Ids are unique within a type alone."""
NUMBER = PropertyType(scalar=Scalar.I32, nullable=True)
Leg = tuple[str, bool]


class Drawn(msgspec.Struct, frozen=True, kw_only=True):
    knows: list[Edge]
    weights: list[int | None]
    works: list[Edge]
    lives: list[Edge]
    gone: list[str]

    def snapshot(self, graph: SmallGraph) -> Snapshot:
        graph.add("Person", *PEOPLE)
        graph.add("City", *CITIES)
        graph.link("Knows", self.knows, self.weights)
        graph.link("WorksWith", self.works)
        graph.link("LivesIn", self.lives)
        for edge in self.gone:
            graph.remove("Knows", edge)
        return graph.snapshot()


def pairs(targets: Sequence[str]) -> st.SearchStrategy[list[Edge]]:
    return st.lists(st.tuples(st.sampled_from(PEOPLE), st.sampled_from(targets)), max_size=9)


DRAWN = st.builds(
    Drawn,
    knows=pairs(PEOPLE),
    weights=st.lists(st.none() | st.integers(0, 3), max_size=9),
    works=pairs(PEOPLE),
    lives=pairs(CITIES),
    gone=st.lists(st.sampled_from(["0001", "0002", "0003"]), max_size=2, unique=True),
)


class Ways:
    """Both ways of following the edges of one graph."""

    def __init__(self, snapshot: Snapshot, *, memory_bytes: int = 1 << 30) -> None:
        budget = Budget(memory_bytes=memory_bytes, deadline_s=None)
        source = Source(snapshot, budget)
        self.cache = AdjacencyCache()
        self.snapshot = snapshot
        self.csr: Expander = CsrExpander(source, budget, self.cache)
        self.columns: Expander = ArrowExpander(source, budget)


def told(near: pa.Array, found: EdgeRows, *, distinct: bool) -> Counter[tuple[object, ...]]:
    """The edges as rows of values, each as often as it came."""
    starts = near.take(pa.array(found.near)).to_pylist()
    columns = [column.to_pylist() for _, column in sorted(found.columns.items())]
    rows = Counter(zip(starts, found.far.to_pylist(), *columns, strict=True))
    return Counter(set(rows)) if distinct else rows


@settings(deadline=None, max_examples=40)
@given(
    drawn=DRAWN,
    near=st.lists(st.sampled_from([*PEOPLE, *CITIES, "nobody"]), unique=True),
    forward=st.booleans(),
    edge_name=st.sampled_from(["Knows", "WorksWith", "LivesIn"]),
    bound=st.booleans(),
    tested=st.booleans(),
)
def test_one_step_gives_the_same_edges(
    *,
    drawn: Drawn,
    near: list[str],
    forward: bool,
    edge_name: str,
    bound: bool,
    tested: bool,
) -> None:
    weighs = edge_name == "Knows"
    tests: tuple[Test, ...] = ()
    if tested and bound and weighs:
        weight = Column(name="e.weight", type=NUMBER)
        two = Constant(value=2, type=NUMBER)
        tests = (Compare(left=weight, comparison="<", right=two),)
    reads = ("@src", "@dst", "weight") if weighs else ("@dst",)
    wanted = Wanted(var="e", reads=reads, tests=tests) if bound else Wanted()
    with tempfile.TemporaryDirectory() as folder:
        ways = Ways(drawn.snapshot(SmallGraph(Path(folder))))
        edge = ways.snapshot.type_named("edge", edge_name)
        assert edge is not None
        ids = pa.array(near, pa.utf8())
        by_csr = ways.csr.edges(edge, ids, forward=forward, wanted=wanted)
        by_columns = ways.columns.edges(edge, ids, forward=forward, wanted=wanted)

        assert set(by_csr.columns) == set(by_columns.columns)
        assert {n: c.type for n, c in by_csr.columns.items()} == {
            n: c.type for n, c in by_columns.columns.items()
        }
        assert told(ids, by_csr, distinct=False) == told(ids, by_columns, distinct=not bound)


@settings(deadline=None, max_examples=40)
@given(
    drawn=DRAWN,
    near=st.lists(st.sampled_from([*PEOPLE, "nobody"]), unique=True),
    legs=st.lists(
        st.tuples(st.sampled_from(["Knows", "WorksWith"]), st.booleans()), min_size=1, max_size=3
    ),
    low=st.integers(1, 3),
    more=st.integers(0, 3),
)
def test_reaching_gives_the_same_pairs(
    *, drawn: Drawn, near: list[str], legs: list[Leg], low: int, more: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ways = Ways(drawn.snapshot(SmallGraph(Path(folder))))
        found = []
        for expander in (ways.csr, ways.columns):
            steps = []
            for name, forward in legs:
                edge = ways.snapshot.type_named("edge", name)
                assert edge is not None
                steps.append((edge, forward))
            ids = pa.array(near, pa.utf8())
            reached = expander.reach(steps, ids, low=low, high=low + more)
            assert reached is not None
            found.append(told(ids, EdgeRows(*reached), distinct=False))

        assert found[0] == found[1]
        assert max(found[0].values(), default=1) == 1


@pytest.fixture
def graph(tmp_path: Path) -> SmallGraph:
    made = SmallGraph(tmp_path)
    made.add("Person", *PEOPLE)
    made.link("Knows", [(a, b) for a in PEOPLE for b in PEOPLE], list(range(25)))
    return made


def test_edges_that_are_many_are_read_whole_and_are_the_same(
    graph: SmallGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    knows, near = graph.type("Knows"), pa.array(["bob", "eve"])
    wanted = Wanted(var="e", reads=("weight",))
    few = Ways(graph.snapshot()).csr.edges(knows, near, forward=True, wanted=wanted)
    monkeypatch.setattr(csr, "TAKEN_ROWS_MIN", 5)

    many = Ways(graph.snapshot()).csr.edges(knows, near, forward=True, wanted=wanted)

    assert told(near, few, distinct=False) == told(near, many, distinct=False)
    assert len(few.near) == 10


def test_an_edge_to_nobody_is_followed_as_the_columns_have_it(graph: SmallGraph) -> None:
    graph.link("Knows", [("ann", "nobody")])
    ways, knows, near = Ways(graph.snapshot()), graph.type("Knows"), pa.array(["ann"])

    found = ways.csr.edges(knows, near, forward=True, wanted=Wanted())
    reached = ways.csr.reach([(knows, True)], near, low=1, high=2)

    assert reached is not None
    assert set(found.far.to_pylist()) == {*PEOPLE, "nobody"}
    assert sorted(texts_of(reached[1]).to_pylist()) == sorted([*PEOPLE, "nobody"])


def test_what_has_no_room_in_the_cache_is_read_by_columns(graph: SmallGraph) -> None:
    snapshot, knows, near = graph.snapshot(), graph.type("Knows"), pa.array(["ann"])
    budget = Budget(memory_bytes=1 << 30, deadline_s=None)
    cache = AdjacencyCache(bytes_max=10)
    expander = CsrExpander(Source(snapshot, budget), budget, cache)

    found = expander.edges(knows, near, forward=True, wanted=Wanted())

    assert set(found.far.to_pylist()) == set(PEOPLE)
    assert len(cache) == 0


def test_pairs_beyond_the_memory_bound_are_refused(graph: SmallGraph) -> None:
    ways, near = Ways(graph.snapshot(), memory_bytes=20 * csr.PAIR_BYTES), pa.array(PEOPLE)
    knows = graph.type("Knows")

    for act in (
        lambda: ways.csr.edges(knows, near, forward=True, wanted=Wanted()),
        lambda: ways.csr.reach([(knows, True)], near, low=1, high=2),
    ):
        with pytest.raises(GraphError) as refused:
            act()
        assert refused.value.diagnostic.code == "query_too_large"


def test_a_type_is_at_hand_once_it_was_followed(graph: SmallGraph) -> None:
    ways, near = Ways(graph.snapshot()), pa.array(["ann"])
    assert at_hand(ways.snapshot, ways.cache) == frozenset()

    ways.csr.edges(graph.type("Knows"), near, forward=False, wanted=Wanted())

    assert at_hand(ways.snapshot, ways.cache) == frozenset({"Knows"})
