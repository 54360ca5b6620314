"""What graphs of this release cannot hold, and which migration steps they cannot carry out.

This is the one list: the planner blocks what is on it, and the graph engine refuses it once more.
It shrinks with the engine and has nothing to do with what is right in the language. Source: ADR 7.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from agentctl.diagnostics.span import Span
from agentctl.languages.schema.types import (
    Cardinality,
    Catalog,
    EdgeType,
    NodeType,
    Property,
    Scalar,
    Unique,
)


class Unstorable(msgspec.Struct, frozen=True, kw_only=True):
    """One construct of a schema that no graph holds yet."""

    feature: str
    """What it is, e.g. ``the list type [String]``."""
    owner: str
    """``Type`` or ``Type.property``."""
    where: Span


def unstorable(catalog: Catalog) -> tuple[Unstorable, ...]:
    """Returns what of *catalog* a graph cannot hold; empty where it can be created as it is.

    Interfaces are judged by what they give to nodes.
    """
    types: tuple[NodeType | EdgeType, ...] = (*catalog.nodes, *catalog.edges)
    return tuple(found for t in types for found in _of_type(t))


def unperformable(step: Mapping[str, object]) -> str | None:
    """Returns why graphs cannot carry out a migration step yet; None where they can."""
    reason = _NOT_CARRIED_OUT.get(str(step["kind"]))
    if reason is not None:
        return reason
    needs = step.get("needs")
    for need in needs if isinstance(needs, list | tuple) else ():
        if isinstance(need, Mapping) and need.get("rows") in _NOT_JUDGED:
            return _NOT_JUDGED[str(need["rows"])]
    return None


_NOT_CARRIED_OUT: Final = {
    "widen_property": "a column cannot be given a wider type yet",
}
"""By kind of step."""

_NOT_JUDGED: Final = {
    "are_unique": "rows cannot be looked through for repeated values yet",
    "leave_each_source": "the edges of each node cannot be counted yet",
}
"""By what a step needs of the rows that are there."""


def _of_type(t: NodeType | EdgeType) -> Iterator[Unstorable]:
    for p in t.properties:
        feature = _of_property(p)
        if feature is not None:
            yield Unstorable(feature=feature, owner=f"{t.name}.{p.name}", where=p.where)
    for constraint in t.constraints:
        if isinstance(constraint, Unique):
            feature = f"@unique({', '.join(constraint.columns)})"
            yield Unstorable(feature=feature, owner=t.name, where=constraint.where)
    if isinstance(t, EdgeType) and t.cardinality != Cardinality():
        yield Unstorable(feature="@card", owner=t.name, where=t.where)


def _of_property(p: Property) -> str | None:
    if p.type.list:
        return f"the list type {p.type}"
    if p.type.vector_dim is not None:
        return f"the vector type {p.type}"
    if p.type.scalar is Scalar.BLOB:
        return f"the type {p.type}"
    return None
