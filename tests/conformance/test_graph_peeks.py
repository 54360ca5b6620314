"""What a peek at the rows answers, on both graph ports. Source: control-plane 3.3."""

import itertools
from pathlib import Path

import pytest

from agentctl.adapters.backends.local import LocalStore
from agentctl.canonical import sha256_hex
from agentctl.domain.ledger.peeks import PEEK_ROWS_MAX, Peek
from agentctl.graph.lance_port import LanceGraphs
from agentctl.graph.port import GraphError, GraphPort, SchemaPayload, Stamp
from agentctl.ids import ulid
from agentctl.languages.schema.compile import compile_schema
from agentctl.languages.schema.ir import SchemaIr, evolve_ir
from agentctl.testing.graphs import MemoryGraphs

INCARNATION = ulid(1, bytes(10))
BEFORE = """\
node A {
  k: String @key
  x: I32?
  s: String?
  e: enum(p, q)?
  gone: String?
}
node B { k: String @key  y: I32 }
edge R: A -> B
"""
ROWS = (
    b'{"type":"A","data":{"k":"1","x":5,"s":"a","e":"p","gone":"v"}}',
    b'{"type":"A","data":{"k":"2","s":"c","e":"p"}}',
    b'{"type":"A","data":{"k":"3","s":"c","e":"q"}}',
    b'{"type":"B","data":{"k":"1","y":7}}',
)


@pytest.fixture(params=[pytest.param("lance", marks=pytest.mark.slow), "memory"])
def graphs(request: pytest.FixtureRequest, tmp_path: Path) -> GraphPort:
    return MemoryGraphs() if request.param == "memory" else LanceGraphs(LocalStore(tmp_path))


def stamp(number: int) -> Stamp:
    return Stamp(
        op=f"op{number}",
        actor="sarah",
        on_behalf_of=None,
        intent="test",
        epoch=1,
        nonce=f"{number:032x}",
        at="2026-11-21T10:00:00.000Z",
    )


def evolved(text: str, old: SchemaIr | None) -> SchemaIr:
    compiled = compile_schema(text.encode(), file="test.pg")
    assert compiled.catalog is not None, compiled.diagnostics
    numbers = itertools.count(1 if old is None else 1_000)
    return evolve_ir(old, compiled.catalog, lambda: ulid(5, next(numbers).to_bytes(10)))


async def held(graphs: GraphPort, *rows: bytes) -> SchemaIr:
    """Makes the graph with *rows*, and returns the schema in force."""
    ir = evolved(BEFORE, None)
    schema = SchemaPayload(
        source=BEFORE.encode(),
        source_digest=sha256_hex(BEFORE.encode()),
        shape_digest="sha256:0",
        ir=ir,
    )
    await graphs.create("g", schema=schema, incarnation=INCARNATION, stamp=stamp(1))
    if rows:
        report = await graphs.load("g", list(rows), mode="append", stamp=stamp(2))
        assert report.commit is not None, report.diagnostics
    return ir


async def peeked(
    graphs: GraphPort, ir: SchemaIr, *edits: tuple[str, str], rows_max: int = PEEK_ROWS_MAX
) -> tuple[Peek, ...]:
    text = BEFORE
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    return await graphs.peek("g", evolved(text, ir), rows_max=rows_max)


@pytest.mark.parametrize(
    ("old", "new", "answer"),
    [
        ("x: I32?", "x: I32", Peek(where="A.x", need="have_a_value", rows=3, looked_at=3, nulls=2, broken=2)),
        ("x: I32?", "x: I32? @range(x, 0..4)", Peek(where="A.x", need="are_in_range", rows=3, looked_at=3, nulls=2, broken=1)),
        ("e: enum(p, q)?", "e: enum(q)?", Peek(where="A.e", need="have_one_of", rows=3, looked_at=3, broken=2)),
        ("s: String?", 's: String? @check(s, "a")', Peek(where="A.s", need="match", rows=3, looked_at=3, broken=2)),
        ("s: String?", "s: String? @unique", Peek(where="A.s", need="are_unique", rows=3, looked_at=3, broken=1)),
        ("x: I32?", "x: I32? @unique(x, s)", Peek(where="A.s, x", need="are_unique", rows=3, looked_at=3, nulls=2)),
        ("  gone: String?\n", "", Peek(where="A.gone", need="are_dropped", rows=3, looked_at=3, nulls=2)),
    ],
)  # fmt: skip
async def test_each_narrowing_is_counted_before_it_is_wanted(
    graphs: GraphPort, old: str, new: str, answer: Peek
) -> None:
    ir = await held(graphs, *ROWS)
    before = await graphs.observe("g")

    found = await peeked(graphs, ir, (old, new))

    assert found == (answer,)
    assert await graphs.observe("g") == before, "a peek changes nothing"


async def test_a_dropped_type_is_told_by_the_values_of_its_properties(graphs: GraphPort) -> None:
    ir = await held(graphs, *ROWS)

    found = await peeked(graphs, ir, ("node B { k: String @key  y: I32 }\nedge R: A -> B\n", ""))

    assert [(p.where, p.need, p.rows - p.nulls) for p in found] == [
        ("B.k", "are_dropped", 1),
        ("B.y", "are_dropped", 1),
    ]


async def test_a_peek_is_bounded_and_says_that_it_did_not_look_at_every_row(
    graphs: GraphPort,
) -> None:
    ir = await held(graphs, *ROWS)

    (found,) = await peeked(graphs, ir, ("x: I32?", "x: I32"), rows_max=2)

    assert (found.rows, found.looked_at, found.whole) == (3, 2, False)
    assert found.broken <= 2


async def test_a_schema_that_asks_nothing_new_is_answered_with_nothing(graphs: GraphPort) -> None:
    ir = await held(graphs, *ROWS)

    assert await peeked(graphs, ir, ("x: I32?", "x: I32?\n  more: String?")) == ()


async def test_an_empty_graph_breaks_nothing(graphs: GraphPort) -> None:
    ir = await held(graphs)

    assert await peeked(graphs, ir, ("x: I32?", "x: I32")) == (
        Peek(where="A.x", need="have_a_value", rows=0, looked_at=0),
    )


async def test_a_graph_that_is_not_there_is_not_looked_at(graphs: GraphPort) -> None:
    with pytest.raises(GraphError) as refused:
        await graphs.peek("g", evolved(BEFORE, None), rows_max=1)

    assert refused.value.diagnostic.code == "graph_root_missing"
