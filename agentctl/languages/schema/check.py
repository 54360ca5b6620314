"""Asks whether the declarations of a `.pg` file make sense together, and makes the catalog of them.

Rules: PG020 property declared twice, PG021 reserved property name, PG022 unknown property in a
constraint, PG023 more than one key, PG024 nullable key, PG025 property that cannot be a key or
indexed, PG026 key on an edge, PG027 annotation in a wrong place, PG028 annotation given twice,
PG029 value of an annotation. Contradictions between declarations (`schema_catalog_error`): PG040
node type declared twice, PG041 edge type declared twice, PG042 unknown endpoint, PG043 edge names
equal but for case. Source: languages 1.3, 1.4, 3.2.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from agentctl.diagnostics.diagnostic import Related, error
from agentctl.diagnostics.span import Span
from agentctl.languages.schema.syntax import (
    Annotation,
    ConstraintSyntax,
    Name,
    PropertySyntax,
    SchemaSyntax,
    TypeSyntax,
)
from agentctl.languages.schema.types import (
    Catalog,
    EdgeType,
    NodeType,
    Property,
    PropertyType,
    Scalar,
)
from agentctl.languages.text.report import Report
from agentctl.languages.text.suggest import did_you_mean

RESERVED: Final = frozenset(
    {"_rowid", "_rowaddr", "_rowoffset", "_row_created_at_version", "_row_last_updated_at_version"}
)
"""Column names of the storage format."""
ENDPOINT_COLUMNS: Final = frozenset({"src", "dst"})


def check_schema(syntax: SchemaSyntax, report: Report) -> Catalog:
    """Returns the catalog of *syntax*; it is meaningful only while *report* holds no error."""
    return _SchemaChecker(syntax, report).catalog()


def constraints_of(declared: TypeSyntax) -> tuple[ConstraintSyntax, ...]:
    """Returns the constraints of a type, those on single properties first."""
    on_properties = tuple(
        ConstraintSyntax(
            name="key" if annotation.name == "key" else "index",
            columns=(p.name,),
            where=annotation.where,
        )
        for p in declared.properties
        for annotation in p.annotations
        if annotation.name in {"key", "index"}
    )
    return on_properties + declared.constraints


class _SchemaChecker:
    def __init__(self, syntax: SchemaSyntax, report: Report) -> None:
        self.types = syntax.types
        self.report = report
        self.nodes: dict[str, TypeSyntax] = {}
        self.edges: dict[str, TypeSyntax] = {}
        self.folded_edges: dict[str, TypeSyntax] = {}
        """By name in lower case, which is how queries find them."""

    def catalog(self) -> Catalog:
        for declared in self.types:
            self._declare(declared)
        for declared in self.types:
            self._type(declared)
        return Catalog(
            nodes=tuple(_node_type(t) for t in self.nodes.values()),
            edges=tuple(_edge_type(t) for t in self.edges.values()),
        )

    def _declare(self, declared: TypeSyntax) -> None:
        """Registers the name; the first declaration of a name wins."""
        name = declared.name
        known = self.nodes if declared.kind == "node" else self.edges
        first = known.get(name.text)
        if first is not None:
            rule = "PG040" if declared.kind == "node" else "PG041"
            message = f"the {declared.kind} type `{name.text}` is declared twice"
            self._contradiction(
                rule,
                message,
                name.where,
                remedy="Rename or remove one of them.",
                related=_earlier(first.name),
            )
            return
        known[name.text] = declared
        if declared.kind == "node":
            return
        clash = self.folded_edges.setdefault(name.text.lower(), declared)
        if clash is not declared:
            self._contradiction(
                "PG043",
                f"the edge types `{clash.name.text}` and `{name.text}` differ in case only",
                name.where,
                detail="Queries spell edges without regard to case, so they could not tell them apart.",
                remedy="Rename one of them.",
                related=_earlier(clash.name),
            )

    def _type(self, declared: TypeSyntax) -> None:
        for endpoint in (declared.source, declared.target):
            if endpoint is not None and endpoint.text not in self.nodes:
                self._contradiction(
                    "PG042",
                    f"there is no node type `{endpoint.text}`",
                    endpoint.where,
                    remedy=self._meant(
                        endpoint.text, self.nodes, otherwise=f"Declare `node {endpoint.text[:50]}`."
                    ),
                )
        self._annotations(declared.annotations, on=declared.kind)
        self._properties(declared)
        self._constraints(declared)

    def _properties(self, declared: TypeSyntax) -> None:
        seen: dict[str, PropertySyntax] = {}
        for property_ in declared.properties:
            name = property_.name
            if name.text in seen:
                self._mistake(
                    "PG020",
                    f"`{declared.name.text}` declares the property `{name.text}` twice",
                    name.where,
                    remedy="Rename or remove one of them.",
                    related=_earlier(seen[name.text].name),
                )
            seen.setdefault(name.text, property_)
            self._property_name(name, declared.kind)
            self._annotations(property_.annotations, on="property")

    def _property_name(self, name: Name, kind: str) -> None:
        if name.text in RESERVED:
            reason = "a column of the storage format"
        elif name.text == "id":
            reason = "the identity that every node and edge has"
        elif kind == "edge" and name.text in ENDPOINT_COLUMNS:
            reason = "an endpoint of the edge"
        else:
            return
        self._mistake(
            "PG021",
            f"a property cannot be named `{name.text}`: that is {reason}",
            name.where,
            remedy="Give it another name.",
        )

    def _annotations(self, annotations: tuple[Annotation, ...], *, on: str) -> None:
        seen: dict[str, Annotation] = {}
        for annotation in annotations:
            first = seen.setdefault(annotation.name, annotation)
            if first is not annotation:
                self._mistake(
                    "PG028",
                    f"`@{annotation.name}` is given twice",
                    annotation.where,
                    remedy="Keep one of them.",
                    related=(Related(where=first.where, message="first given here"),),
                )
            if annotation.name in {"key", "index"}:
                self._bare(annotation, on)
            else:
                self._text(annotation, on)

    def _bare(self, annotation: Annotation, on: str) -> None:
        """Checks ``@key`` and ``@index``, which stand on a property without a value."""
        if on != "property":
            self._mistake(
                "PG027",
                f"`@{annotation.name}` stands on a property or in the body, not on a type",
                annotation.where,
                remedy=f"Put `@{annotation.name}` behind a property, "
                f"or `@{annotation.name}(a, b)` into the body.",
            )

    def _text(self, annotation: Annotation, on: str) -> None:
        """Checks ``@description`` and ``@instruction``, which take one text."""
        if on == "property" and annotation.name == "instruction":
            self._mistake(
                "PG027",
                "`@instruction` stands on a node or edge type, not on a property",
                annotation.where,
                remedy="Use `@description` here.",
            )
        if not isinstance(annotation.value, str) or not annotation.value.strip():
            self._mistake(
                "PG029",
                f"`@{annotation.name}` takes one text that is not blank",
                annotation.where,
                remedy=f'Write `@{annotation.name}("…")`.',
            )

    def _constraints(self, declared: TypeSyntax) -> None:
        known: dict[str, PropertySyntax] = {}
        for property_ in declared.properties:
            known.setdefault(property_.name.text, property_)
        keys: list[ConstraintSyntax] = []
        for constraint in constraints_of(declared):
            if constraint.name == "key":
                keys.append(constraint)
                if declared.kind == "edge":
                    self._mistake(
                        "PG026",
                        "an edge has no key: its ids are always generated",
                        constraint.where,
                        remedy="Take the `@key` out, or use `@index`.",
                    )
                    continue
            for column in constraint.columns:
                self._column(declared, constraint, column, known)
        for second in keys[1:] if declared.kind == "node" else ():
            self._mistake(
                "PG023",
                f"`{declared.name.text}` has more than one key",
                second.where,
                remedy="For a key of several properties, write `@key(a, b)` in the body once.",
                related=(Related(where=keys[0].where, message="first key"),),
            )

    def _column(
        self,
        declared: TypeSyntax,
        constraint: ConstraintSyntax,
        column: Name,
        known: dict[str, PropertySyntax],
    ) -> None:
        if column.text not in known:
            on_endpoint = declared.kind == "edge" and column.text in ENDPOINT_COLUMNS
            if declared.whole and not on_endpoint:
                self._mistake(
                    "PG022",
                    f"`{declared.name.text}` has no property `{column.text}`",
                    column.where,
                    remedy=self._meant(column.text, known),
                )
            return
        property_ = known[column.text]
        unfit = _unfit(property_.type, constraint.name)
        related = (Related(where=property_.type_where, message=f"`{property_.type}`"),)
        if unfit is not None:
            self._mistake(
                "PG025",
                f"`{column.text}` is {unfit} and cannot stand in `@{constraint.name}`",
                column.where,
                remedy="Choose a property of a scalar type.",
                related=related,
            )
        if constraint.name == "key" and property_.type.nullable:
            self._mistake(
                "PG024",
                f"the key `{column.text}` may not be null",
                column.where,
                remedy=f"Take the `?` off its type: `{column.text[:50]}: "
                f"{str(property_.type).rstrip('?')}`.",
                related=related,
            )

    def _meant(
        self, name: str, known: Iterable[str], *, otherwise: str | None = None
    ) -> str | None:
        """Returns a suggestion while it will be shown; it is the dearest part of a mistake."""
        return None if self.report.full else did_you_mean(name, known, otherwise=otherwise)

    def _mistake(self, rule: str, message: str, where: Span, **more: object) -> None:
        self.report.add(
            error("schema_parse_error", where.file, message, rule=rule, where=where, **more)
        )

    def _contradiction(self, rule: str, message: str, where: Span, **more: object) -> None:
        self.report.add(
            error("schema_catalog_error", where.file, message, rule=rule, where=where, **more)
        )


def _earlier(name: Name) -> tuple[Related, ...]:
    return (Related(where=name.where, message=f"`{name.text}` is declared here first"),)


def _unfit(type_: PropertyType, constraint: str) -> str | None:
    """Returns why a property of *type_* cannot be part of *constraint*."""
    if type_.scalar is Scalar.BLOB:
        return "a Blob"
    if constraint == "key" and type_.list:
        return "a list"
    if constraint == "key" and type_.vector_dim is not None:
        return "a vector"
    return None


def _key(declared: TypeSyntax) -> tuple[str, ...]:
    columns = (c.columns for c in constraints_of(declared) if c.name == "key")
    return tuple(dict.fromkeys(c.text for c in next(columns, ())))


def _types_properties(declared: TypeSyntax) -> Iterator[Property]:
    indexed = {c.text for constraint in constraints_of(declared) for c in constraint.columns}
    for p in declared.properties:
        yield Property(
            name=p.name.text,
            type=p.type,
            indexed=p.name.text in indexed,
            description=text_of(p.annotations, "description"),
            where=p.name.where,
        )


def text_of(annotations: tuple[Annotation, ...], name: str) -> str | None:
    """Returns the text of the first annotation of that name."""
    values = (a.value for a in annotations if a.name == name)
    value = next(values, None)
    return value if isinstance(value, str) else None


def _node_type(declared: TypeSyntax) -> NodeType:
    return NodeType(
        name=declared.name.text,
        properties=tuple(_types_properties(declared)),
        key=_key(declared),
        description=text_of(declared.annotations, "description"),
        instruction=text_of(declared.annotations, "instruction"),
        where=declared.name.where,
    )


def _edge_type(declared: TypeSyntax) -> EdgeType:
    assert declared.source is not None
    assert declared.target is not None
    return EdgeType(
        name=declared.name.text,
        source=declared.source.text,
        target=declared.target.text,
        properties=tuple(_types_properties(declared)),
        description=text_of(declared.annotations, "description"),
        instruction=text_of(declared.annotations, "instruction"),
        where=declared.name.where,
    )
