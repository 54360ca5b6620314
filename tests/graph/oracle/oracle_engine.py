"""The engine as the tests of the oracle ask it: a graph on a disk, and an answer by each executor."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa

from agentctl.adapters.backends.local import LocalStore
from agentctl.canonical import sha256_hex
from agentctl.graph.commit import SchemaRef, TypeState, first_commit
from agentctl.graph.lance_port import LanceGraphs
from agentctl.graph.location import data_folder
from agentctl.graph.log import CommitLog
from agentctl.graph.port import GraphError, SchemaPayload, Stamp
from agentctl.graph.reads.caches import ReadCaches
from agentctl.graph.reads.options import ExecutorName, ReadOptions
from agentctl.graph.reads.running import run_query
from agentctl.graph.roots import tag_of
from agentctl.graph.search.embedding import query_vectors
from agentctl.graph.snapshot import Snapshot
from agentctl.graph.tables import Tables
from agentctl.ids import ulid
from agentctl.languages.schema.compile import compile_schema
from agentctl.languages.schema.ir import IrType, SchemaIr, evolve_ir
from agentctl.languages.schema.ir import catalog_of as catalog_of_ir
from agentctl.testing.staged_rows import staged_from
from tests.graph.oracle.oracle_asking import Answer, Question, catalog_of, line_of
from tests.graph.oracle.oracle_graph import Entity, Graph

EXECUTORS: Final[tuple[ExecutorName, ...]] = ("auto", "arrow", "index", "csr", "duckdb")
INCARNATION: Final = ulid(1, bytes(10))


def stamp(number: int) -> Stamp:
    """Returns what the write *number* says of itself."""
    return Stamp(
        op=f"abc:{number}",
        actor="oracle",
        on_behalf_of=None,
        intent="compare",
        epoch=1,
        nonce=f"{number:032x}",
        at="2026-11-21T03:30:00.000Z",
    )


def ir_of(schema: str) -> SchemaIr:
    """Returns the schema with identities, the same each time."""
    numbers = itertools.count(1)
    return evolve_ir(None, catalog_of(schema), lambda: ulid(5, next(numbers).to_bytes(10, "big")))


def payload_of(schema: str) -> SchemaPayload:
    """Returns the schema as a graph is created with it."""
    compiled = compile_schema(schema.encode(), file="s.pg")
    assert compiled.shape_digest is not None
    return SchemaPayload(
        source=schema.encode(),
        source_digest=sha256_hex(schema.encode()),
        shape_digest=compiled.shape_digest,
        ir=ir_of(schema),
    )


def stored(
    folder: Path, schema: str, graph: Graph, *, indexed: bool, pieces: bool = False
) -> Snapshot:
    """Returns the oracle's graph as datasets on a disk, in a commit that nobody has written.

    Faster than a load, and free of what loads understand. *indexed* gives every type its indexes.
    With *pieces* the rows came in two writes, among others that are deleted again: so there are
    several fragments, rows that are no more, and rows that no index covers.
    """
    ir = ir_of(schema)
    tables = Tables(
        data_folder(LocalStore(folder), "g", INCARNATION),
        before_write=lambda _: None,
        index_rows_min=1 if indexed else 1_000,
    )
    types = {t.id: _filled(tables, t, graph, pieces=pieces) for t in ir.types}
    digests = SchemaRef(source_digest="s", shape_digest="s", ir_digest="i")
    commit = first_commit(schema=digests, types=types, incarnation=INCARNATION, stamp=stamp(1), n=1)
    return Snapshot(commit, ir, tables)


def _filled(tables: Tables, ir_type: IrType, graph: Graph, *, pieces: bool) -> TypeState:
    of_kind = graph.edges if ir_type.kind == "edge" else graph.nodes
    entities = list(of_kind[ir_type.name].values())
    state = tables.create(ir_type)
    if not entities:
        return state
    tag = tag_of(1, stamp(1))
    if not pieces:
        return tables.append(ir_type, state, _batches(ir_type, entities), tag=tag)
    half = len(entities) // 2
    gone = [
        msgspec.structs.replace(e, id=f"~{place}") for place, e in enumerate(entities[: half + 1])
    ]
    for some in ([*entities[:half], *gone], entities[half:]):
        state = tables.append(ir_type, state, _batches(ir_type, some), tag=tag)
    ids = pa.array([e.id for e in gone], pa.utf8())
    return tables.delete(ir_type, state, ids, tag=tag)


def _batches(
    ir_type: IrType, entities: list[Entity]
) -> Callable[[pa.Schema], Iterator[pa.RecordBatch]]:
    return staged_from(ir_type, _columns(ir_type, entities)).batches


def _columns(ir_type: IrType, entities: list[Entity]) -> Mapping[str, list[object]]:
    columns: dict[str, list[object]] = {"id": [e.id for e in entities]}
    if ir_type.kind == "edge":
        columns |= {"src": [e.src for e in entities], "dst": [e.dst for e in entities]}
    return columns | {
        p.column: [_plain(e.values[p.name]) for e in entities] for p in ir_type.properties
    }


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


async def of_engine(
    snapshot: Snapshot,
    question: Question,
    executor: ExecutorName,
    *,
    caches: ReadCaches | None = None,
) -> Answer:
    """Returns the engine's answer to a read, by one executor; *caches* are shared by several reads."""
    options = ReadOptions(executor=executor, now=question.now)
    try:
        vectors = await query_vectors(
            question.checked, question.bound, ir=snapshot.ir, embedder=None
        )
        reply = run_query(
            snapshot, question.checked, question.bound, options, caches=caches, vectors=vectors
        )
    except GraphError as failure:
        return Answer(refused=(failure.diagnostic.code,))
    return Answer(rows=tuple(line_of(row) for row in reply.rows))


