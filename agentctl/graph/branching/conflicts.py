"""What two branches did to one graph that cannot both hold: the seven kinds of conflict, as values.

Source: graph-engine 5.
"""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.graph.values import shown
from agentctl.graph.violations import Rule
from agentctl.languages.schema.ir import IrType

ConflictKind = Literal[
    "DivergentInsert",
    "DivergentUpdate",
    "DeleteVsUpdate",
    "OrphanEdge",
    "UniqueViolation",
    "CardinalityViolation",
    "ValueConstraintViolation",
]

CONFLICT_COUNT_MAX: Final = 100
"""More are counted, and not listed."""

KIND_OF_RULE: Final[Mapping[Rule, ConflictKind]] = {
    "required": "ValueConstraintViolation",
    "enum": "ValueConstraintViolation",
    "range": "ValueConstraintViolation",
    "check": "ValueConstraintViolation",
    "finite": "ValueConstraintViolation",
    "key": "UniqueViolation",
    "unique": "UniqueViolation",
    "endpoint": "OrphanEdge",
    "orphan": "OrphanEdge",
    "cardinality": "CardinalityViolation",
}
"""What the merged graph may break of the schema, where neither branch does."""

_SAID: Final[Mapping[ConflictKind, str]] = {
    "DivergentInsert": "both branches inserted it, with different values",
    "DivergentUpdate": "both branches changed it, to different values",
    "DeleteVsUpdate": "one branch deleted what the other one changed",
    "OrphanEdge": "it would name a node that is not there",
    "UniqueViolation": "another one would have the same values",
    "CardinalityViolation": "it would have too few or too many edges",
    "ValueConstraintViolation": "its value would not be permitted",
}

_WAY_OUT: Final = (
    "Write what shall hold to one of the branches, so that both agree; then merge again."
)

Element = Literal["node", "edge"]
Side = Mapping[str, object]
"""One state of an entity: values by property as JSON shows them, of an edge also ``from`` and ``to``."""


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """One entity that cannot be as both branches want it."""

    kind: ConflictKind
    element: Element
    type: str
    """The type's name in the merged schema; for `CardinalityViolation` that of the edges."""
    id: str | None
    """The entity; for `CardinalityViolation` the node that the edges leave.

    None where only the number of the rows in question is known.
    """
    properties: tuple[str, ...] = ()
    """Those that differ or are not permitted, as the schema spells them, ``from`` and ``to`` of an edge."""
    base: Side | None
    """As it was where the branches parted; None where it was not there."""
    ours: Side | None
    """As it is on the branch that is merged into."""
    theirs: Side | None
    """As it is on the branch that is merged."""
    message: str = ""
    """One line that says what is wrong, where the kind and the values do not say all."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The conflicts of one merge."""

    listed: tuple[Conflict, ...] = ()
    """The first ones, by type and id."""
    count: int = 0
    """Of all of them."""


def element_of(ir_type: IrType) -> Element:
    """Returns whether the rows of a type are nodes or edges."""
    return "edge" if ir_type.kind == "edge" else "node"


def diagnostics_of(found: Found, path: str) -> tuple[Diagnostic, ...]:
    """Returns an error for each listed conflict, its kind as the rule, and one for the rest."""
    told = [
        error(
            "merge_conflict",
            path,
            _told(conflict),
            rule=conflict.kind,
            detail=_sides(conflict),
            remedy=_WAY_OUT,
        )
        for conflict in found.listed
    ]
    more = found.count - len(told)
    if more > 0:
        said = f"{more} more conflicts are not listed; {found.count} in all."
        told.append(error("merge_conflict", path, said))
    return tuple(told)


def _told(conflict: Conflict) -> str:
    if conflict.message:
        return f"{conflict.message}."
    which = f"{conflict.type} {shown(conflict.id)}"
    if conflict.properties:
        which += f" ({', '.join(conflict.properties)})"
    return f"{which}: {_SAID[conflict.kind]}."


def _sides(conflict: Conflict) -> str:
    sides = (("base", conflict.base), ("ours", conflict.ours), ("theirs", conflict.theirs))
    return "; ".join(f"{name}: {_side(side, conflict.properties)}" for name, side in sides)


def _side(side: Side | None, properties: tuple[str, ...]) -> str:
    if side is None:
        return "not there"
    wanted = {name: value for name, value in side.items() if not properties or name in properties}
    said = (f"{n} {'null' if v is None else shown(v)}" for n, v in wanted.items())
    return ", ".join(said) or "there"
