"""The end of a plan: groups, distinct rows, their total order, the limit and the columns. Pure.

After the given items ties are broken by the ids of the variables in order of first appearance, by
the keys where rows are groups, by all columns where they are distinct. A search that ranks comes
first; it keeps what it finds. Source: languages 2.2, 3.1, 3.2.
"""

from collections.abc import Iterable, Mapping

import msgspec

from agentctl.graph.reads.expressions import Column, Constant
from agentctl.graph.reads.logical import (
    Aggregate,
    Distinct,
    Fold,
    Limit,
    Node,
    Order,
    Plan,
    Project,
    Rank,
    Shown,
    Sorted,
)
from agentctl.graph.reads.lowering import Lowering, Scope
from agentctl.graph.reads.refusing import negative
from agentctl.languages.query import plan as checked
from agentctl.languages.query.plan import (
    CheckedQuery,
    OrderItem,
    Output,
    ParamRef,
    Pattern,
    PropertyRef,
)
from agentctl.languages.schema.ir import SchemaIr
from agentctl.languages.schema.types import PropertyType, Scalar

RANK = "*rank"
"""The column of what a rank says of a row: less is better."""


def lowered(
    query: CheckedQuery,
    ir: SchemaIr,
    params: Mapping[str, object],
    *,
    now: int,
    limit: int | None = None,
) -> Project:
    """Returns the logical plan of a read.

    Args:
        query: a checked read.
        ir: the schema of the graph that is read.
        params: the values of its declared parameters.
        now: what ``now()`` is, in milliseconds since 1970.
        limit: bounds the rows besides the query's own limit.

    Raises:
        GraphError: the schema has not what the query names, or a limit is below zero.
    """
    lowering = Lowering(ir, params, now)
    matched, scope = lowering.pattern(query.pattern, None, {})
    return _Results(query, lowering, scope, limit).plan(matched)


class _Results:
    def __init__(
        self, query: CheckedQuery, lowering: Lowering, scope: Scope, limit: int | None
    ) -> None:
        self._query = query
        self._lowering = lowering
        self._scope = scope
        self._operand = lowering.conditions(scope)
        self._folds: dict[checked.Aggregate, Fold] = {}
        self._offset = self._number("offset", query.offset) or 0
        bounds = [b for b in (limit, self._number("limit", query.limit)) if b is not None]
        self._count = min(bounds, default=None)

    def plan(self, matched: Plan) -> Project:
        found = matched
        first = None if self._count is None else self._offset + self._count
        outputs = [self._shown(output) for output in self._query.outputs]
        returned = [o.of.name for o in outputs if isinstance(o.of, Column)]
        keys = list(dict.fromkeys(returned))
        by: list[Sorted] = []
        ties = keys
        if self._query.aggregates:
            folded = {fold.name for fold in self._folds.values()}
            ties = [k for k in keys if k not in folded]
            by = self._by(outputs)
            found = Aggregate(input=found, keys=tuple(ties), folds=tuple(self._folds.values()))
        elif self._query.distinct:
            by = self._by(outputs)
        else:
            by = self._by(outputs)
            ties = list(_named(self._query.pattern))
            if self._query.order and self._query.order[0].rank is not None:
                found = self._ranked(found, self._query.order[0], first)
                by = [Sorted(column=RANK), *by]
        if self._query.distinct:
            found = Distinct(input=found, columns=tuple(keys))
        by += [Sorted(column=column) for column in ties]
        found = Order(input=found, by=_each_once(by), first=first)
        if self._count is not None or self._offset:
            found = Limit(input=found, offset=self._offset, count=self._count)
        return Project(input=found, outputs=tuple(outputs))

    def _by(self, outputs: list[Shown]) -> list[Sorted]:
        by: list[Sorted] = []
        for item in self._query.order:
            column = self._ordering(outputs, item)
            if isinstance(column, Column):  # A constant orders nothing.
                by.append(Sorted(column=column.name, descending=item.descending))
        return by

    def _ordering(self, outputs: list[Shown], item: OrderItem) -> Column | Constant | None:
        if item.output is not None:
            return outputs[item.output].of
        if item.aggregate is not None:
            fold = self._fold(item.aggregate, PropertyType(scalar=Scalar.F64, nullable=True))
            return Column(name=fold.name, type=fold.type)
        return None if item.property is None else self._column(item.property)

    def _ranked(self, given: Plan, item: OrderItem, first: int | None) -> Plan:
        rank = item.rank
        assert rank is not None
        parts = [rank.first, rank.second] if isinstance(rank, checked.Fusion) else [rank]
        nodes = tuple(self._lowering.node_of(part.field, self._scope) for part in parts)
        for part in parts:
            if isinstance(part.query, PropertyRef):
                self._column(part.query)
        return Rank(input=given, nodes=nodes, rank=rank, name=RANK, count=first)

    def _shown(self, output: Output) -> Shown:
        value = output.value
        if isinstance(value, checked.Aggregate):
            assert output.type is not None
            fold = self._fold(value, output.type)
            type_ = output.type
            if value.function in ("min", "max"):
                type_ = msgspec.structs.replace(type_, scalar=fold.of.type.scalar)
            of = Column(name=fold.name, type=type_)
            return Shown(name=output.name, of=of, type=type_)
        if isinstance(value, checked.EntityRef):
            node = Node(var=value.var, type_name=self._scope[value.var].type_name)
            owner = self._lowering.type("node", node.type_name)
            reads = tuple(p.name for p in owner.properties if p.scalar != Scalar.BLOB.value)
            return Shown(
                name=output.name, of=self._column(value), type=None, node=node, reads=reads
            )
        if self._query.aggregates and isinstance(value, checked.MetadataRef):
            # A key of the groups, though it is the same for all: without rows there is no group.
            column = value.var if value.name == "id" else f"{value.var}.@{value.name}"
            of = Column(name=column, type=value.type)
            return Shown(name=output.name, of=of, type=output.type)
        shown = self._column(value)
        # A number is shown as wide as the graph has it, which may be wider than it was.
        as_stored = shown.type if isinstance(value, PropertyRef) else output.type
        return Shown(name=output.name, of=shown, type=as_stored)

    def _fold(self, asked: checked.Aggregate, type_: PropertyType) -> Fold:
        known = self._folds.get(asked)
        if known is not None:
            return known
        of = self._column(asked.argument)
        fold = Fold(name=f"={len(self._folds)}", function=asked.function, of=of, type=type_)
        self._folds[asked] = fold
        return fold

    def _column(self, value: checked.Projectable) -> Column | Constant:
        return self._operand.operand(value)

    def _number(self, name: str, given: int | ParamRef | None) -> int | None:
        if isinstance(given, ParamRef):
            value = self._lowering.params[given.name]
            assert isinstance(value, int)
            given = value
        if given is not None and given < 0:
            raise negative(name, given)
        return given


def _named(pattern: Pattern) -> Iterable[str]:
    """Yields the variables of a pattern's rows, nodes before edges, then those of optional blocks."""
    yield from (b.var for b in pattern.bindings)
    yield from (t.edge_var for t in pattern.traversals if t.edge_var is not None)
    for optional in pattern.optionals:
        yield from _named(optional)


def _each_once(by: Iterable[Sorted]) -> tuple[Sorted, ...]:
    """Returns *by* without the columns that have ordered already."""
    seen: dict[str, Sorted] = {}
    for one in by:
        seen.setdefault(one.column, one)
    return tuple(seen.values())
