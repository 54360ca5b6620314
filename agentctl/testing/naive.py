"""What a checked query means, computed in the plainest way: an oracle for the graph engine.

Every combination of entities is tried; nothing is indexed, pushed down or joined. It shares no
code with the engine but the plan it reads and the spelling of values in replies.
Source: languages 2.2, 2.7, 3.2.
"""

import math
import struct
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Any, TypeAlias

import msgspec

from agentctl.graph.values import json_value
from agentctl.languages.query.plan import (
    Aggregate,
    CheckedQuery,
    EntityRef,
    Filter,
    Operand,
    OrderItem,
    Output,
    ParamRef,
    PropertyRef,
    Traversal,
    Value,
)
from agentctl.languages.schema.ir import IrType, SchemaIr
from agentctl.languages.schema.types import Scalar
from agentctl.testing.naive_runs import beyond

Raw: TypeAlias = Any
"""A value as it is stored, or None; the checker knows which comparisons make sense."""

_COMPARE: dict[str, Callable[[Raw, Raw], bool]] = {
    "=": lambda a, b: bool(a == b),
    "!=": lambda a, b: bool(a != b),
    "<": lambda a, b: bool(a < b),
    "<=": lambda a, b: bool(a <= b),
    ">": lambda a, b: bool(a > b),
    ">=": lambda a, b: bool(a >= b),
    "contains": lambda a, b: b in a,
    "starts_with": lambda a, b: bool(a.startswith(b)),
}

Env = dict[str, str]
"""The entity each variable stands for."""


class Entity(msgspec.Struct, frozen=True, kw_only=True):
    """A row of a node or edge type; values by column."""

    id: str
    values: Mapping[str, Any]
    src: str = ""
    dst: str = ""


Group: TypeAlias = tuple[tuple[Raw, ...], list[tuple[Raw, object]]]
"""A group's key, and each output's raw and shown value."""

Tables = Mapping[str, Mapping[str, Entity]]
"""Entities by type id, then by id."""


class SumOutOfRangeError(Exception):
    """An integer sum is beyond 2^53."""


class Naive:
    """One graph, ready to be asked."""

    def __init__(self, ir: SchemaIr, tables: Tables) -> None:
        self._ir = ir
        self._tables = tables

    def rows(
        self, query: CheckedQuery, params: Mapping[str, Any], *, limit: int | None = None
    ) -> list[dict[str, object]]:
        """Returns the rows of the reply.

        Raises:
            SumOutOfRangeError: a sum would have to be rounded.
        """
        assert not beyond(query), "what is beyond this has no answer here"
        run = _Run(self._ir, self._tables, query, params)
        found = run.grouped() if query.aggregates else run.plain()
        bounds = [b for b in (limit, query.limit) if isinstance(b, int)]
        return found[: min(bounds)] if bounds else found


