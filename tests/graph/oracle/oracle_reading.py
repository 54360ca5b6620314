"""What a read returns: projected or grouped, distinct, ordered, cut. Source: languages 2.2, 2.7, 3.

Works on the syntax tree and tries nothing clever: each row is made whole before one is dropped.
"""

import math
from typing import Any

import msgspec

from agentctl.languages.query.plan import AggregateName
from agentctl.languages.query.syntax import (
    AggregateUse,
    BindingClause,
    Clause,
    Expression,
    ListUse,
    LiteralUse,
    MetadataUse,
    NameUse,
    NowUse,
    OptionalClause,
    OrderSyntax,
    PropertyUse,
    ReadBody,
    ReturnItem,
    SearchUse,
    TraversalClause,
    VariableUse,
)
from agentctl.languages.schema.types import PropertyType, Scalar
from tests.graph.oracle.oracle_graph import Entity
from tests.graph.oracle.oracle_matching import ANONYMOUS, Execution, Matching, Row, Scope
from tests.graph.oracle.oracle_ranking import Ranking
from tests.graph.oracle.oracle_values import BOUNDS, BoundError, Raw, rank, shown

SUM_MAX = 2**53


class SumOutOfRangeError(Exception):
    """A sum of integers would have to be rounded."""


class _Result(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the result before it is shown, with the matched rows that it stands for."""

    members: tuple[Row, ...]
    values: tuple[Raw, ...]


class Reading:
    """One execution of a read."""

    def __init__(self, run: Execution, body: ReadBody) -> None:
        self.run = run
        self.body = body
        self.matching = Matching(run)
        self.scope: Scope = {}
        self.matched = self.matching.block(body.clauses, [{}], self.scope)
        self.grouped = any(isinstance(i.value, AggregateUse) for i in body.items)

    def rows(self) -> list[dict[str, object]]:
        """Returns the rows as result JSON has them.

        Raises:
            SumOutOfRangeError: an integer sum is beyond 2^53.
            BoundError: a limit, an offset or an argument of a search is out of its bounds.
        """
        limit, offset = self._bound(self.body.limit), self._bound(self.body.offset)
        results = self._grouped() if self.grouped else self._plain()
        if self.body.distinct:
            results = list({tuple(map(_same, r.values)): r for r in reversed(results)}.values())
        results.sort(key=self._tie)
        for item in reversed(self.body.order):
            results = self._ordered(results, item)
        start = offset or 0
        results = results[start : None if limit is None else start + limit]
        return [
            {
                column_name(i): self._shown(i.value, v)
                for i, v in zip(self.body.items, r.values, strict=True)
            }
            for r in results
        ]

    def _bound(self, use: LiteralUse | VariableUse | None) -> int | None:
        if use is None:
            return None
        number = self.matching.value(use, {}, {})
        if number < 0:
            raise BoundError
        return int(number)

    def _plain(self) -> list[_Result]:
        return [
            _Result(
                members=(row,),
                values=tuple(
                    self.matching.value(i.value, row, self.scope) for i in self.body.items
                ),
            )
            for row in self.matched
        ]

    def _grouped(self) -> list[_Result]:
        keys = [i.value for i in self.body.items if self._is_key(i.value)]
        groups: dict[tuple[Raw, ...], list[Row]] = {} if keys else {(): []}
        for row in self.matched:
            key = tuple(_same(self.matching.value(k, row, self.scope)) for k in keys)
            groups.setdefault(key, []).append(row)
        return [
            _Result(
                members=tuple(members),
                values=tuple(self._of_group(i.value, members) for i in self.body.items),
            )
            for members in groups.values()
        ]

    def _is_key(self, use: Expression) -> bool:
        if isinstance(use, VariableUse):
            return use.name not in self.run.params
        return isinstance(use, PropertyUse | MetadataUse)

    def _of_group(self, use: Expression, members: list[Row]) -> Raw:
        if isinstance(use, AggregateUse):
            return self._aggregate(use, members)
        return self.matching.value(use, members[0] if members else {}, self.scope)

    def _aggregate(self, use: AggregateUse, members: list[Row]) -> Raw:
        values = [self.matching.value(use.argument, row, self.scope) for row in members]
        return aggregate(use.function, [v for v in values if v is not None])

    # Order

    def _tie(self, result: _Result) -> list[Any]:
        """Ties break by the group keys, by all columns of a distinct result, else by the ids."""
        if self.grouped:
            pairs = zip(self.body.items, result.values, strict=True)
            return [_sortable(v) for i, v in pairs if self._is_key(i.value)]
        if self.body.distinct:
            return [_sortable(v) for v in result.values]
        (row,) = result.members
        return [_sortable(row[v]) for v in variables(self.body.clauses, self.scope)]

    def _ordered(self, results: list[_Result], item: OrderSyntax) -> list[_Result]:
        use = item.value
        if isinstance(use, SearchUse):
            rows = [(r.members[0], r) for r in results]
            ranking = Ranking(self.matching, self.scope, self.matched)
            return [r for _, r in ranking.ordered(rows, use)]
        return sorted(results, key=lambda r: self._key(use, r), reverse=item.descending)

    def _key(self, use: Expression, result: _Result) -> Any:
        if isinstance(use, NameUse):
            place = [i.alias for i in self.body.items].index(use.name)
            return _sortable(result.values[place])
        if isinstance(use, LiteralUse | ListUse | NowUse):
            return ()
        if isinstance(use, AggregateUse):
            return _sortable(self._aggregate(use, list(result.members)))
        return _sortable(
            self.matching.value(use, result.members[0] if result.members else {}, self.scope)
        )

    # JSON

    def _shown(self, use: Expression, value: Raw) -> object:
        if isinstance(value, Entity):
            owner = value.type
            return {"@id": value.id, "@type": owner.name} | {
                p.name: shown(p.type, value.values[p.name])
                for p in owner.properties
                if p.type.scalar is not Scalar.BLOB
            }
        return None if value is None else shown(self._type_of(use), value)

    def _type_of(self, use: Expression) -> PropertyType:
        match use:
            case AggregateUse(function="count"):
                return PropertyType(scalar=Scalar.I64)
            case AggregateUse(function="sum" | "avg"):
                return PropertyType(scalar=Scalar.F64)
            case AggregateUse():
                return self.matching.type_of(use.argument, self.scope)
            case ListUse(items=items):
                return _joined([self.matching.type_of(i, self.scope) for i in items])
            case _:
                return self.matching.type_of(use, self.scope)


def aggregate(function: AggregateName, values: list[Raw]) -> Raw:
    """Returns the aggregate of the values that are not null: languages 2.2, 3.1, 3.2.

    Raises:
        SumOutOfRangeError: an integer sum is beyond 2^53.
    """
    if function == "count":
        return len(values)
    if not values:
        return None
    if function in ("min", "max"):
        return min(values) if function == "min" else max(values)
    whole = isinstance(values[0], int)
    total = sum(values) if whole else _float_sum(values)
    if function == "avg":
        return total / len(values)
    if whole and abs(total) > SUM_MAX:
        raise SumOutOfRangeError
    return float(total)


def _float_sum(values: list[float]) -> float:
    try:
        return math.fsum(values)
    except OverflowError:
        return sum(values)


def column_name(item: ReturnItem) -> str:
    """Returns the name of a column: languages 3.2."""
    match item:
        case ReturnItem(alias=str(alias)):
            return alias
        case ReturnItem(value=PropertyUse() as use):
            return f"{use.var}.{use.property}"
        case ReturnItem(value=VariableUse() as use):
            return use.name
        case ReturnItem(value=AggregateUse(function=function, argument=PropertyUse() as use)):
            return f"{function}({use.var}.{use.property})"
        case _:
            return "count"


def variables(clauses: tuple[Clause, ...], scope: Scope) -> list[str]:
    """Returns the bound variables as ties are broken: nodes, edges, then those of optional blocks."""
    nodes: dict[str, None] = {}
    edges: dict[str, None] = {}
    inner: list[str] = []
    for clause in clauses:
        match clause:
            case BindingClause():
                nodes.setdefault(clause.var.name)
            case TraversalClause():
                ends = (clause.left.name, clause.right.name)
                nodes |= dict.fromkeys(name for name in ends if name not in inner)
                if clause.edge_var is not None:
                    edges.setdefault(clause.edge_var.name)
            case OptionalClause():
                inner += variables(clause.clauses, scope)
            case _:
                pass
    nodes.pop(ANONYMOUS, None)
    return [v for v in dict.fromkeys([*nodes, *edges, *inner]) if v in scope]


def _joined(types: list[PropertyType]) -> PropertyType:
    """Returns the type of a list literal's members: with a float among them all are."""
    for type_ in types:
        if type_.scalar not in BOUNDS:
            return type_
    return types[0]


def _same(value: Raw) -> Raw:
    """Returns what equal values have in common."""
    return value.id if isinstance(value, Entity) else value


def _sortable(value: Raw) -> Any:
    return rank(_same(value))
