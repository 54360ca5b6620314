"""A walk over warm adjacencies gives the rows that the same query gives by its plan."""

import itertools
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentctl.graph.adjacency.building import Adjacencies
from agentctl.graph.port import GraphError
from agentctl.graph.reads.caches import ReadCaches
from agentctl.graph.reads.executors import walk, walk_index
from agentctl.graph.reads.executors.walk import walked
from agentctl.graph.reads.options import ExecutorName, ReadOptions
from agentctl.graph.reads.running import run_query
from agentctl.graph.snapshot import Snapshot
from agentctl.languages.query.compile import check_query, parse_query_file
from agentctl.languages.query.plan import CheckedQuery
from agentctl.languages.schema.ir import catalog_of
from tests.graph.adjacency.small_graph import Edge, SmallGraph

PEOPLE = ("ann", "bob", "cid", "dee", "eve", "É", "z😀")
CITIES = ("oslo", "rome", "ann")
KNOWS: list[Edge] = [
    ("ann", "bob"), ("ann", "bob"), ("ann", "z😀"), ("ann", "cid"), ("bob", "cid"), ("bob", "ann"),
    ("cid", "cid"), ("cid", "É"), ("É", "dee"), ("dee", "ann"), ("z😀", "É"),
]  # fmt: skip
WORKS: list[Edge] = [("bob", "ann"), ("cid", "bob"), ("ann", "cid"), ("eve", "eve")]
LIVES: list[Edge] = [("ann", "rome"), ("bob", "oslo"), ("cid", "rome"), ("É", "ann")]

STARTS = ("$a: Person { name: $key }", "$a: Person  $a.name in $keys", "$a: Person  $a.@id = $key")
STEPS = (
    "$a knows $b", "$b knows $a", "$a knows{1,3} $b", "$b knows{2,3} $a", "$a <knows> $b",
    "$a (knows | worksWith) $b", "$a knows $b  $b worksWith $c", "$a knows $b  $a worksWith $c",
    "$a knows $b  $b knows{1,2} $c  $c livesIn $d", "$a livesIn $b  $c livesIn $b",
    "$a <knows>{1,2} $b", "$a livesIn{1,2} $b", "$a knows $b  $c knows $b  $d knows $c",
)  # fmt: skip
RESULTS = (
    "return { $b.@id as b }", "return { $b.name as b, $a.name as a }", "return { count($b) as n }",
    "return distinct { $b.@id as b }", "return { $a.@id as a, $b.@id as b } order { $b.name desc }",
    "return { $b.@id as b } order { $a.@id desc } limit 3 offset 1",
    "return distinct { $b.@id as b, $a.@id as a } order { b desc } limit 2",
    "return { count($a) as m, count($b.@id) as n } limit 1", "return { $b.@id as b } limit 0",
)  # fmt: skip
PARAMS: tuple[Mapping[str, object], ...] = tuple(
    {"key": key, "keys": keys}
    for key, keys in (
        ("ann", ["ann", "bob", "ann", "nobody"]),
        ("nobody", []),
        ("cid", list(PEOPLE)),
        ("eve", ["dee"]),
    )
)


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    graph = SmallGraph(tmp_path_factory.mktemp("graph"))
    graph.add("Person", *PEOPLE)
    graph.add("City", *CITIES)
    for name, edges in (("Knows", KNOWS), ("WorksWith", WORKS), ("LivesIn", LIVES)):
        graph.link(name, edges)
    return graph.snapshot()


def checked(snapshot: Snapshot, text: str) -> CheckedQuery:
    parsed = parse_query_file(
        f"query q($key: String, $keys: [String], $n: I64) {{ {text} }}".encode(), file="q.gq"
    )
    assert not parsed.diagnostics, parsed.diagnostics
    found = check_query(parsed.declarations[0], catalog_of(snapshot.ir))
    assert found.query is not None, found.diagnostics
    return found.query


def texts() -> list[str]:
    """Every start with every steps and every result."""
    parts = itertools.product(STARTS, STEPS, RESULTS)
    return [f"match {{ {start}  {steps} }} {result}" for start, steps, result in parts]


