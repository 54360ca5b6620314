"""The rows of a query's `match`: which entities its variables stand for, as a table of ids.

Each connected part is begun at its most selective variable and grown edge by edge, reading only
what is reached: by index for few ids, by columns for many. Conditions on one variable go into its
scan. Source: graph-engine 3, languages 2.2.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from agentctl.diagnostics.diagnostic import error
from agentctl.graph.lookup import LOOKUP_COUNT_MAX, rows_where, scan
from agentctl.graph.port import GraphError
from agentctl.graph.predicates import Predicate, condition, holds, mask, predicate
from agentctl.graph.reach import Edges, reached
from agentctl.graph.snapshot import Snapshot
from agentctl.languages.query.plan import CheckedQuery, Filter, PropertyRef, Traversal
from agentctl.languages.schema.ir import IrProperty, IrType

ROW_COUNT_MAX: Final = 20_000_000
"""Of an intermediate result; a query that needs more is refused rather than left to fill memory."""

_INTEGER_FORM: Final = {pa.date32(): pa.int32(), pa.date64(): pa.int64()}


class Hop(msgspec.Struct, frozen=True, kw_only=True):
    """A traversal with a name for each end."""

    source: str
    target: str
    edge: IrType
    step: Traversal


class Matcher:
    """Matches one query against one snapshot."""

    def __init__(
        self,
        snapshot: Snapshot,
        query: CheckedQuery,
        params: Mapping[str, object],
        *,
        lookup_count_max: int = LOOKUP_COUNT_MAX,
    ) -> None:
        self._snapshot = snapshot
        self._lookup_count_max = lookup_count_max
        self.types: dict[str, IrType] = {
            b.var: self._type("node", b.type_name) for b in query.pattern.bindings
        }
        self._hops = [self._hop(i, t) for i, t in enumerate(query.pattern.traversals)]
        self._nodes = tuple(self.types)
        for hop in self._hops:
            if hop.step.edge_var is not None:
                self.types[hop.step.edge_var] = hop.edge
        self._predicates: list[Predicate] = []
        for test in query.pattern.filters:
            assert isinstance(test, Filter), "a query is runnable before it runs"
            self._predicates.append(predicate(test, params))

    @property
    def variables(self) -> tuple[str, ...]:
        """All variables, those without a name included: nodes, then edges."""
        return tuple(self.types)

    def rows(self) -> pa.Table:
        """Returns a column of ids for each variable, in no order; a row for each match."""
        if not self._may_match():
            return self._no_rows()
        matched: pa.Table | None = None
        hops = list(self._hops)
        bound: set[str] = set()
        while len(bound) < len(self._nodes):
            part = self._part(hops, bound)
            bound |= set(part.column_names) & set(self._nodes)
            matched = part if matched is None else _product(matched, part)
            if not matched.num_rows:
                return self._no_rows()
        if matched is None:
            return self._no_rows()
        for test in self._predicates:
            if len(test.variables) > 1:
                matched = self._tested(matched, test)
        return matched.select(list(self.types))

    def column(self, table: pa.Table, ref: PropertyRef) -> pa.ChunkedArray:
        """Returns a property of a variable for each row of *table*."""
        prop = self.property(ref)
        return self.columns(table, ref.var, [prop])[0]

    def columns(
        self, table: pa.Table, var: str, props: Iterable[IrProperty]
    ) -> list[pa.ChunkedArray]:
        """Returns properties of a variable for each row of *table*; dates as integers."""
        names = [p.column for p in props]
        ids = _distinct(table[var])
        found = rows_where(
            self._snapshot.dataset(self.types[var]),
            "id",
            ids,
            columns=["id", *dict.fromkeys(names)],
            lookup_count_max=self._lookup_count_max,
        )
        at = pc.index_in(table[var], value_set=_flat(found["id"]))
        aligned = found.take(at)
        return [_plain(aligned[name]) for name in names]

    def property(self, ref: PropertyRef) -> IrProperty:
        """Returns the stored property that *ref* names.

        Raises:
            GraphError: the graph's schema has it no longer.
        """
        owner = self.types[ref.var]
        for prop in owner.properties:
            if prop.name == ref.property:
                return prop
        raise unfit(missing=f"property {ref.property!r} of {owner.name}")

    def _may_match(self) -> bool:
        constant = (p for p in self._predicates if not p.variables)
        return not any(p.is_never for p in self._predicates) and all(holds(p) for p in constant)

    def _part(self, hops: list[Hop], bound: set[str]) -> pa.Table:
        """Returns the matches of one connected part; takes its hops out of *hops*."""
        start = min((v for v in self._nodes if v not in bound), key=self._selectivity)
        part = self._tested_all(self._scanned(start), start, skip_pushed=True)
        while True:
            hop = self._next_hop(hops, set(part.column_names))
            if hop is None:
                return part
            hops.remove(hop)
            part = self._expanded(part, hop)

    def _next_hop(self, hops: list[Hop], bound: set[str]) -> Hop | None:
        """Returns the hop that narrows most: one between bound ends first."""
        near = [h for h in hops if h.source in bound or h.target in bound]

        def cost(hop: Hop) -> tuple[int, int]:
            new = [v for v in (hop.source, hop.target) if v not in bound]
            return len(new), self._selectivity(new[0])[0] if new else 0

        return min(near, key=cost, default=None)

    def _selectivity(self, var: str) -> tuple[int, int]:
        """Returns a rank of how few entities *var* may stand for, then its place; less is fewer."""
        indexed = {p.name for p in self.types[var].properties if p.indexed}
        rank = 3
        for test in self._predicates:
            if test.variables == {var} and isinstance(test.left, PropertyRef):
                exact = test.comparison == "=" and not isinstance(test.right, PropertyRef)
                rank = min(rank, (0 if test.left.property in indexed else 1) if exact else 2)
        return rank, self._nodes.index(var)

    def _scanned(self, var: str) -> pa.Table:
        dataset = self._snapshot.dataset(self.types[var])
        return scan(dataset, ["id"], self._pushed(var)).rename_columns([var])

    def _expanded(self, part: pa.Table, hop: Hop) -> pa.Table:
        bound = set(part.column_names)
        pairs = self._pairs(part, hop)
        if hop.source == hop.target:
            pairs = pairs.filter(pc.equal(pairs["src"], pairs["dst"])).drop_columns(["dst"])
            names = {"src": hop.source}
        else:
            names = {"src": hop.source, "dst": hop.target}
        if hop.step.edge_var is not None:
            names["id"] = hop.step.edge_var
        pairs = pairs.rename_columns([names[name] for name in pairs.column_names])
        keys = [v for v in dict.fromkeys((hop.source, hop.target)) if v in bound]
        grown = part.join(pairs, keys=keys, join_type="inner")
        if grown.num_rows > ROW_COUNT_MAX:
            raise _too_large(grown.num_rows)
        for var in dict.fromkeys((hop.source, hop.target, hop.step.edge_var)):
            if var is not None and var not in bound:
                grown = self._tested_all(grown, var, skip_pushed=var == hop.step.edge_var)
        return grown

    def _pairs(self, part: pa.Table, hop: Hop) -> pa.Table:
        """Returns the edges of *hop* that touch the bound end, as endpoint ids."""
        ends = {
            side: _distinct(part[var])
            for side, var in (("src", hop.source), ("dst", hop.target))
            if var in part.column_names
        }
        side = min(ends, key=lambda s: len(ends[s]))
        dataset = self._snapshot.dataset(hop.edge)
        if hop.step.hops != (1, 1):
            low, high = hop.step.hops
            if hop.edge.source != hop.edge.target:
                # Ids are unique within a type alone: no second hop may follow one to another type.
                high = 1
            edges = Edges(dataset, forward=side == "src", lookup_count_max=self._lookup_count_max)
            near, far = reached(edges.leaving, ends[side], low=low, high=high)
            return pa.table({side: near, ("dst" if side == "src" else "src"): far})
        edge_var = hop.step.edge_var
        columns = ["src", "dst"] if edge_var is None else ["id", "src", "dst"]
        found = rows_where(
            dataset,
            side,
            ends[side],
            columns=columns,
            condition=None if edge_var is None else self._pushed(edge_var),
            lookup_count_max=self._lookup_count_max,
        )
        return found if edge_var is not None else found.group_by(["src", "dst"]).aggregate([])

    def _pushed(self, var: str) -> str | None:
        """Returns the conditions on *var* alone that its scan can test, or None."""
        parts = [text for _, text in self._conditions(var) if text is not None]
        return " AND ".join(parts) if parts else None

    def _conditions(self, var: str) -> list[tuple[Predicate, str | None]]:
        found: list[tuple[Predicate, str | None]] = []
        for test in self._predicates:
            if test.variables == {var}:
                prop = test.left if isinstance(test.left, PropertyRef) else test.right
                assert isinstance(prop, PropertyRef)
                found.append((test, condition(test, self.property(prop).column)))
        return found

    def _tested_all(self, table: pa.Table, var: str, *, skip_pushed: bool) -> pa.Table:
        """Returns the rows whose *var* meets all conditions on it alone."""
        pushed = None if skip_pushed else self._pushed(var)
        if pushed is not None:
            kept = rows_where(
                self._snapshot.dataset(self.types[var]),
                "id",
                _distinct(table[var]),
                columns=["id"],
                condition=pushed,
                lookup_count_max=self._lookup_count_max,
            )
            table = table.filter(pc.is_in(table[var], value_set=_flat(kept["id"])))
        for test, text in self._conditions(var):
            if text is None:
                table = self._tested(table, test)
        return table

    def _tested(self, table: pa.Table, test: Predicate) -> pa.Table:
        if not table.num_rows:
            return table
        return table.filter(mask(test, lambda ref: self.column(table, ref)))

    def _no_rows(self) -> pa.Table:
        return pa.table({var: pa.array([], pa.utf8()) for var in self.types})

    def _hop(self, index: int, step: Traversal) -> Hop:
        edge = self._type("edge", step.edge_type)
        assert edge.source is not None
        assert edge.target is not None
        ends: list[str] = []
        for side, var, name in (
            ("from", step.source, edge.source),
            ("to", step.target, edge.target),
        ):
            end = var if var is not None else f"_{side} {index}"
            self.types.setdefault(end, self._type("node", name))
            ends.append(end)
        return Hop(source=ends[0], target=ends[1], edge=edge, step=step)

    def _type(self, kind: str, name: str) -> IrType:
        found = self._snapshot.ir.type_named(kind, name)
        if found is None:
            raise unfit(missing=f"{kind} type {name!r}")
        return found


def _product(left: pa.Table, right: pa.Table) -> pa.Table:
    """Returns each row of *left* with each row of *right*."""
    import numpy as np

    total = left.num_rows * right.num_rows
    if total > ROW_COUNT_MAX:
        raise _too_large(total)
    rows = np.arange(total)
    grown = left.take(pa.array(rows // max(right.num_rows, 1)))
    other = right.take(pa.array(rows % max(right.num_rows, 1)))
    for name in right.column_names:
        grown = grown.append_column(name, other[name])
    return grown


def _distinct(values: pa.ChunkedArray) -> pa.Array:
    found = pc.unique(values)
    return _flat(found) if isinstance(found, pa.ChunkedArray) else found


def _flat(values: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(values.chunks) if values.num_chunks else pa.array([], values.type)


def _plain(values: pa.ChunkedArray) -> pa.ChunkedArray:
    form = _INTEGER_FORM.get(values.type)
    return values if form is None else values.cast(form)


def unfit(*, missing: str) -> GraphError:
    """Returns the refusal of a query that names what the graph's schema has not."""
    return GraphError(
        error(
            "schema_mismatch",
            "query",
            f"The query was checked against another schema; the graph has no {missing}.",
            remedy="agentctl refresh",
        )
    )


def _too_large(rows: int) -> GraphError:
    return GraphError(
        error(
            "query_too_large",
            "query",
            f"The query joins {rows:,} rows on its way, more than {ROW_COUNT_MAX:,}.",
            remedy="Narrow the match: filter a variable, or connect its parts by an edge.",
        )
    )
