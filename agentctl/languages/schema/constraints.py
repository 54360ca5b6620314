"""Gathers the constraints of a type, those of single properties first, and checks them.

Rules: PG022 unknown property, PG023 more than one key, PG024 nullable key, PG025 property that
cannot be a key, unique or indexed, PG026 constraint that an edge has not, PG031 pattern, PG036
property that has no range or pattern. Source: languages 1.3, 1.4, 3.2.
"""

from typing import Final, cast

from agentctl.diagnostics.diagnostic import Related
from agentctl.languages.schema.annotations import COLUMN_ANNOTATIONS
from agentctl.languages.schema.findings import Findings, short_type
from agentctl.languages.schema.pattern import Pattern, Patterns
from agentctl.languages.schema.resolve import ENDPOINT_COLUMNS, Resolved
from agentctl.languages.schema.syntax import ConstraintName, ConstraintSyntax, Name, PropertySyntax
from agentctl.languages.schema.types import NUMERIC, PropertyType, Scalar

_DECLARE: Final = "Declare the property first."
_OF_NODES: Final = {
    "key": "an edge has no key: its ids are always generated",
    "range": "an edge has no `@range`",
    "check": "an edge has no `@check`",
}


def property_constraints(declared: Resolved) -> tuple[ConstraintSyntax, ...]:
    """Returns the constraints that stand behind single properties, as the body would say them."""
    found: list[ConstraintSyntax] = []
    for member in declared.members.values():
        seen: set[str] = set()
        for annotation in member.property.annotations:
            name = annotation.name
            if name not in COLUMN_ANNOTATIONS or name in seen:
                continue
            seen.add(name)
            found.append(
                ConstraintSyntax(
                    name=cast("ConstraintName", name),
                    columns=(member.property.name,),
                    where=annotation.where,
                )
            )
    return tuple(found)


class ConstraintChecker:
    """Checks constraints; holds the patterns of a schema, each compiled once."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.patterns = Patterns()

    def check(self, declared: Resolved, on_properties: tuple[ConstraintSyntax, ...]) -> None:
        """Adds what is wrong with the constraints of a node or edge type."""
        of_edge = declared.syntax.kind == "edge"
        for constraint in on_properties:
            if of_edge and constraint.name == "key":
                continue  # the annotations' mistake
            self._column(declared, constraint, constraint.columns[0], bare=True)
        for constraint in declared.syntax.constraints:
            if of_edge and constraint.name in _OF_NODES:
                self._of_nodes(constraint)
                continue
            for column in constraint.columns:
                self._column(declared, constraint, column, bare=False)
            if constraint.pattern is not None:
                self.pattern(constraint)
        if not of_edge:
            everything = (*on_properties, *declared.syntax.constraints)
            self._one_key(declared, [c for c in everything if c.name == "key"])

    def pattern(self, constraint: ConstraintSyntax) -> Pattern | None:
        """Returns the compiled pattern of a `@check`, None where it is none, which is told."""
        assert constraint.pattern is not None
        found = self.patterns.compiled(str(constraint.pattern.value))
        if isinstance(found, Pattern):
            return found
        self.findings.mistake(
            found.rule, found.message, constraint.pattern.where, remedy=found.remedy
        )
        return None

    def _of_nodes(self, constraint: ConstraintSyntax) -> None:
        self.findings.mistake(
            "PG026",
            _OF_NODES[constraint.name],
            constraint.where,
            remedy="Take the `@key` out, or use `@unique`."
            if constraint.name == "key"
            else "Take it out; only properties of nodes are checked so.",
        )

    def _one_key(self, declared: Resolved, keys: list[ConstraintSyntax]) -> None:
        for second in keys[1:]:
            self.findings.mistake(
                "PG023",
                f"`{declared.syntax.name.text}` has more than one key",
                second.where,
                remedy="For a key of several properties, write `@key(a, b)` in the body once.",
                related=(Related(where=keys[0].where, message="first key"),),
            )

    def _column(
        self, declared: Resolved, constraint: ConstraintSyntax, column: Name, *, bare: bool
    ) -> None:
        member = declared.members.get(column.text)
        if member is None:
            self._unknown(declared, column)
            return
        property_ = member.property
        unfit = _unfit(property_.type, constraint.name, bare=bare)
        if unfit is not None:
            rule, reason, remedy = unfit
            message = f"`{column.text}` is {reason} and cannot stand in `@{constraint.name}`"
            where = constraint.where if bare else column.where
            self.findings.mistake(rule, message, where, remedy=remedy, related=_typed(property_))
        elif constraint.name == "key" and property_.type.nullable:
            self.findings.mistake(
                "PG024",
                f"the key `{column.text}` may not be null",
                column.where,
                remedy=f"Take the `?` off its type: `{column.text[:50]}: "
                f"{short_type(property_.type).rstrip('?')}`.",
                related=_typed(property_),
            )

    def _unknown(self, declared: Resolved, column: Name) -> None:
        on_endpoint = declared.syntax.kind == "edge" and column.text in ENDPOINT_COLUMNS
        if not declared.whole or on_endpoint:
            return
        remedy = None
        if column.text in ENDPOINT_COLUMNS:
            remedy = "`src` and `dst` are columns of edges; name a property of the node."
        self.findings.mistake(
            "PG022",
            f"`{declared.syntax.name.text}` has no property `{column.text}`",
            column.where,
            remedy=remedy
            or self.findings.meant(
                column.text, declared.members, otherwise=None if declared.members else _DECLARE
            ),
        )


def _typed(property_: PropertySyntax) -> tuple[Related, ...]:
    return (Related(where=property_.type_where, message=f"`{short_type(property_.type)}`"),)


def _unfit(type_: PropertyType, name: str, *, bare: bool) -> tuple[str, str, str] | None:
    """Returns rule, reason and remedy where a property of *type_* cannot stand in a constraint.

    *bare*: the annotation behind a property, which refuses lists that the body's form takes.
    """
    vector = type_.vector_dim is not None
    several = type_.list or vector
    if name == "range":
        fits = type_.scalar in NUMERIC and not several
        return None if fits else ("PG036", "no number", "A range bounds a numeric property.")
    if name == "check":
        fits = type_.scalar is Scalar.STRING and not several
        return None if fits else ("PG036", "no String", "A pattern checks a String property.")
    reason = None
    if type_.scalar is Scalar.BLOB:
        reason = "a Blob"
    elif type_.list and (bare or name == "key"):
        reason = "a list"
    elif vector and (name == "key" or (bare and name == "unique")):
        reason = "a vector"
    return ("PG025", reason, "Choose a property of a scalar type.") if reason else None