@settings(deadline=None, max_examples=60)
@given(text=st.sampled_from(texts()), params=st.sampled_from(PARAMS))
def test_a_walk_gives_the_rows_of_its_plan(
    snapshot: Snapshot, text: str, params: Mapping[str, object]
) -> None:
    query, caches, csr = checked(snapshot, text), ReadCaches(), ReadOptions(executor="csr")
    values = {**params, "n": 0}
    cold = run_query(snapshot, query, values, csr, caches=caches)
    kept = Adjacencies(snapshot, caches.adjacency)
    for edge in (t for t in snapshot.ir.types if t.kind == "edge"):
        for forward in (True, False):
            kept.of(edge, forward=forward)

    found = walked(snapshot, query, values, csr, caches.adjacency)

    by_columns = run_query(snapshot, query, values, ReadOptions(executor="arrow")).rows
    assert found is not None
    assert list(found) == list(cold.rows) == list(by_columns)
    assert run_query(snapshot, query, values, caches=caches) == cold


@settings(deadline=None, max_examples=60)
@given(text=st.sampled_from(texts()), params=st.sampled_from(PARAMS))
def test_a_walk_by_index_gives_the_rows_of_its_plan(
    snapshot: Snapshot, text: str, params: Mapping[str, object]
) -> None:
    query, index = checked(snapshot, text), ReadOptions(executor="index")
    values = {**params, "n": 0}

    found = walked(snapshot, query, values, index, ReadCaches().adjacency)

    by_columns = run_query(snapshot, query, values, ReadOptions(executor="arrow")).rows
    far = any(hops in text for hops in ("{1,3}", "{2,3}", "b knows{1,2}", "<knows>{1,2}"))
    assert (found is None) == far
    assert found is None or list(found) == list(by_columns)


