"""A graph of people and cities in datasets, written type by type; a commit names what was written."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from agentctl.adapters.backends.local import LocalStore
from agentctl.graph.commit import Commit, CommitOp, SchemaRef, TypeState
from agentctl.graph.location import data_folder
from agentctl.graph.snapshot import Snapshot
from agentctl.graph.tables import Batches, Tables
from agentctl.ids import ulid
from agentctl.languages.schema.compile import compile_schema
from agentctl.languages.schema.ir import IrType, SchemaIr, evolve_ir

SCHEMA = """
node Person { name: String @key  age: I32? }
node City { name: String @key }
edge Knows: Person -> Person { weight: I32? }
edge WorksWith: Person -> Person
edge LivesIn: Person -> City
"""
Edge = tuple[str, str]


class SmallGraph:
    """Written and read by one test."""

    def __init__(self, folder: Path, *, incarnation: str | None = None) -> None:
        compiled = compile_schema(SCHEMA.encode(), file="g.pg")
        assert compiled.catalog is not None, compiled.diagnostics
        numbers = itertools.count(1)
        self.ir: SchemaIr = evolve_ir(
            None, compiled.catalog, lambda: ulid(5, next(numbers).to_bytes(10))
        )
        self.incarnation = incarnation or ulid(1, bytes(10))
        self.tables = Tables(
            data_folder(LocalStore(folder), "g", self.incarnation), before_write=lambda _: None
        )
        self.states = {t.id: self.tables.create(t) for t in self.ir.types}
        self._numbers = itertools.count(1)

    def type(self, name: str) -> IrType:
        """Returns a type; no node has the name of an edge here."""
        return next(t for t in self.ir.types if t.name == name)

    def add(self, name: str, *ids: str) -> None:
        """Adds nodes."""
        self._append(name, [{"id": i, "name": i} for i in ids])

    def link(self, name: str, edges: Iterable[Edge], weights: Sequence[int | None] = ()) -> None:
        """Adds edges, with weights where they have some."""
        rows: list[dict[str, object]] = [
            {"id": f"{next(self._numbers):04}", "src": a, "dst": b} for a, b in edges
        ]
        for row, weight in itertools.zip_longest(rows, weights[: len(rows)]):
            row["weight"] = weight
        self._append(name, rows)

    def remove(self, name: str, *ids: str) -> None:
        """Removes rows."""
        owner = self.type(name)
        state = self.states[owner.id]
        gone = pa.array(ids, pa.utf8())
        self.states[owner.id] = self.tables.delete(owner, state, gone, tag="t")

    def snapshot(self) -> Snapshot:
        """Returns what is written now."""
        return Snapshot(commit_of(self.incarnation, dict(self.states)), self.ir, self.tables)

    def _append(self, name: str, rows: Sequence[Mapping[str, object]]) -> None:
        owner = self.type(name)

        def batches(schema: pa.Schema) -> Iterator[pa.RecordBatch]:
            told = [{n: row.get(n) for n in schema.names} for row in rows]
            yield from pa.Table.from_pylist(told, schema=schema).to_batches()

        given: Batches = batches
        self.states[owner.id] = self.tables.append(owner, self.states[owner.id], given, tag="t")


def commit_of(incarnation: str, types: Mapping[str, TypeState]) -> Commit:
    return Commit(
        version=1,
        branch="main",
        n=1,
        kind="write",
        parents=(),
        incarnation=incarnation,
        schema=SchemaRef(source_digest="", shape_digest="", ir_digest=""),
        types=types,
        op=CommitOp(id="x:1", actor="x", intent="test"),
        epoch=1,
        created_at="2026-11-21T00:00:00.000Z",
        nonce="0" * 32,
    )