async def loaded(folder: Path, schema: str, seed: list[str]) -> LanceGraphs:
    """Returns graphs whose graph ``g`` was created and loaded as anybody does it."""
    numbers = itertools.count(1)
    graphs = LanceGraphs(
        LocalStore(folder), mint=lambda: ulid(9, next(numbers).to_bytes(10, "big"))
    )
    await graphs.create("g", schema=payload_of(schema), incarnation=INCARNATION, stamp=stamp(1))
    if seed:
        lines = [line.encode() for line in seed]
        report = await graphs.load("g", lines, mode="append", stamp=stamp(2))
        assert report.diagnostics == ()
    return graphs


async def snapshot_of(folder: Path, schema: str) -> Snapshot:
    """Returns the newest commit of the graph ``g``."""
    store = LocalStore(folder)
    head = await CommitLog(store).head("g")
    assert head is not None
    tables = Tables(data_folder(store, "g", head.incarnation), before_write=lambda _: None)
    return Snapshot(head, ir_of(schema), tables)


async def mutated(
    folder: Path, graphs: LanceGraphs, schema: str, question: Question, *, write: int = 3
) -> Answer:
    """Returns the engine's answer to a mutation, and what it left; *write* numbers its stamp."""
    at = datetime.fromtimestamp(question.now / 1000, UTC).isoformat(timespec="milliseconds")
    stamped = msgspec.structs.replace(stamp(write), at=at.replace("+00:00", "Z"))
    before = graph_of(await snapshot_of(folder, schema)).lines(ids=True)
    told: set[str] = set()
    affected = (0, 0)
    try:
        report = await graphs.mutate("g", question.checked, question.bound, stamp=stamped)
        told |= {d.code for d in report.diagnostics}
        affected = (report.affected_nodes, report.affected_edges)
    except GraphError as failure:
        told.add(failure.diagnostic.code)
    after = graph_of(await snapshot_of(folder, schema))
    if told:
        assert after.lines(ids=True) == before, "a refused mutation changed the graph"
        return Answer(refused=tuple(sorted(told)))
    return Answer(after=tuple(after.lines(ids=False)), affected=affected)


def graph_of(snapshot: Snapshot) -> Graph:
    """Returns what a commit names, as the oracle holds a graph."""
    graph = Graph(catalog_of_ir(snapshot.ir))
    for ir_type in snapshot.ir.types:
        owner = graph.catalog.edge(ir_type.name) if ir_type.kind == "edge" else None
        table = snapshot.dataset(ir_type).to_table()
        columns = {name: _python(table[name]) for name in table.column_names}
        for at, row_id in enumerate(columns["id"]):
            ends: dict[str, str] = {}
            if owner is not None:
                ends = {"src": columns["src"][at], "dst": columns["dst"][at]}
            values = {p.name: columns[p.column][at] for p in ir_type.properties}
            node = owner or graph.catalog.node(ir_type.name)
            assert node is not None
            graph.put(Entity(type=node, id=row_id, values=values, **ends))
    return graph


def _python(column: pa.ChunkedArray) -> list[Any]:
    """Returns values as the oracle holds them: days, milliseconds, tuples."""
    if pa.types.is_date32(column.type):
        column = column.cast(pa.int32())
    elif pa.types.is_date64(column.type):
        column = column.cast(pa.int64())
    elif pa.types.is_list(column.type) and pa.types.is_date32(column.type.value_type):
        column = column.cast(pa.list_(pa.int32()))
    elif pa.types.is_list(column.type) and pa.types.is_date64(column.type.value_type):
        column = column.cast(pa.list_(pa.int64()))
    return [tuple(v) if isinstance(v, list) else v for v in column.to_pylist()]
