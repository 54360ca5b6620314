"""The rule that gives every operator the columns it uses, read where that is cheapest. Pure.

Properties of an edge are read with the edge. Those of a node are read with its scan where most of
the scanned rows come through, and else looked up by id where they are used first: so what is only
shown is read for the rows that are left after the limit.
"""

from collections.abc import Iterable
from itertools import groupby
from typing import Final

import msgspec

from agentctl.graph.reads.cost import Statistics, estimated_rows, looked_up
from agentctl.graph.reads.expressions import Column, columns_of, variable_of
from agentctl.graph.reads.logical import (
    Aggregate,
    AntiJoin,
    Distinct,
    Edges,
    Expand,
    Fetch,
    Filter,
    Given,
    Join,
    LeftJoin,
    Mark,
    Match,
    Order,
    Outer,
    Plan,
    Project,
    Rank,
    Reach,
    Scan,
    Search,
    SemiJoin,
)
from agentctl.graph.reads.shape import columns_out, mapped, parts
from agentctl.languages.query.plan import Fusion, Nearest, PropertyRef, TextSearch
from agentctl.languages.schema.ir import SchemaIr

READ_PART_MIN: Final = 0.2
"""From this part of the scanned rows on, reading a column with the scan is cheaper than looking it up."""


def provided(plan: Plan, ir: SchemaIr, statistics: Statistics) -> Plan:
    """Returns *plan* with every column that an operator uses."""
    return _Providing(ir, statistics).plan(plan)


class _Providing:
    def __init__(self, ir: SchemaIr, statistics: Statistics) -> None:
        self._ir = ir
        self._statistics = statistics

    def plan(self, plan: Plan) -> Plan:
        if isinstance(plan, SemiJoin | AntiJoin | LeftJoin | Mark):
            return self._with_inner(plan)
        found = mapped(plan, self.plan)
        if isinstance(found, Join):
            left, right = [a for a, _ in found.on], [b for _, b in found.on]
            return msgspec.structs.replace(
                found,
                left=self._having(found.left, left),
                right=self._having(found.right, right),
            )
        uses = list(uses_of(found))
        if not uses or isinstance(found, Scan | Given | Edges | Outer | Match):
            return found
        return mapped(found, lambda part: self._having(part, uses))

    def _with_inner(self, plan: SemiJoin | AntiJoin | LeftJoin | Mark) -> Plan:
        """Gives the inner plan what it uses of the outer rows, and the outer rows that."""
        inner = self.plan(plan.inner)
        carried = _leaf(inner, plan.outer.mark)
        given = self._having(self.plan(plan.input), carried.columns)
        found = msgspec.structs.replace(plan, input=given, inner=inner, outer=carried)
        if isinstance(found, LeftJoin):
            made = {c for c in columns_out(inner) if variable_of(c) in found.adds}
            found = msgspec.structs.replace(found, adds=tuple(sorted(made)))
        return found

    def _having(self, plan: Plan, columns: Iterable[str]) -> Plan:
        """Returns *plan* with *columns* among those it has."""
        there = columns_out(plan)
        missing = sorted({c for c in columns if c not in there and "." in c})
        late: list[str] = []
        for column in missing:
            carried = self._carried(plan, column, estimated_rows(plan, self._statistics))
            if carried is None:
                late.append(column)
            else:
                plan = carried
        for var, grouped in groupby(late, key=variable_of):
            type_name = node_type(plan, var)
            assert type_name is not None, "the properties of an edge come with it"
            reads = tuple(c.partition(".")[2] for c in grouped)
            plan = Fetch(input=plan, var=var, kind="node", type_name=type_name, reads=reads)
        return plan

    def _carried(self, plan: Plan, column: str, rows: float) -> Plan | None:  # noqa: PLR0911  # one case for each form
        """Returns *plan* with a column read where its variable comes from; None where that is dearer."""
        var, _, name = column.partition(".")
        match plan:
            case Scan() if plan.node.var == var:
                return self._scanned(plan, name, rows)
            case Outer() if var in plan.columns:
                return msgspec.structs.replace(plan, columns=(*plan.columns, column))
            case Edges() | Expand() if plan.hop.edge_var == var:
                return msgspec.structs.replace(plan, reads=(*plan.reads, name))
            case Aggregate() | Distinct():
                return None
            case LeftJoin() if var in plan.adds:
                inner = self._carried(plan.inner, column, rows)
                if inner is None:
                    return None
                return msgspec.structs.replace(plan, inner=inner, adds=(*plan.adds, column))
            case SemiJoin() | AntiJoin() | LeftJoin() | Mark():
                below = self._carried(plan.input, column, rows)
                return None if below is None else msgspec.structs.replace(plan, input=below)
            case Order() if plan.first is not None and node_type(plan, var) is not None:
                return None
            case _:
                return self._carried_below(plan, column, rows)

    def _carried_below(self, plan: Plan, column: str, rows: float) -> Plan | None:
        var = variable_of(column)
        holder = next((p for p in parts(plan) if var in columns_out(p)), None)
        if holder is None:
            return None
        below = self._carried(holder, column, rows)
        if below is None:
            return None
        return mapped(plan, lambda part: below if part is holder else part)

    def _scanned(self, plan: Scan, name: str, rows: float) -> Plan | None:
        scanned = estimated_rows(plan, self._statistics)
        total = self._statistics.nodes.get(plan.node.type_name, 0)
        few = rows < READ_PART_MIN * scanned and looked_up(rows, total)
        if few or name == "@type":
            return None
        return msgspec.structs.replace(plan, reads=(*plan.reads, name))


def uses_of(plan: Plan) -> Iterable[str]:  # noqa: C901, PLR0912  # one case for each form
    """Yields the columns that an operator reads of its input; of a whole node its properties too."""
    match plan:
        case Filter():
            for test in plan.tests:
                yield from sorted(columns_of(test))
        case Search(query=Column() as column):
            yield column.name
        case Rank():
            yield from rank_columns(plan.rank)
        case Aggregate():
            yield from plan.keys
            yield from (f.of.name for f in plan.folds if isinstance(f.of, Column))
        case Distinct():
            yield from plan.columns
        case Order():
            yield from (s.column for s in plan.by)
        case Project():
            for output in plan.outputs:
                if isinstance(output.of, Column):
                    yield output.of.name
                yield from (f"{output.of.name}.{r}" for r in output.reads if output.node)  # type: ignore[union-attr]  # of an entity it is a column
        case _:
            return


def rank_columns(rank: TextSearch | Nearest | Fusion) -> Iterable[str]:
    """Yields the columns of the properties that a rank searches for."""
    for part in (rank.first, rank.second) if isinstance(rank, Fusion) else (rank,):
        if isinstance(part.query, PropertyRef):
            yield f"{part.query.var}.{part.query.property}"


def _leaf(plan: Plan, mark: str) -> Outer:
    """Returns where an inner plan begins."""
    if isinstance(plan, Outer) and plan.mark == mark:
        return plan
    found = next((p for p in parts(plan) if mark in columns_out(p)), None)
    assert found is not None, "an inner plan begins at its outer rows"
    return _leaf(found, mark)


def node_type(plan: Plan, var: str) -> str | None:
    """Returns the type of the node that *var* stands for in *plan*; None for an edge, or an outer one."""
    below = next((p for p in parts(plan) if var in columns_out(p)), None)
    if below is not None:
        return node_type(below, var)
    match plan:
        case Scan() | Given():
            return plan.node.type_name
        case Edges() | Expand() | Reach():
            hop = plan.hop
            return {hop.target: hop.target_type, hop.source: hop.source_type}.get(var)
        case _:
            return None