def test_a_walk_by_index_that_meets_too_many_nodes_or_rows_is_left_to_the_plan(
    snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "match { $a: Person { name: $key }  $a knows $b  $b knows $c } return { $c.@id as c }"
    query, values = checked(snapshot, text), {"key": "ann", "keys": [], "n": 0}
    index, cache = ReadOptions(executor="index"), ReadCaches().adjacency
    whole = walked(snapshot, query, values, index, cache)
    assert whole is not None

    for name, bound in (("ROWS_MAX", len(whole) - 1), ("INDEX_IDS_MAX", 2)):
        with monkeypatch.context() as patch:
            patch.setattr(walk_index, name, bound)
            assert walked(snapshot, query, values, index, cache) is None
            assert run_query(snapshot, query, values, index).rows == whole


@pytest.mark.parametrize(
    "text",
    [
        "match { $a: Person { name: $key } } return { $a.@id as a }",
        "match { $a: Person { name: $key }  $a knows $b } return { $b.age as age }",
        "match { $a: Person { name: $key }  $a knows $b } return { $b }",
        "match { $a: Person { name: $key }  $a knows $b  $b.age > 3 } return { $b.@id as b }",
        "match { $a: Person { age: 3 }  $a knows $b } return { $b.@id as b }",
        "match { $a: Person { name: $key }  $a $e:knows $b } return { $b.@id as b }",
        "match { $a: Person { name: $key }  $a knows $b  $b knows $a } return { $b.@id as b }",
        "match { $a: Person { name: $key }  $a knows $a } return { $a.@id as a }",
        "match { $a: Person { name: $key }  $a knows $_ } return { $a.@id as a }",
        "match { $a: Person { name: $key }  $a knows $b  $c: City } return { $b.@id as b }",
        "match { $a: Person { name: $key }  $a knows $b  not { $b worksWith $a } }"
        " return { $b.@id as b }",
        "match { $a: Person { name: $key }  $a knows $b  optional { $b livesIn $c } }"
        " return { $b.@id as b }",
        "match { $a: Person { name: $key }  $a knows $b } return { $a.@id as a, count($b) as n }",
        "match { $a: Person { name: $key }  $a knows $b } return { max($b.age) as n }",
        "match { $a: Person { name: $key }  $a knows $b } return { $b.@id as b } order { $b.age }",
        "match { $a: Person { name: $key }  $a knows $b } return { $b.@type as t }",
        "match { $a: Person  $a knows $b } return { $b.@id as b }",
    ],
)
def test_what_asks_for_more_than_ids_is_no_walk(snapshot: Snapshot, text: str) -> None:
    query, caches, csr = checked(snapshot, text), ReadCaches(), ReadOptions(executor="csr")
    values: dict[str, object] = {"key": "ann", "keys": [], "n": 0}
    run_query(snapshot, query, values, csr, caches=caches)

    assert walked(snapshot, query, values, csr, caches.adjacency) is None


WALK = "match { $a: Person { name: $key }  $a knows{1,2} $b } return { $b.@id as b }"


def warm(snapshot: Snapshot) -> tuple[CheckedQuery, dict[str, object], ReadCaches]:
    query, caches = checked(snapshot, WALK), ReadCaches()
    values: dict[str, object] = {"key": "ann", "keys": [], "n": 0}
    run_query(snapshot, query, values, ReadOptions(executor="csr"), caches=caches)
    return query, values, caches


@pytest.mark.parametrize("executor", ["arrow", "index", "duckdb"])
def test_another_executor_that_is_asked_for_is_taken(
    snapshot: Snapshot, executor: ExecutorName
) -> None:
    query, values, caches = warm(snapshot)
    options = ReadOptions(executor=executor)

    assert walked(snapshot, query, values, options, caches.adjacency) is None


def test_nothing_is_read_for_a_walk_so_a_cold_one_is_none(snapshot: Snapshot) -> None:
    query, values, caches = warm(snapshot)
    back = checked(snapshot, WALK.replace("$a knows{1,2} $b", "$b knows{1,2} $a"))

    assert walked(snapshot, query, values, ReadOptions(), ReadCaches().adjacency) is None
    assert walked(snapshot, back, values, ReadOptions(), caches.adjacency) is None
    assert walked(snapshot, query, values, ReadOptions(), caches.adjacency) is not None


def test_rows_beyond_the_memory_bound_are_left_to_the_plan_which_refuses_them(
    snapshot: Snapshot,
) -> None:
    query, values, caches = warm(snapshot)
    tiny = ReadOptions(memory_bytes=3 * walk.ROW_BYTES)

    assert walked(snapshot, query, values, tiny, caches.adjacency) is None
    with pytest.raises(GraphError) as refused:
        run_query(snapshot, query, values, ReadOptions(memory_bytes=10), caches=caches)
    assert refused.value.diagnostic.code == "query_too_large"


def test_a_walk_keeps_its_deadline(snapshot: Snapshot) -> None:
    query, values, caches = warm(snapshot)

    with pytest.raises(GraphError) as refused:
        run_query(snapshot, query, values, ReadOptions(deadline_s=0), caches=caches)

    assert refused.value.diagnostic.code == "query_deadline_exceeded"


@pytest.mark.parametrize("limit", [-1, None])
def test_a_limit_that_is_none_is_left_to_the_plan(snapshot: Snapshot, limit: int | None) -> None:
    _, values, caches = warm(snapshot)
    query = checked(snapshot, f"{WALK} limit $n")

    assert walked(snapshot, query, {**values, "n": limit}, ReadOptions(), caches.adjacency) is None
    two = walked(snapshot, query, {**values, "n": 2}, ReadOptions(), caches.adjacency)
    assert two is not None
    assert len(two) == 2


def test_a_walk_over_one_thousand_sources_counts_what_the_plan_counts(tmp_path: Path) -> None:
    graph = SmallGraph(tmp_path)
    names = [f"p{n:04}" for n in range(1_200)]
    graph.add("Person", *names)
    graph.link("Knows", [(n, names[(at * 7 + k) % 1_200]) for at, n in enumerate(names) for k in range(3)])  # fmt: skip
    found = graph.snapshot()
    query = checked(
        found,
        "match { $a: Person  $a.name in $keys  $a knows $b  $b knows $c } return { count($c) as n }",
    )
    values = {"key": "", "keys": names[:1_000], "n": 0}
    caches = ReadCaches()
    by_plan = run_query(found, query, values, ReadOptions(executor="csr"), caches=caches)

    assert walked(found, query, values, ReadOptions(), caches.adjacency) == by_plan.rows
    assert by_plan.rows == ({"n": 9_000},)
