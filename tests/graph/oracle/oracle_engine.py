"""The engine as the tests of the oracle ask it: a graph on a disk, and an answer by each executor."""

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pyarrow as pa

from agentctl.adapters.backends.local import LocalStore
from agentctl.canonical import sha256_hex
from agentctl.graph.commit import SchemaRef, TypeState, first_commit
from agentctl.graph.location import data_folder
from agentctl.graph.port import GraphError, SchemaPayload, Stamp
from agentctl.graph.reads.options import ExecutorName, ReadOptions
from agentctl.graph.reads.running import run_query
from agentctl.graph.roots import tag_of
from agentctl.graph.snapshot import Snapshot
from agentctl.graph.tables import Tables
from agentctl.graph.writes.changes import staged_from
from agentctl.ids import ulid
from agentctl.languages.schema.compile import compile_schema
from agentctl.languages.schema.ir import IrType, SchemaIr, evolve_ir
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


def stored(folder: Path, schema: str, graph: Graph, *, indexed: bool) -> Snapshot:
    """Returns the oracle's graph as datasets on a disk, in a commit that nobody has written.

    Faster than a load, and free of what loads understand. *indexed* gives every type its indexes.
    """
    ir = ir_of(schema)
    tables = Tables(
        data_folder(LocalStore(folder), "g", INCARNATION),
        before_write=lambda _: None,
        index_rows_min=1 if indexed else 1_000,
    )
    types = {t.id: _filled(tables, t, graph) for t in ir.types}
    digests = SchemaRef(source_digest="s", shape_digest="s", ir_digest="i")
    commit = first_commit(schema=digests, types=types, incarnation=INCARNATION, stamp=stamp(1), n=1)
    return Snapshot(commit, ir, tables)


def _filled(tables: Tables, ir_type: IrType, graph: Graph) -> TypeState:
    of_kind = graph.edges if ir_type.kind == "edge" else graph.nodes
    entities = list(of_kind[ir_type.name].values())
    state = tables.create(ir_type)
    if not entities:
        return state
    staged = staged_from(ir_type, _columns(ir_type, entities))

    def batches(schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        return staged.batches(schema)

    return tables.append(ir_type, state, batches, tag=tag_of(1, stamp(1)))


def _columns(ir_type: IrType, entities: list[Entity]) -> Mapping[str, list[object]]:
    columns: dict[str, list[object]] = {"id": [e.id for e in entities]}
    if ir_type.kind == "edge":
        columns |= {"src": [e.src for e in entities], "dst": [e.dst for e in entities]}
    return columns | {
        p.column: [_plain(e.values[p.name]) for e in entities] for p in ir_type.properties
    }


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def of_engine(snapshot: Snapshot, question: Question, executor: ExecutorName) -> Answer:
    """Returns the engine's answer to a read, by one executor."""
    options = ReadOptions(executor=executor, now=question.now)
    try:
        reply = run_query(snapshot, question.checked, question.bound, options)
    except GraphError as failure:
        return Answer(refused=(failure.diagnostic.code,))
    return Answer(rows=tuple(line_of(row) for row in reply.rows))
