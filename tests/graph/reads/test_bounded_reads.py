"""Reads of a graph on a disk: bounds, streams, plans with what was done, and executors that agree."""

import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from agentctl.graph.adjacency.cache import AdjacencyCache
from agentctl.graph.port import GraphError
from agentctl.graph.reads import budget as budgets
from agentctl.graph.reads import executing
from agentctl.graph.reads.budget import Budget
from agentctl.graph.reads.caches import ReadCaches
from agentctl.graph.reads.executors import csr
from agentctl.graph.reads.explaining import explained
from agentctl.graph.reads.options import ExecutorName, ReadOptions
from agentctl.graph.reads.running import run_query, stream_query
from agentctl.graph.search.searches import Searches
from agentctl.graph.snapshot import Snapshot
from agentctl.languages.query.plan import CheckedQuery, Nearest, TextSearch
from agentctl.testing.checked_queries import checked
from tests.graph.oracle.oracle import Oracle
from tests.graph.oracle.oracle_asking import catalog_of
from tests.graph.oracle.oracle_engine import stored

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = """
node P { k: String @key  a: I32?  born: Date?  seen: DateTime?  tags: [String]?  f: F32? }
node C { k: I64 @key }
edge Knows: P -> P { w: I32? }
edge At: P -> C
"""
COUNT = 40


def lines() -> Iterator[str]:
    for n in range(COUNT):
        data = f'"k": "p{n:02}", "a": {n % 7}'
        if n % 3:
            data += f', "born": "2000-01-{n % 28 + 1:02}", "seen": "2025-01-01T00:00:00.{n:03}Z"'
            data += f', "tags": ["t{n % 2}"], "f": 0.5'
        yield f'{{"type": "P", "data": {{{data}}}}}'
        yield f'{{"type": "C", "data": {{"k": {n}}}}}'
    for n in range(COUNT):
        for step in (1, 5, 5):
            yield (
                f'{{"edge": "Knows", "from": "p{n:02}", "to": "p{(n + step) % COUNT:02}",'
                f' "data": {{"w": {n}}}}}'
            )
        yield f'{{"edge": "At", "from": "p{n:02}", "to": "{n % 3}"}}'


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    oracle = Oracle(catalog_of(SCHEMA))
    oracle.load(lines())
    folder: Path = tmp_path_factory.mktemp("graph")
    return stored(folder, SCHEMA, oracle.graph, indexed=True)


def query(text: str) -> CheckedQuery:
    return checked(f"query q() {{ {text} }}", SCHEMA)


EVERYTHING = query("match { $p: P } return { $p, $p.born, $p.seen, $p.f } order { $p.a desc }")
REACHED = query('match { $a: P { k: "p03" } $a knows{1,3} $b } return { $b.k }')
PRODUCT = query("match { $a: P $b: P $c: C } return { count($a) as n }")


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        'match { $a: P { k: "p03" } $a $e:knows $b $e.w < 9 } return { $b.k, $e.w, $e.@src as s }',
        "match { $a: P $a knows $b $b at $c not { $b at $d $d.k = 1 } } return { $c.k, count($a) as n }",
        "match { $a: P $a <knows>{2,2} $b $b.a = 3 $a.a in [1, 2] } return { $a.k, $b.k }",
        "match { $a: P optional { $a at $c $c.k > 1 } } return { $a.k, $c } limit 9",
    ],
)
def test_every_executor_gives_the_same_rows(snapshot: Snapshot, text: str) -> None:
    names: tuple[ExecutorName, ...] = ("auto", "arrow", "index", "csr", "duckdb")
    caches = ReadCaches()
    found = [
        run_query(snapshot, query(text), {}, ReadOptions(executor=n), caches=caches).rows
        for n in names
    ]

    assert found[0]
    assert all(rows == found[0] for rows in found)


@pytest.mark.slow
def test_a_warm_adjacency_is_followed_where_it_is_cheaper(snapshot: Snapshot) -> None:
    caches = ReadCaches()
    before = explained(snapshot, REACHED, {}, caches=caches, analyze=True)
    run_query(snapshot, REACHED, {}, ReadOptions(executor="csr"), caches=caches)
    after = explained(snapshot, REACHED, {}, caches=caches, analyze=True)

    assert [s.executor for s in before.steps if s.executor] == ["arrow"]
    assert [s.executor for s in after.steps if s.executor] == ["csr"]
    assert (before.rows, after.rows) == (9, 9)


