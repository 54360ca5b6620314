"""What graphs of this release cannot hold: one list, which has shrunk to one bound.

The planner blocks what is on it, and the graph engine refuses it once more. It has nothing to do
with what is right in the language. Every migration step that the planner emits is carried out.
Source: ADR 7.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from agentctl.diagnostics.span import Span
from agentctl.languages.schema.types import Catalog, EdgeType, NodeType

VECTOR_DIM_MAX: Final = 65_536
"""Numbers of one vector; one row of a larger one would fill a batch of any size."""


class Unstorable(msgspec.Struct, frozen=True, kw_only=True):
    """One construct of a schema that no graph holds."""

    feature: str
    """What it is, e.g. ``the vector type Vector(100000)``."""
    owner: str
    """``Type`` or ``Type.property``."""
    where: Span


def unstorable(catalog: Catalog) -> tuple[Unstorable, ...]:
    """Returns what of *catalog* a graph cannot hold; empty where it can be created as it is.

    Interfaces are judged by what they give to nodes.
    """
    types: tuple[NodeType | EdgeType, ...] = (*catalog.nodes, *catalog.edges)
    return tuple(found for t in types for found in _of_type(t))


def _of_type(t: NodeType | EdgeType) -> Iterator[Unstorable]:
    for p in t.properties:
        if (p.type.vector_dim or 0) > VECTOR_DIM_MAX:
            feature = f"the vector type {p.type}, of more than {VECTOR_DIM_MAX:,} numbers"
            yield Unstorable(feature=feature, owner=f"{t.name}.{p.name}", where=p.where)
