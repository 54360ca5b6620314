"""Makes the catalog of declarations that hold no mistake. Source: languages 1.3."""

from collections.abc import Mapping

import msgspec
import rfc8785

from agentctl.languages.schema.annotations import UNDERSTOOD, embed_of, text_of, word_of
from agentctl.languages.schema.resolve import Declarations, Member, Resolved
from agentctl.languages.schema.syntax import (
    Annotation,
    ConstraintSyntax,
    Literal,
    Name,
    PropertySyntax,
)
from agentctl.languages.schema.types import (
    Cardinality,
    Catalog,
    Check,
    Constraint,
    Default,
    EdgeType,
    Index,
    InterfaceType,
    NodeType,
    Opaque,
    Property,
    Range,
    Unique,
)


class Ingredients(msgspec.Struct, frozen=True, kw_only=True):
    """What the checks have made of the declarations."""

    declarations: Declarations
    on_properties: Mapping[int, tuple[ConstraintSyntax, ...]]
    """Constraints behind single properties, by the `id` of the `Resolved`."""
    defaults: Mapping[int, Default]
    """By the `id` of the `PropertySyntax`."""


def catalog_of(ingredients: Ingredients) -> Catalog:
    """Returns the catalog, types in the order of the text."""
    maker = _Maker(ingredients)
    found = ingredients.declarations
    return Catalog(
        nodes=tuple(maker.node(n) for n in found.nodes.values()),
        edges=tuple(maker.edge(e) for e in found.edges.values()),
        interfaces=tuple(maker.interface(i) for i in found.interfaces.values()),
    )


def opaque_of(annotations: tuple[Annotation, ...]) -> tuple[Opaque, ...]:
    """Returns the annotations that are carried as they are, sorted."""
    if all(a.name in UNDERSTOOD for a in annotations):
        return ()
    found = (
        Opaque(
            name=a.name,
            value=_json_text(a.value),
            arguments=tuple(sorted((x.name.text, _json_text(x.value) or "") for x in a.arguments)),
        )
        for a in annotations
        if a.name not in UNDERSTOOD
    )
    return tuple(sorted(found, key=opaque_order))


def opaque_order(opaque: Opaque) -> tuple[object, ...]:
    """Returns what opaque annotations are sorted by: those without a value come first."""
    return (opaque.name, opaque.value or "", opaque.arguments)


def _json_text(value: Literal | Name | None) -> str | None:
    if value is None:
        return None
    plain = value.text if isinstance(value, Name) else value.value
    if isinstance(plain, int) and not isinstance(plain, bool):
        return str(plain)  # also beyond 2^53, where RFC 8785 ends
    return rfc8785.dumps(plain).decode()


def _renamed_from(annotations: tuple[Annotation, ...]) -> str | None:
    return next((word_of(a) for a in annotations if a.name == "rename_from"), None)


class _Maker:
    def __init__(self, ingredients: Ingredients) -> None:
        self.ingredients = ingredients
        self.written: dict[int, Property] = {}
        """Each declared property, by the `id` of its syntax: inherited ones are made once."""

    def node(self, declared: Resolved) -> NodeType:
        key, indexed, constraints = self._constraints(declared)
        syntax = declared.syntax
        return NodeType(
            name=syntax.name.text,
            properties=self._properties(declared, indexed),
            key=key,
            implements=tuple(dict.fromkeys(n.text for n in syntax.implements)),
            constraints=constraints,
            description=text_of(syntax.annotations, "description"),
            instruction=text_of(syntax.annotations, "instruction"),
            opaque=opaque_of(syntax.annotations),
            renamed_from=_renamed_from(syntax.annotations),
            where=syntax.name.where,
        )

    def edge(self, declared: Resolved) -> EdgeType:
        _, indexed, constraints = self._constraints(declared)
        syntax = declared.syntax
        assert syntax.source is not None
        assert syntax.target is not None
        bounds = syntax.cardinality
        return EdgeType(
            name=syntax.name.text,
            source=syntax.source.text,
            target=syntax.target.text,
            properties=self._properties(declared, indexed),
            cardinality=Cardinality(minimum=bounds.minimum, maximum=bounds.maximum)
            if bounds
            else Cardinality(),
            constraints=constraints,
            description=text_of(syntax.annotations, "description"),
            instruction=text_of(syntax.annotations, "instruction"),
            opaque=opaque_of(syntax.annotations),
            renamed_from=_renamed_from(syntax.annotations),
            where=syntax.name.where,
        )

    def interface(self, declared: Resolved) -> InterfaceType:
        key, indexed, constraints = self._constraints(declared)
        return InterfaceType(
            name=declared.syntax.name.text,
            properties=self._properties(declared, indexed),
            constraints=constraints,
            key=key,
            where=declared.syntax.name.where,
        )

    def _constraints(
        self, declared: Resolved
    ) -> tuple[tuple[str, ...], frozenset[str], tuple[Constraint, ...]]:
        """Returns the key, the properties that are indexed alone, and the other constraints."""
        key: tuple[str, ...] = ()
        indexed: set[str] = set()
        found: dict[object, Constraint] = {}
        on_properties = self.ingredients.on_properties[id(declared)]
        for written in (*on_properties, *declared.syntax.constraints):
            if written.name == "key":
                key = tuple(dict.fromkeys(c.text for c in written.columns))
                continue
            constraint = _constraint(written)
            if isinstance(constraint, Index) and len(constraint.columns) == 1:
                indexed.add(constraint.columns[0])
            found.setdefault(_without_place(constraint), constraint)
        return key, frozenset({*indexed, *key}), tuple(found.values())

    def _properties(self, declared: Resolved, indexed: frozenset[str]) -> tuple[Property, ...]:
        return tuple(
            self._property(m, indexed=m.property.name.text in indexed)
            for m in declared.members.values()
        )

    def _property(self, member: Member, *, indexed: bool) -> Property:
        written = self.written.get(id(member.property))
        if written is None:
            written = self.written[id(member.property)] = self._written(member.property)
        if member.own and not member.inherited_from and not indexed:
            return written
        return msgspec.structs.replace(
            written,
            indexed=indexed,
            inherited_from=tuple(sorted(member.inherited_from)),
            own=member.own,
        )

    def _written(self, declared: PropertySyntax) -> Property:
        name, annotations = declared.name, declared.annotations
        default = self.ingredients.defaults.get(id(declared))
        if not annotations:
            return Property(name=name.text, type=declared.type, default=default, where=name.where)
        return Property(
            name=name.text,
            type=declared.type,
            default=default,
            embed=embed_of(declared),
            description=text_of(annotations, "description"),
            opaque=opaque_of(annotations),
            renamed_from=_renamed_from(annotations),
            where=name.where,
        )


def _constraint(written: ConstraintSyntax) -> Constraint:
    first = written.columns[0].text
    columns = tuple(sorted({c.text for c in written.columns}))
    match written.name:
        case "unique":
            return Unique(columns=columns, where=written.where)
        case "range":
            assert written.bounds is not None
            return Range(
                property=first,
                minimum=written.bounds.minimum,
                maximum=written.bounds.maximum,
                where=written.where,
            )
        case "check":
            assert written.pattern is not None
            return Check(property=first, pattern=str(written.pattern.value), where=written.where)
        case _:
            return Index(columns=columns, where=written.where)


def _without_place(constraint: Constraint) -> object:
    match constraint:
        case Unique():
            return ("unique", constraint.columns)
        case Index():
            return ("index", constraint.columns)
        case Range():
            return ("range", constraint.property, constraint.minimum, constraint.maximum)
        case Check():
            return ("check", constraint.property, constraint.pattern)
