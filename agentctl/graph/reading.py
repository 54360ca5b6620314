"""Runs a checked query on a snapshot: match, group, order, limit, and the reply. In a worker thread.

Only what decides the order is read for all matched rows; what is shown is read for the rows that
are left after the limit. Source: graph-engine 3, languages 2.2, 2.7.
"""

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from agentctl.graph.grouping import group_rows
from agentctl.graph.layout import MAIN, commit_id
from agentctl.graph.lookup import LOOKUP_COUNT_MAX
from agentctl.graph.matching import Matcher
from agentctl.graph.port import ReadReply
from agentctl.graph.replies import Entities, column_infos, shown_values
from agentctl.graph.snapshot import Snapshot
from agentctl.languages.query.plan import (
    Aggregate,
    CheckedQuery,
    EntityRef,
    MetadataRef,
    Now,
    OrderItem,
    Output,
    ParamRef,
    Projectable,
    PropertyRef,
    Value,
)


def run_query(
    snapshot: Snapshot,
    query: CheckedQuery,
    params: Mapping[str, object],
    *,
    limit: int | None = None,
    lookup_count_max: int = LOOKUP_COUNT_MAX,
) -> ReadReply:
    """Returns the reply of *query*; at most *limit* rows, and at most its own limit.

    The caller has asked `agentctl.graph.runnable` before.

    Raises:
        GraphError: the answer would be wrong or too large.
    """
    limits = [bound for bound in (limit, query.limit) if isinstance(bound, int)]
    matcher = Matcher(snapshot, query, params, lookup_count_max=lookup_count_max)
    run = _Run(matcher, query, params, min(limits, default=None))
    columns = run.grouped() if query.aggregates else run.plain()
    names = [output.name for output in query.outputs]
    rows = tuple(dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))
    return ReadReply(
        query_name=query.name,
        target={"branch": MAIN},
        row_count=len(rows),
        columns=column_infos(query),
        rows=rows,
        graph_commit_id=commit_id(snapshot.commit.n),
    )


class _Run:
    """One execution."""

    def __init__(
        self,
        matcher: Matcher,
        query: CheckedQuery,
        params: Mapping[str, object],
        limit: int | None,
    ) -> None:
        self._matcher = matcher
        self._query = query
        self._params = params
        self._limit = limit

    def plain(self) -> list[list[object]]:
        """Returns the columns of a query without aggregates."""
        table = self._matcher.rows()
        table = table.take(self._order(table)) if table.num_rows else table
        if self._limit is not None:
            table = table.slice(0, self._limit)
        return [self._shown(table, output) for output in self._query.outputs]

    def grouped(self) -> list[list[object]]:
        """Returns the columns of a query with aggregates."""
        return group_rows(self._matcher, self._query, self._params, limit=self._limit)

    def _order(self, table: pa.Table) -> pa.Array:
        """Returns the row numbers of *table* in the query's total order."""
        keys: dict[str, pa.ChunkedArray] = {}
        directions: list[tuple[str, str]] = []
        for place, item in enumerate(self._query.order):
            values = self._ordering(table, item)
            if values is None:
                continue
            # Nulls come first ascending and last descending: whether there is a value goes first.
            direction = "descending" if item.descending else "ascending"
            keys[f"valid {place}"] = pc.cast(pc.is_valid(values), pa.int8())
            keys[f"value {place}"] = values
            directions += [(f"valid {place}", direction), (f"value {place}", direction)]
        for var in self._tied(table.column_names):
            keys[f"id {var}"] = table[var]
            directions.append((f"id {var}", "ascending"))
        return pc.sort_indices(pa.table(keys), sort_keys=directions)

    def _tied(self, names: Sequence[str]) -> list[str]:
        """Returns the named variables, nodes then edges; the others tell equal rows apart only."""
        bound = [b.var for b in self._query.pattern.bindings]
        bound += [t.edge_var for t in self._query.pattern.traversals if t.edge_var is not None]
        return [var for var in bound if var in names] or list(names)

    def _ordering(self, table: pa.Table, item: OrderItem) -> pa.ChunkedArray | None:
        value: Projectable | None = item.property
        if item.output is not None:
            value = self._query.outputs[item.output].value
        if isinstance(value, EntityRef):
            return table[value.var]
        if not isinstance(value, PropertyRef):
            return None  # A constant orders nothing.
        column = self._matcher.column(table, value)
        return column.cast(pa.int8()) if pa.types.is_boolean(column.type) else column

    def _shown(self, table: pa.Table, output: Output) -> list[object]:
        value = output.value
        match value:
            case EntityRef():
                return Entities(self._matcher, value.var).shown(table)
            case PropertyRef():
                found = self._matcher.column(table, value).to_pylist()
                return shown_values(output, found)
            case Value():
                return shown_values(output, [value.value] * table.num_rows)
            case ParamRef():
                return shown_values(output, [self._params[value.name]] * table.num_rows)
            case Aggregate() | MetadataRef() | Now():
                msg = "a query with aggregates is grouped, and others are runnable before they run"
                raise AssertionError(msg)
