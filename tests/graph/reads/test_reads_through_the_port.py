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