@pytest.mark.slow
def test_an_adjacency_that_would_have_served_twice_is_built_for_the_third_read(
    snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executing, "INDEX_IDS_MAX", 2)
    monkeypatch.setattr(csr, "TAKEN_ROWS_MIN", 5)
    text = "match { $p: P $p.a >= 1 $p $e:knows $q $e.w < 30 } return { $q.f, count($p) as n }"
    caches = ReadCaches()
    told = [explained(snapshot, query(text), {}, caches=caches, analyze=True) for _ in range(4)]

    ways = [[step.executor for step in one.steps if step.executor] for one in told]
    assert ways == [["arrow"], ["arrow"], ["csr"], ["csr"]]
    warm = run_query(snapshot, query(text), {}, caches=caches)
    assert warm.rows == run_query(snapshot, query(text), {}, ReadOptions(executor="arrow")).rows


@pytest.mark.slow
def test_a_plan_is_told_with_estimates_and_after_a_run_with_what_was_done(
    snapshot: Snapshot,
) -> None:
    planned = explained(snapshot, REACHED, {})
    done = explained(snapshot, REACHED, {}, analyze=True)

    told = [(s.depth, s.operator) for s in planned.steps]
    assert told == [(0, "project"), (1, "fetch"), (2, "order"), (3, "reach"), (4, "given")]
    assert all((s.rows, s.ms) == (None, None) for s in planned.steps)
    assert (planned.analyzed, planned.rows, planned.peak_bytes) == (False, None, None)
    assert planned.steps[-1].detail == "$a: P 'p03'"
    assert planned.steps[-1].estimate == 1
    assert [s.operator for s in done.steps] == [s.operator for s in planned.steps]
    assert (done.steps[-1].rows, done.rows) == (1, 9)
    assert all(s.ms is not None for s in done.steps)
    assert done.peak_bytes is not None
    assert done.peak_bytes > 0


@pytest.mark.slow
def test_a_stream_gives_the_rows_of_the_reply_in_order_and_in_arrow_types(
    snapshot: Snapshot,
) -> None:
    batches = list(stream_query(snapshot, EVERYTHING, {}, batch_rows=7))
    reply = run_query(snapshot, EVERYTHING, {})

    assert [b.num_rows for b in batches] == [7, 7, 7, 7, 7, 5]
    rows = [row for batch in batches for row in batch.to_pylist()]
    assert [r["p"]["@id"] for r in rows] == [dict(r["p"])["@id"] for r in reply.rows]  # type: ignore[call-overload]  # an object
    schema = {f.name: str(f.type) for f in batches[0].schema}
    assert schema["p.born"] == "date32[day]"
    assert schema["p.seen"] == "timestamp[ms, tz=UTC]"
    assert schema["p.f"] == "float"
    assert schema["p"].startswith("struct<@id: string, @type: string, k: string, a: int32")


@pytest.mark.slow
def test_a_stream_without_rows_tells_its_schema(snapshot: Snapshot) -> None:
    nothing = query('match { $p: P { k: "gone" } } return { $p.a, 1 as one }')

    (batch,) = stream_query(snapshot, nothing, {})

    assert batch.num_rows == 0
    assert {f.name: str(f.type) for f in batch.schema} == {"p.a": "int32", "one": "int64"}


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(GraphError) as caught:
        act()
    return caught.value.diagnostic.code


@pytest.mark.slow
def test_a_read_that_needs_more_memory_than_it_may_stops_and_says_so(snapshot: Snapshot) -> None:
    small = ReadOptions(memory_bytes=100_000)

    assert refused(lambda: run_query(snapshot, PRODUCT, {}, small)) == "query_too_large"
    assert run_query(snapshot, PRODUCT, {}).rows == ({"n": COUNT**3},)
    assert run_query(snapshot, REACHED, {}, small).row_count == 9


@pytest.mark.slow
def test_a_read_whose_time_is_over_stops_and_says_so(snapshot: Snapshot) -> None:
    late = ReadOptions(deadline_s=0)

    assert refused(lambda: run_query(snapshot, REACHED, {}, late)) == "query_deadline_exceeded"
    assert (
        refused(lambda: list(stream_query(snapshot, REACHED, {}, late)))
        == "query_deadline_exceeded"
    )