class _Run:
    def __init__(
        self, ir: SchemaIr, tables: Tables, query: CheckedQuery, params: Mapping[str, Any]
    ) -> None:
        self._tables = tables
        self._query = query
        self._params = params
        self._tests = [test for test in query.pattern.filters if isinstance(test, Filter)]
        self._types: dict[str, IrType] = {}
        for binding in query.pattern.bindings:
            self._types[binding.var] = _named(ir, "node", binding.type_name)
        self._edges = {
            t.edge_type: _named(ir, "edge", t.edge_type) for t in query.pattern.traversals
        }
        for step in query.pattern.traversals:
            if step.edge_var is not None:
                self._types[step.edge_var] = self._edges[step.edge_type]

    def plain(self) -> list[dict[str, object]]:
        envs = list(self._matches())
        envs.sort(key=lambda env: [env[var] for var in self._types])
        for item in reversed(self._query.order):
            by = item.property
            if item.output is not None:
                wanted = self._query.outputs[item.output].value
                by = wanted if not isinstance(wanted, Aggregate) else None  # type: ignore[assignment]  # any operand
            envs.sort(key=lambda env: _rank(self._raw(env, by)), reverse=item.descending)
        return [{o.name: self._shown(o, env) for o in self._query.outputs} for env in envs]

    def grouped(self) -> list[dict[str, object]]:
        keys = [
            o.value for o in self._query.outputs if isinstance(o.value, PropertyRef | EntityRef)
        ]
        groups: dict[tuple[Any, ...], list[Env]] = {} if keys else {(): []}
        for env in self._matches():
            groups.setdefault(tuple(self._raw(env, key) for key in keys), []).append(env)
        rows = [(key, self._row_of(members)) for key, members in groups.items()]
        rows.sort(key=lambda row: [_rank(part) for part in row[0]])
        for item in reversed(self._query.order):
            rows.sort(
                key=lambda row: _rank(self._order_of(item, keys, row)), reverse=item.descending
            )
        return [
            {o.name: shown for o, (_, shown) in zip(self._query.outputs, row, strict=True)}
            for _, row in rows
        ]

    def _order_of(self, item: OrderItem, keys: list[PropertyRef | EntityRef], row: Group) -> Raw:
        key, outputs = row
        if item.output is not None:
            return outputs[item.output][0]
        assert isinstance(item.property, PropertyRef)
        return key[keys.index(item.property)]

    def _row_of(self, members: list[Env]) -> list[tuple[Any, object]]:
        """Returns each output's raw and shown value for one group."""
        row: list[tuple[Any, object]] = []
        for output in self._query.outputs:
            if isinstance(output.value, Aggregate):
                raw = self._aggregated(output.value, members)
                assert output.type is not None
                row.append((raw, json_value(output.type.scalar, raw)))
            else:
                env = members[0] if members else {}
                row.append((self._raw(env, output.value), self._shown(output, env)))
        return row

    def _aggregated(self, asked: Aggregate, members: list[Env]) -> Raw:
        values = [self._raw(env, asked.argument) for env in members]
        values = [v for v in values if v is not None]
        if asked.function == "count":
            return len(values)
        if not values:
            return None
        if asked.function in ("min", "max"):
            return min(values) if asked.function == "min" else max(values)
        if isinstance(values[0], int):
            total = sum(values)
            if asked.function == "avg":
                return total / len(values)
            if abs(total) > 2**53:
                raise SumOutOfRangeError
            return float(total)
        return math.fsum(values) / (len(values) if asked.function == "avg" else 1)

    def _matches(self) -> Iterator[Env]:
        nodes = [b.var for b in self._query.pattern.bindings]
        pools = [sorted(self._tables.get(self._types[var].id, {})) for var in nodes]
        for chosen in product(*pools):
            env = dict(zip(nodes, chosen, strict=True))
            for full in self._walked(env, list(self._query.pattern.traversals)):
                if all(self._holds(full, test) for test in self._tests):
                    yield full

    def _walked(self, env: Env, steps: list[Traversal]) -> Iterator[Env]:
        if not steps:
            yield env
            return
        step, rest = steps[0], steps[1:]
        for source, target, edge_id in self._walks(step):
            if step.source is not None and env[step.source] != source:
                continue
            if step.target is not None and env[step.target] != target:
                continue
            grown = env if step.edge_var is None else {**env, step.edge_var: edge_id}
            yield from self._walked(grown, rest)

    def _walks(self, step: Traversal) -> list[tuple[str, str, str]]:
        edges = self._tables.get(self._edges[step.edge_type].id, {}).values()
        if step.edge_var is not None:
            return [(e.src, e.dst, e.id) for e in edges]
        pairs = {(e.src, e.dst) for e in edges}
        low, high = step.hops
        edge = self._edges[step.edge_type]
        if low > 1 and edge.source != edge.target:
            return []
        if (low, high) == (1, 1):
            return [(a, b, "") for a, b in pairs]
        nodes = {end for pair in pairs for end in pair}
        return [
            (start, end, "")
            for start in nodes
            for end, distance in _distances(start, pairs, high).items()
            if low <= distance <= high
        ]

    def _holds(self, env: Env, test: Filter) -> bool:
        left, right = self._raw(env, test.left), self._raw(env, test.right)
        if left is None or right is None:
            return False
        left, right = _rounded(test.left, test.right, left, right)
        return _COMPARE[test.comparison](left, right)

    def _raw(self, env: Env, ref: Operand | EntityRef | None) -> Raw:
        match ref:
            case PropertyRef():
                owner = self._types[ref.var]
                column = next(p.column for p in owner.properties if p.name == ref.property)
                return self._tables[owner.id][env[ref.var]].values.get(column)
            case EntityRef():
                return env[ref.var]
            case Value():
                return ref.value
            case ParamRef():
                return self._params[ref.name]
            case _:
                return None

    def _shown(self, output: Output, env: Env) -> object:
        value = output.value
        assert not isinstance(value, Aggregate)
        if isinstance(value, EntityRef):
            owner = self._types[value.var]
            entity = self._tables[owner.id][env[value.var]]
            return {"@id": entity.id, "@type": owner.name} | {
                p.name: json_value(Scalar(p.scalar), entity.values.get(p.column))
                for p in owner.properties
            }
        assert output.type is not None
        return json_value(output.type.scalar, self._raw(env, value))


def _distances(start: str, pairs: set[tuple[str, str]], high: int) -> dict[str, int]:
    """Returns how far each node is, at least one edge; *start* itself by its shortest cycle."""
    found: dict[str, int] = {}
    edge_of = {start}
    for distance in range(1, high + 1):
        edge_of = {b for a, b in pairs if a in edge_of} - set(found)
        if not edge_of:
            break
        found |= dict.fromkeys(edge_of, distance)
    return found


def _rounded(left_ref: Operand, right_ref: Operand, left: Raw, right: Raw) -> tuple[Raw, Raw]:
    """A constant that meets an F32 property is rounded to F32."""
    if _is_f32(left_ref) and not isinstance(right_ref, PropertyRef):
        right = _f32(right)
    if _is_f32(right_ref) and not isinstance(left_ref, PropertyRef):
        left = _f32(left)
    return left, right


def _is_f32(ref: Operand) -> bool:
    return isinstance(ref, PropertyRef) and ref.type.scalar is Scalar.F32


def _f32(number: float) -> float:
    try:
        rounded: float = struct.unpack("f", struct.pack("f", number))[0]
    except OverflowError:
        return math.copysign(math.inf, number)
    return rounded


def _rank(value: Raw) -> tuple[bool, Raw]:
    return (value is not None, value)


def _named(ir: SchemaIr, kind: str, name: str) -> IrType:
    found = ir.type_named(kind, name)
    assert found is not None, f"no {kind} type {name}"
    return found
