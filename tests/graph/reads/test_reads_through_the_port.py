"""Reads as a face asks for them: at a point, as a stream, as a told plan; a deadline is told."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agentctl.graph.asking import Point
from agentctl.graph.port import GraphError
from agentctl.graph.reads.options import ReadOptions
from agentctl.testing.checked_queries import checked
from tests.graph.oracle.oracle_engine import loaded, stamp

if TYPE_CHECKING:
    from agentctl.graph.data_port import GraphData

SCHEMA = "node P { k: String @key  a: I32? }\nedge Knows: P -> P\n"
SEED = [
    '{"type": "P", "data": {"k": "x", "a": 1}}',
    '{"type": "P", "data": {"k": "y"}}',
    '{"edge": "Knows", "from": "x", "to": "y", "data": {}}',
]
ALL = checked("query q() { match { $p: P not { $_ knows $p } } return { $p.k, $p.a } }", SCHEMA)


@pytest.mark.slow
async def test_a_read_sees_the_commit_that_its_point_names(tmp_path: Path) -> None:
    graphs = await loaded(tmp_path, SCHEMA, SEED)
    more = [b'{"type": "P", "data": {"k": "z"}}']
    await graphs.load("g", more, mode="append", stamp=stamp(3))

    now = await graphs.run("g", ALL, {})
    then = await graphs.run("g", ALL, {}, point=Point(at="2"))
    one = await graphs.run("g", ALL, {}, options=ReadOptions(limit=1))

    assert [r["p.k"] for r in now.rows] == ["x", "z"]
    assert (then.rows, then.graph_commit_id) == (({"p.k": "x", "p.a": 1},), "main:2")
    assert one.rows == then.rows
    assert now.graph_commit_id == "main:3"


@pytest.mark.slow
async def test_a_read_is_streamed_and_its_plan_told(tmp_path: Path) -> None:
    graphs: GraphData = await loaded(tmp_path, SCHEMA, SEED)

    batches = [batch async for batch in graphs.stream("g", ALL, {})]
    planned = await graphs.explain("g", ALL, {})
    done = await graphs.explain("g", ALL, {}, analyze=True)

    assert [b.to_pylist() for b in batches] == [[{"p.k": "x", "p.a": 1}]]
    assert "anti join" in [s.operator for s in planned.steps]
    assert (planned.rows, done.rows) == (None, 1)


@pytest.mark.slow
async def test_a_deadline_is_told_by_its_code(tmp_path: Path) -> None:
    graphs = await loaded(tmp_path, SCHEMA, SEED)

    with pytest.raises(GraphError) as late:
        await graphs.run("g", ALL, {}, options=ReadOptions(deadline_s=0))

    assert late.value.diagnostic.code == "query_deadline_exceeded"


@pytest.mark.slow
async def test_look_ups_that_go_on_are_followed_in_arrays_once_these_are_worth_their_making(
    tmp_path: Path,
) -> None:
    """Source: graph-engine 3, the choice is by cost; ADR 23."""
    count = 40_000
    people = [f'{{"type": "P", "data": {{"k": "p{n}"}}}}' for n in range(count)]
    knows = [
        f'{{"edge": "Knows", "from": "p{n}", "to": "p{n * 7 % count}", "data": {{}}}}'
        for n in range(count)
    ]
    graphs = await loaded(tmp_path, SCHEMA, [*people, *knows])
    of = "query q($k: String) { match { $p: P { k: $k } $p knows $o } return { $o.%s as o } }"
    walk, plan = checked(of % "@id", SCHEMA), checked(of % "k", SCHEMA)

    async def served() -> str | None:
        told = await graphs.explain("g", plan, {"k": "p1"}, analyze=True)
        (executor,) = [s.executor for s in told.steps if s.operator == "expand"]
        return executor

    before = await served()
    for n in range(30):
        assert (await graphs.run("g", walk, {"k": f"p{n}"})).rows == ({"o": f"p{n * 7}"},)

    assert (before, await served()) == ("index", "csr")
