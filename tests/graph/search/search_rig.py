"""A graph of documents with texts and vectors, written type by type; a commit names what was written."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from agentctl.adapters.backends.local import LocalStore
from agentctl.graph.location import data_folder
from agentctl.graph.search.searches import Searches
from agentctl.graph.snapshot import Snapshot
from agentctl.graph.tables import Batches, Tables
from agentctl.ids import ulid
from agentctl.languages.query.plan import Nearest, ParamRef, PropertyRef, TextSearch, Value
from agentctl.languages.schema.compile import compile_schema
from agentctl.languages.schema.ir import IrType, SchemaIr, evolve_ir
from agentctl.languages.schema.types import PropertyType, Scalar
from tests.graph.adjacency.small_graph import commit_of

SCHEMA = """
node Doc {
  text: String? @index
  other: String?
  near: Vector(4)? @index
  vec: Vector(4)? @embed(text)
  kind: enum(a, b)? @index
}
node Tag { slug: String @key  label: String @index  vec: Vector(3)? }
edge Has: Doc -> Tag { note: String? @index }
"""
STRING = PropertyType(scalar=Scalar.STRING)
VECTOR = PropertyType(scalar=Scalar.F32, vector_dim=4)
Row = Mapping[str, object]


class SearchGraph:
    """Written and read by one test."""

    def __init__(self, folder: Path, *, index_rows_min: int = 2_000) -> None:
        self.ir = ir_of(SCHEMA)
        self.incarnation = ulid(1, bytes(10))
        self.tables = Tables(
            data_folder(LocalStore(folder), "g", self.incarnation),
            before_write=lambda _: None,
            index_rows_min=index_rows_min,
        )
        self.states = {t.id: self.tables.create(t) for t in self.ir.types}
        self.doc = self.type("Doc")

    def type(self, name: str) -> IrType:
        return next(t for t in self.ir.types if t.name == name)

    def append(self, rows: Sequence[Row], name: str = "Doc") -> None:
        owner = self.type(name)
        self.states[owner.id] = self.tables.append(
            owner, self.states[owner.id], batches_of(rows), tag="t"
        )

    def merge(self, rows: Sequence[Row]) -> None:
        state = self.states[self.doc.id]
        self.states[self.doc.id] = self.tables.merge(self.doc, state, batches_of(rows), tag="t")

    def remove(self, *ids: str) -> None:
        state = self.states[self.doc.id]
        gone = pa.array(ids, pa.utf8())
        self.states[self.doc.id] = self.tables.delete(self.doc, state, gone, tag="t")

    def snapshot(self) -> Snapshot:
        return Snapshot(commit_of(self.incarnation, dict(self.states)), self.ir, self.tables)

    def rows(self) -> list[dict[str, object]]:
        return list(self.snapshot().dataset(self.doc).to_table().to_pylist())


def ir_of(text: str) -> SchemaIr:
    compiled = compile_schema(text.encode(), file="g.pg")
    assert compiled.catalog is not None, compiled.diagnostics
    numbers = itertools.count(1)
    return evolve_ir(None, compiled.catalog, lambda: ulid(5, next(numbers).to_bytes(10)))


def batches_of(rows: Sequence[Row]) -> Batches:
    def batches(schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        told = [{n: row.get(n) for n in schema.names} for row in rows]
        yield from pa.Table.from_pylist(told, schema=schema).to_batches()

    return batches


def field(name: str, var: str = "d", type_: PropertyType = STRING) -> PropertyRef:
    return PropertyRef(var=var, property=name, type=type_)


def looks(
    function: str,
    query: str | ParamRef | PropertyRef | None,
    *,
    edits: Value | ParamRef | None = None,
    name: str = "text",
) -> TextSearch:
    wanted = query if isinstance(query, ParamRef | PropertyRef) else Value(value=query, type=STRING)
    return TextSearch(function=function, field=field(name), query=wanted, max_edits=edits)  # type: ignore[arg-type]  # one of the four


def near(vector: tuple[float, ...] | None = None, name: str = "vec") -> Nearest:
    query = Value(value=vector, type=VECTOR)
    return Nearest(field=field(name, type_=VECTOR), query=query)


def number(value: int) -> Value:
    return Value(value=value, type=PropertyType(scalar=Scalar.I64))


def pairs(table: pa.Table) -> list[tuple[str, float]]:
    return list(zip(table["id"].to_pylist(), table["score"].to_pylist(), strict=True))


def over(graph: SearchGraph, **params: object) -> Searches:
    return Searches(graph.snapshot(), params)
