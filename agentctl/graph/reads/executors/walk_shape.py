"""Which queries are walks: from known nodes along edges to nodes of which only ids are asked. Pure.

A walk begins at the nodes of one key or of a list of keys, and every traversal leads from what is
bound to a node that is not. It tests nothing else, shows ids (or the keys that are ids) or one count,
and orders by them. So it needs nothing but ids and adjacencies.
"""

from collections.abc import Mapping

import msgspec

from agentctl.languages.query.plan import (
    Aggregate,
    CheckedQuery,
    Condition,
    EntityRef,
    Filter,
    Membership,
    MetadataRef,
    ParamRef,
    Pattern,
    Projectable,
    PropertyRef,
    Traversal,
    Value,
)
from agentctl.languages.schema.ir import SchemaIr
from agentctl.languages.schema.types import Scalar


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One traversal, from the end that is bound to the one that is not."""

    near: str
    far: str
    edge_types: tuple[str, ...]
    forward: bool
    undirected: bool
    hops: tuple[int, int]


class Walk(msgspec.Struct, frozen=True, kw_only=True):
    """A query that is a walk."""

    start: str
    starts: Value | ParamRef
    """A key, or a list of keys."""
    steps: tuple[Step, ...]
    """In the order in which they can be taken."""
    types: Mapping[str, str]
    """The node type of each variable, in order of first appearance."""
    shown: tuple[str, ...]
    """The variable of each output; none where the rows are counted."""
    order: tuple[tuple[str, bool], ...]
    """Variables to order by, and whether descending; ties included."""
    distinct: bool


def walk_of(query: CheckedQuery, ir: SchemaIr) -> Walk | None:
    """Returns the walk that *query* is, or None where it is more or other than that."""
    pattern = query.pattern
    types = {b.var: b.type_name for b in pattern.bindings}
    if pattern.negations or pattern.optionals or query.mutations:
        return None
    begun = _start(pattern, types, ir)
    if begun is None or any(ir.type_named("node", name) is None for name in types.values()):
        return None
    start, starts = begun
    steps = _steps(pattern, start, ir)
    if steps is None or {start, *(s.far for s in steps)} != set(types):
        return None
    shown = _shown(query, types, ir)
    order = None if shown is None else _order(query, shown, types, ir)
    if shown is None or order is None:
        return None
    return Walk(
        start=start,
        starts=starts,
        steps=steps,
        types=types,
        shown=shown,
        order=order,
        distinct=query.distinct,
    )


def _start(
    pattern: Pattern, types: Mapping[str, str], ir: SchemaIr
) -> tuple[str, Value | ParamRef] | None:
    """Returns the variable whose key is known, and its value; that must be the only test."""
    if len(pattern.filters) != 1:
        return None
    found = _known(pattern.filters[0])
    if found is None:
        return None
    ref, value = found
    var = _id_of(ref, types, ir)
    return None if var is None else (var, value)


def _known(test: Condition) -> tuple[Projectable, Value | ParamRef] | None:
    match test:
        case Filter(comparison="=", left=left, right=Value() | ParamRef() as right):
            if not isinstance(left, PropertyRef | MetadataRef):
                return None
            return None if right.type.list else (left, right)
        case Membership(operand=PropertyRef() | MetadataRef() as left, values=values):
            return left, values
        case _:
            return None


def _id_of(value: Projectable | None, types: Mapping[str, str], ir: SchemaIr) -> str | None:
    """Returns the variable whose id *value* is, or None: ``@id``, or a key of one String."""
    if isinstance(value, MetadataRef):
        return value.var if value.name == "id" and value.var in types else None
    if not isinstance(value, PropertyRef) or value.var not in types:
        return None
    owner = ir.type_named("node", types[value.var])
    if owner is None or owner.key != (value.property,):
        return None
    key = next((p for p in owner.properties if p.name == value.property), None)
    return value.var if key is not None and key.scalar == Scalar.STRING.value else None


def _steps(pattern: Pattern, start: str, ir: SchemaIr) -> tuple[Step, ...] | None:
    """Returns every traversal as a step to a new variable, or None where one closes a circle."""
    left = list(pattern.traversals)
    bound = {start}
    found: list[Step] = []
    while left:
        following = next((t for t in left if t.source in bound or t.target in bound), None)
        if following is None:
            return None
        left.remove(following)
        step = _step(following, bound, ir)
        if not _meets(following, pattern, ir):
            return None
        if step is None:
            return None
        bound.add(step.far)
        found.append(step)
    return tuple(found)


def _meets(given: Traversal, pattern: Pattern, ir: SchemaIr) -> bool:
    """Returns whether edges lead from and to the types that the query was checked with."""
    types = {b.var: b.type_name for b in pattern.bindings}
    ends = {(types.get(given.source or ""), types.get(given.target or ""))}
    edges = (ir.type_named("edge", name) for name in (given.edge_type, *given.alternatives))
    return ends == {(e.source, e.target) for e in edges if e is not None}


def _step(given: Traversal, bound: set[str], ir: SchemaIr) -> Step | None:
    edges = (given.edge_type, *given.alternatives)
    if given.edge_var is not None or given.source is None or given.target is None:
        return None
    if any(ir.type_named("edge", name) is None for name in edges):
        return None
    forward = given.source in bound
    near, far = (given.source, given.target) if forward else (given.target, given.source)
    if far in bound:
        return None
    return Step(
        near=near,
        far=far,
        edge_types=edges,
        forward=forward,
        undirected=given.undirected,
        hops=given.hops,
    )


def _shown(query: CheckedQuery, types: Mapping[str, str], ir: SchemaIr) -> tuple[str, ...] | None:
    """Returns the variable of each output; nothing where all of them count the rows."""
    if query.aggregates:
        plain = not query.distinct and not query.order
        return () if plain and all(_counts(o.value, types) for o in query.outputs) else None
    shown = [_id_of(output.value, types, ir) for output in query.outputs]
    return None if None in shown else tuple(var for var in shown if var is not None)


def _counts(value: Projectable, types: Mapping[str, str]) -> bool:
    if not isinstance(value, Aggregate) or value.function != "count":
        return False
    of = value.argument
    return isinstance(of, EntityRef | MetadataRef) and of.var in types


def _order(
    query: CheckedQuery, shown: tuple[str, ...], types: Mapping[str, str], ir: SchemaIr
) -> tuple[tuple[str, bool], ...] | None:
    order: dict[str, bool] = {}
    for item in query.order:
        var = shown[item.output] if item.output is not None else _id_of(item.property, types, ir)
        if var is None:
            return None
        order.setdefault(var, item.descending)
    for var in shown if query.distinct else types:
        order.setdefault(var, False)
    return tuple(order.items())