@pytest.mark.slow
def test_a_limit_of_the_caller_holds_besides_the_querys_own(snapshot: Snapshot) -> None:
    own = query("match { $p: P } return { $p.k } limit 5 offset 2")

    few = run_query(snapshot, own, {}, ReadOptions(limit=3))
    many = run_query(snapshot, own, {}, ReadOptions(limit=30))

    assert [r["p.k"] for r in few.rows] == ["p02", "p03", "p04"]
    assert many.row_count == 5


def test_a_budget_is_asked_before_rows_are_made_and_remembers_the_most() -> None:
    times = iter([0.0, 1.0, 4.9, 5.0])
    budget = Budget(memory_bytes=1_000, deadline_s=5, clock=functools.partial(next, times))

    budget.tick()
    budget.room(rows=10, row_bytes=50.0)

    assert budget.peak_bytes == 500
    assert refused(budget.tick) == "query_deadline_exceeded"
    plain = Budget(memory_bytes=1_000, deadline_s=None)
    assert refused(lambda: plain.room(rows=11, row_bytes=100)) == "query_too_large"
    assert refused(lambda: plain.room(rows=budgets.ROW_COUNT_MAX + 1, row_bytes=0)) == (
        "query_too_large"
    )


@pytest.mark.slow
def test_a_reply_that_would_not_fit_is_refused_and_can_be_streamed(snapshot: Snapshot) -> None:
    """Objects of a reply take many times what Arrow takes for the same rows."""
    small = ReadOptions(memory_bytes=30_000)

    assert refused(lambda: run_query(snapshot, EVERYTHING, {}, small)) == "query_too_large"
    assert sum(b.num_rows for b in stream_query(snapshot, EVERYTHING, {}, small)) == COUNT


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["index", "duckdb", "arrow"])
def test_the_edges_of_a_few_starts_are_counted_while_they_come(
    snapshot: Snapshot, executor: ExecutorName
) -> None:
    many = query("match { $a: P $a $e:knows $b } return { count($e.w) as n }")
    small = ReadOptions(memory_bytes=1_000, executor=executor)

    assert refused(lambda: run_query(snapshot, many, {}, small)) == "query_too_large"


@pytest.mark.slow
def test_a_plan_tells_who_really_served(snapshot: Snapshot) -> None:
    grouped = query(
        'match { $a: P { k: "p03" } $a <knows>{1,2} $b } return { $b.a, count($a) as n }'
    )
    no_room = ReadCaches(adjacency=AdjacencyCache(bytes_max=1))

    def ways(executor: ExecutorName) -> list[tuple[str, str | None]]:
        options = ReadOptions(executor=executor)
        plan = explained(snapshot, grouped, {}, options, analyze=True, caches=no_room)
        return [(s.operator, s.executor) for s in plan.steps if s.executor]

    assert ways("csr") == [("reach", "arrow")]
    assert ways("index") == [("reach", "index")]
    assert ways("duckdb") == [("aggregate", "duckdb"), ("reach", "arrow")]


@pytest.mark.slow
def test_a_search_asks_whether_its_time_is_over_on_the_way(tmp_path: "Path") -> None:
    schema = "node D { k: String @key  s: String  v: Vector(2) }"
    oracle = Oracle(catalog_of(schema))
    oracle.load(['{"type": "D", "data": {"k": "a", "s": "red", "v": [1, 2]}}'])
    graph = stored(tmp_path, schema, oracle.graph, indexed=False)
    ranks = ('bm25($d.s, "red")', "nearest($d.v, [1.0, 2.0])")

    for rank in ranks:
        told: list[int] = []
        text = f"query q() {{ match {{ $d: D }} return {{ $d.k }} order {{ {rank} }} limit 1 }}"
        (item, *_) = checked(text, schema).order
        searches = Searches(graph, {}, note=told.append)
        if isinstance(item.rank, Nearest):
            searches.distances(graph.node("D"), item.rank, (1.0, 2.0), count=1)
        else:
            assert isinstance(item.rank, TextSearch)
            searches.text_scores(graph.node("D"), item.rank, count=1)
        assert max(told) > 0, rank
