"""A graph of the oracle as Arrow tables, which the engine reads in place of datasets of Lance.

What the plans mean is tried this way in milliseconds; that Lance gives the same rows for a pushed
condition is tried with few graphs on a disk.
"""

import time
from collections.abc import Mapping, Sequence
from itertools import count
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pyarrow as pa

from agentctl.graph.adjacency.building import Adjacencies
from agentctl.graph.adjacency.cache import AdjacencyCache
from agentctl.graph.columns import identity_columns, physical_schema
from agentctl.graph.reads.budget import Budget
from agentctl.graph.reads.cost import Statistics, statistics_of
from agentctl.graph.reads.executing import Execution
from agentctl.graph.reads.executors.csr import CsrExpander
from agentctl.graph.reads.logical import Project
from agentctl.graph.reads.options import ReadOptions
from agentctl.graph.reads.results import lowered
from agentctl.graph.reads.rules import optimised
from agentctl.graph.reads.showing import shown_rows
from agentctl.graph.reads.source import Source
from agentctl.languages.query.plan import CheckedQuery
from agentctl.languages.schema.ir import IrType, SchemaIr, evolve_ir
from agentctl.languages.schema.types import Scalar
from tests.graph.oracle.oracle_graph import Graph

if TYPE_CHECKING:
    from agentctl.graph.snapshot import Snapshot


class _Scanner:
    def __init__(self, table: pa.Table, columns: Sequence[str], limit: int | None) -> None:
        self._table = table.select(list(columns)).slice(0, limit)

    def to_table(self) -> pa.Table:
        return self._table

    def to_reader(self) -> pa.RecordBatchReader:
        return self._table.to_reader(max_chunksize=3)

    def to_batches(self) -> list[pa.RecordBatch]:
        batches: list[pa.RecordBatch] = self._table.to_batches(max_chunksize=3)
        return batches


class _Dataset:
    def __init__(self, table: pa.Table) -> None:
        self.table = table

    def scanner(
        self,
        *,
        columns: Sequence[str],
        filter: str | None = None,  # noqa: A002  # as Lance names it
        limit: int | None = None,
        batch_size: int | None = None,
        scan_in_order: bool = True,
    ) -> _Scanner:
        assert scan_in_order, "a table has one order"
        assert filter is None, "nothing is pushed into tables"
        assert batch_size is None or batch_size > 0
        return _Scanner(self.table, columns, limit)

    def take(self, rows: Sequence[int], columns: Sequence[str]) -> pa.Table:
        return self.table.select(list(columns)).take(pa.array(rows, pa.int64()))


class _Tables:
    """Stands for a snapshot."""

    def __init__(self, ir: SchemaIr, tables: Mapping[str, pa.Table]) -> None:
        self.ir = ir
        self.commit = SimpleNamespace(incarnation="tables")
        self._tables = tables

    def node(self, name: str) -> IrType:
        found = self.ir.type_named("node", name)
        assert found is not None
        return found

    def version(self, ir_type: IrType) -> tuple[str, int]:
        assert ir_type.id in self._tables
        return "main", 1

    def rows(self, ir_type: IrType) -> int:
        return int(self._tables[ir_type.id].num_rows)

    def dataset(self, ir_type: IrType) -> _Dataset:
        return _Dataset(self._tables[ir_type.id])


class TableGraph:
    """One graph, ready to be asked."""

    def __init__(self, graph: Graph) -> None:
        numbers = count(1)
        self.ir = evolve_ir(None, graph.catalog, lambda: f"id{next(numbers)}")
        tables = {t.id: _table(t, graph) for t in self.ir.types}
        self.snapshot = cast("Snapshot", _Tables(self.ir, tables))
        self._cache = AdjacencyCache()
        self._held = Adjacencies(self.snapshot, self._cache)

    @property
    def statistics(self) -> Statistics:
        return statistics_of(self.ir, self.snapshot.rows)

    def plan(self, query: CheckedQuery, params: Mapping[str, object], now: int) -> Project:
        return optimised(lowered(query, self.ir, params, now=now), self.ir, self.statistics)

    def rows(
        self,
        query: CheckedQuery,
        params: Mapping[str, object],
        *,
        now: int,
        options: ReadOptions | None = None,
    ) -> list[dict[str, object]]:
        """Returns the rows of a read, or raises what the engine refuses it with."""
        options = options or ReadOptions()
        plan = self.plan(query, params, now)
        budget = Budget(
            memory_bytes=options.memory_bytes, deadline_s=options.deadline_s, clock=time.monotonic
        )
        warm = options.executor == "csr"
        source = Source(
            self.snapshot,
            budget,
            lookups=False,
            pushes=False,
            ids=self._held.ids if warm else lambda _: None,
        )
        execution = Execution(
            source,
            budget,
            executor=options.executor,
            expanders={"csr": CsrExpander(source, budget, self._cache)},
        )
        return list(shown_rows(plan, execution.frame(plan), self.ir))


def _table(owner: IrType, graph: Graph) -> pa.Table:
    found = (graph.edges if owner.kind == "edge" else graph.nodes)[owner.name].values()
    identity = identity_columns(owner)
    columns: dict[str, list[object]] = {n: [getattr(e, n) for e in found] for n in identity}
    for prop in owner.properties:
        values = [e.values[prop.name] for e in found]
        if prop.scalar == Scalar.BLOB.value:
            values = [None if v is None else str(v).encode() for v in values]
        columns[prop.column] = values
    schema = physical_schema(owner)
    return pa.table(
        [pa.array(columns[f.name], _form(f.type)).cast(f.type) for f in schema], schema=schema
    )


def _form(type_: pa.DataType) -> pa.DataType:
    """Returns what integers that stand for times are read as first."""
    if pa.types.is_list(type_):
        return pa.list_(_form(type_.value_type))
    return {pa.date32(): pa.int32(), pa.date64(): pa.int64()}.get(type_, type_)
