"""The names of one query and what they stand for; collects what is wrong with their use.

Rules: T6 property of an unknown variable or unknown property, T7 operands that are no scalar,
T23 misuse of an edge binding, T26 variable that is not declared. Source: languages 2.4.
"""

from collections.abc import Iterable

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, Related, error
from agentctl.diagnostics.span import Span
from agentctl.languages.query.expression_syntax import ANONYMOUS
from agentctl.languages.query.plan import Operand, ParamRef, PropertyRef, Value
from agentctl.languages.query.syntax import (
    AggregateUse,
    Expression,
    LiteralUse,
    NameUse,
    PropertyUse,
    QueryDecl,
    VariableUse,
)
from agentctl.languages.schema.types import Catalog, EdgeType, NodeType, Property, PropertyType
from agentctl.languages.text.report import PROBLEM_COUNT_MAX, not_supported
from agentctl.languages.text.suggest import did_you_mean


class Bound(msgspec.Struct, frozen=True, kw_only=True):
    """A variable that a clause has bound, and where."""

    type: NodeType | EdgeType
    where: Span


class Scope:
    """The parameters and the variables bound so far."""

    def __init__(self, decl: QueryDecl, catalog: Catalog) -> None:
        self.catalog = catalog
        self.params = {p.name: p for p in decl.params}
        self.nodes: dict[str, Bound] = {}
        """In order of first appearance."""
        self.edges: dict[str, Bound] = {}
        self.unclear: set[str] = set()
        """Variables whose type could not be told; that was reported, so no use of them is."""
        self.found: list[Diagnostic] = []
        self._node_types = {n.name: n for n in catalog.nodes}
        self._edge_types: dict[str, EdgeType] = {}
        for edge in catalog.edges:
            self._edge_types.setdefault(edge.name.lower(), edge)
        self._properties: dict[str, dict[str, Property]] = {}

    def node_type(self, name: str) -> NodeType | None:
        """Returns the node type of that name."""
        return self._node_types.get(name)

    def edge_type(self, spelling: str) -> EdgeType | None:
        """Returns the edge type that a query spells so, without regard to case."""
        return self._edge_types.get(spelling.lower())

    def property_of(self, type_: NodeType | EdgeType, name: str) -> Property | None:
        """Returns the property of that name."""
        key = f"{'node' if isinstance(type_, NodeType) else 'edge'} {type_.name}"
        if key not in self._properties:
            self._properties[key] = {p.name: p for p in type_.properties}
        return self._properties[key].get(name)

    def meant(
        self, name: str, known: Iterable[str], *, mark: str = "", otherwise: str | None = None
    ) -> str | None:
        """Returns a suggestion while it will be shown; it is the dearest part of a mistake."""
        if len(self.found) >= PROBLEM_COUNT_MAX:
            return None
        return did_you_mean(name, known, mark=mark, otherwise=otherwise)

    def mistake(self, rule: str, message: str, where: Span, **more: object) -> None:
        """Adds a type error of that rule."""
        self._add(
            error("query_typecheck_error", where.file, message, rule=rule, where=where, **more)
        )

    def unsupported(self, what: str, where: Span) -> None:
        """Adds that *what* is not run by this release."""
        self._add(not_supported(what, where))

    def _add(self, found: Diagnostic) -> None:
        if len(self.found) < PROBLEM_COUNT_MAX:
            self.found.append(found)

    def bound(self, name: str) -> Bound | None:
        """Returns what the variable is bound to."""
        return self.nodes.get(name) or self.edges.get(name)

    def bind(self, use: VariableUse, type_: NodeType) -> None:
        """Binds a node variable that is not bound yet; ``$_`` never is."""
        if use.name != ANONYMOUS:
            self.nodes.setdefault(use.name, Bound(type=type_, where=use.where))

    def undeclared(self, use: VariableUse) -> None:
        """Adds that no parameter and no clause above declares the variable."""
        if use.name in self.unclear:
            return
        known = (*self.params, *self.nodes, *self.edges)
        self.mistake(
            "T26:undeclared-variable",
            f"`${use.name}` is neither a parameter nor bound before",
            use.where,
            detail="An undeclared variable would match everything, so the query is refused.",
            remedy=self.meant(use.name, known, mark="$", otherwise="Declare it as a parameter."),
        )

    def property(self, use: PropertyUse) -> PropertyRef | None:
        """Returns the property that *use* names."""
        bound = self.bound(use.var)
        if bound is None:
            if use.var not in self.unclear:
                self._no_entity(use)
            return None
        found = self.property_of(bound.type, use.property)
        if found is None:
            self.no_property("T6:unknown-property", bound.type, use.property, use.property_where)
            return None
        return PropertyRef(var=use.var, property=use.property, type=found.type)

    def no_property(self, rule: str, type_: NodeType | EdgeType, name: str, where: Span) -> None:
        """Adds that *type_* has no property of that name."""
        names = [p.name for p in type_.properties]
        self.mistake(
            rule,
            f"`{type_.name}` has no property `{name}`",
            where,
            remedy=self.meant(name, names, otherwise=None if names else "It has none."),
            related=(Related(where=type_.where, message=f"`{type_.name}` is declared here"),),
        )

    def operand(self, use: Expression) -> Operand | None:
        """Returns the scalar that *use* stands for in a comparison."""
        match use:
            case LiteralUse(type=PropertyType() as type_):
                return Value(value=use.value, type=type_)
            case PropertyUse():
                return self.property(use)
            case VariableUse():
                return self._variable_operand(use)
            case NameUse():
                self._bare_name(use)
            case AggregateUse():
                self.mistake(
                    "T7:aggregate-operand",
                    f"`{use.function}` cannot stand in a condition",
                    use.where,
                    remedy="Aggregates stand in `return`.",
                )
            case _:
                self.unsupported("this operand", use.where)
        return None

    def param(self, use: VariableUse) -> ParamRef | None:
        """Returns the parameter of that name; a parameter hides a variable of its name."""
        declared = self.params.get(use.name)
        return ParamRef(name=declared.name, type=declared.type) if declared else None

    def bare_edge(self, use: VariableUse) -> None:
        """Adds that an edge variable is used without a property."""
        self.mistake(
            "T23:bare-use",
            f"`${use.name}` is an edge; only its properties can be used",
            use.where,
            remedy=f"Write `${use.name[:50]}.property`, or use a node at its end.",
        )

    def _variable_operand(self, use: VariableUse) -> Operand | None:
        param = self.param(use)
        if param is not None:
            return param
        if use.name in self.edges:
            self.bare_edge(use)
        elif use.name in self.nodes:
            name = self.nodes[use.name].type.name
            self.mistake(
                "T7:entity-operand",
                f"`${use.name}` is a `{name}`, which cannot be compared",
                use.where,
                remedy=f"Compare a property: `${use.name[:50]}.property`.",
            )
        else:
            self.undeclared(use)
        return None

    def _no_entity(self, use: PropertyUse) -> None:
        what = "a parameter" if use.var in self.params else "not bound before"
        self.mistake(
            "T6:unbound-variable",
            f"`${use.var}` is {what}, so it has no property `{use.property}`",
            use.where,
            remedy=self.meant(
                use.var,
                (*self.nodes, *self.edges),
                mark="$",
                otherwise=f"Bind it in `match`: `${use.var[:50]}: Type`.",
            ),
        )

    def _bare_name(self, use: NameUse) -> None:
        meant = use.name if use.name in self.params or self.bound(use.name) else None
        self.mistake(
            "T7:alias-operand",
            f"`{use.name}` is no value",
            use.where,
            remedy=f"Did you mean `${meant}`?"
            if meant
            else f'A text is written in quotes: `"{use.name[:50]}"`.',
        )
