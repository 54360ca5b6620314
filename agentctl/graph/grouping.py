"""Aggregates: rows grouped by the outputs that are none, in a total order. Source: languages 2.2, 3.2.

Sums are exact: integers as integers, refused beyond 2^53, and floats rounded once, so that the
order of the rows never shows in a result.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

from agentctl.diagnostics.diagnostic import error
from agentctl.graph.matching import Matcher, unfit
from agentctl.graph.port import GraphError
from agentctl.graph.replies import Entities, shown_values
from agentctl.languages.query.plan import (
    Aggregate,
    AggregateName,
    CheckedQuery,
    EntityRef,
    MetadataRef,
    OrderItem,
    Output,
    ParamRef,
    PropertyRef,
    Value,
)

SUM_MAX: Final = 1 << 53

Key = PropertyRef | EntityRef
Argument = Key | MetadataRef | Value | ParamRef
Group = tuple[object, ...]


def group_rows(
    matcher: Matcher, query: CheckedQuery, params: Mapping[str, object], *, limit: int | None
) -> list[list[object]]:
    """Returns the columns of the reply."""
    groups = _Groups(matcher, query, params)
    order = sorted(range(len(groups.keys)), key=lambda at: _rank_all(groups.keys[at]))
    for item in reversed(query.order):
        values = groups.ordering(item)
        if values is not None:
            order.sort(key=lambda at: _rank(values[at]), reverse=item.descending)
    kept = order[:limit]
    return [groups.shown(output, kept) for output in query.outputs]


class _Groups:
    """The groups of a query, with their keys and aggregated values."""

    def __init__(self, matcher: Matcher, query: CheckedQuery, params: Mapping[str, object]) -> None:
        self._matcher = matcher
        self._query = query
        self._params = params
        self._keyed: list[Key] = list(
            dict.fromkeys(
                o.value for o in query.outputs if isinstance(o.value, PropertyRef | EntityRef)
            )
        )
        self._aggregates = list(
            dict.fromkeys(o.value for o in query.outputs if isinstance(o.value, Aggregate))
        )
        self.keys: list[Group] = []
        self._values: list[Group] = []
        self._fill(matcher.rows())

    def ordering(self, item: OrderItem) -> list[object] | None:
        """Returns the values to order the groups by, or None for a constant."""
        by = item.property if item.output is None else self._query.outputs[item.output].value
        return None if by is None else self._of(by)

    def shown(self, output: Output, kept: Sequence[int]) -> list[object]:
        """Returns a column of the reply, for the groups *kept*."""
        value = output.value
        if isinstance(value, Value):
            return shown_values(output, [value.value] * len(kept))
        if isinstance(value, ParamRef):
            return shown_values(output, [self._params[value.name]] * len(kept))
        values = self._of(value)
        assert values is not None
        picked = [values[at] for at in kept]
        if isinstance(value, EntityRef):
            table = pa.table({value.var: pa.chunked_array([pa.array(picked, pa.utf8())])})
            return Entities(self._matcher, value.var).shown(table)
        return shown_values(output, picked)

    def _of(self, value: object) -> list[object] | None:
        if isinstance(value, Aggregate):
            at = self._aggregates.index(value)
            return [group[at] for group in self._values]
        if isinstance(value, PropertyRef | EntityRef):
            if value not in self._keyed:
                raise unfit(missing="such group key")
            at = self._keyed.index(value)
            return [group[at] for group in self.keys]
        return None

    def _fill(self, table: pa.Table) -> None:
        arguments = [self._column(table, a.argument) for a in self._aggregates]
        rows: dict[Group, list[int]] = {}
        keys = [self._column(table, key) for key in self._keyed]
        if not keys:
            rows[()] = list(range(table.num_rows))
        for at, key in enumerate(zip(*keys, strict=True)):
            rows.setdefault(key, []).append(at)
        for key, members in rows.items():
            self.keys.append(key)
            self._values.append(
                tuple(
                    aggregate(a.function, [v for at in members if (v := column[at]) is not None])
                    for a, column in zip(self._aggregates, arguments, strict=True)
                )
            )

    def _column(self, table: pa.Table, ref: Argument) -> list[object]:
        assert not isinstance(ref, MetadataRef), "a query is runnable before it runs"
        if isinstance(ref, Value):
            return [ref.value] * table.num_rows
        if isinstance(ref, ParamRef):
            return [self._params[ref.name]] * table.num_rows
        found = table[ref.var] if isinstance(ref, EntityRef) else self._matcher.column(table, ref)
        values: list[object] = found.to_pylist()
        return values


def aggregate(function: AggregateName, values: Sequence[Any]) -> object:
    """Returns the aggregate of the values that are not null; None where there are none to take.

    Raises:
        GraphError: an integer sum is beyond 2^53.
    """
    if function == "count":
        return len(values)
    return _FOLDS[function](values) if values else None


def _sum(values: Sequence[int | float]) -> float:
    if isinstance(values[0], int):
        total = sum(values)
        if abs(total) > SUM_MAX:
            raise _out_of_range(int(total))
        return float(total)
    return _float_sum(values)


def _average(values: Sequence[int | float]) -> float:
    if isinstance(values[0], int):
        return sum(values) / len(values)
    return _float_sum(values) / len(values)


def _float_sum(values: Sequence[float]) -> float:
    try:
        return math.fsum(values)
    except OverflowError:
        return sum(values)


_FOLDS: Final[dict[str, Callable[[Sequence[Any]], object]]] = {
    "sum": _sum,
    "avg": _average,
    "min": min,
    "max": max,
}


def _rank(value: object) -> tuple[bool, Any]:
    """Returns what sorts null before every value."""
    return (value is not None, value)


def _rank_all(group: Group) -> tuple[tuple[bool, Any], ...]:
    return tuple(_rank(value) for value in group)


def _out_of_range(total: int) -> GraphError:
    return GraphError(
        error(
            "sum_out_of_range",
            "query",
            f"A sum of integers is {total}, beyond 2^53, and would have to be rounded.",
            remedy="Sum fewer rows, or return avg and count instead.",
        )
    )
