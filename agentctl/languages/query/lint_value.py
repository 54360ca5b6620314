"""Lints of values: conditions that say nothing, and values that cannot be stored.

Rules: L306 never true, L307 null test of what is never null, L308 number that does not fit,
L309 nearest to a text without an embedding, L311 nullable parameter, L313 search without an index,
L316 a value compared with itself.
"""

from collections.abc import Iterator
from typing import Literal

from agentctl.diagnostics.span import Span
from agentctl.languages.query.catalog_index import CatalogIndex
from agentctl.languages.query.lint_finding import Finding
from agentctl.languages.query.mentions import clauses_of, conditions_in, conditions_of
from agentctl.languages.query.params import INTEGER_RANGES
from agentctl.languages.query.plan import CheckedQuery
from agentctl.languages.query.plan_walk import introduced, patterns_of
from agentctl.languages.query.syntax import (
    Assignment,
    CallUse,
    CompareUse,
    Condition,
    DeleteSyntax,
    Expression,
    InUse,
    ListUse,
    LiteralUse,
    MetadataUse,
    MutationBody,
    MutationSyntax,
    NameUse,
    NullUse,
    PropertyUse,
    QueryDecl,
    ReadBody,
    SearchUse,
    TraversalClause,
    VariableUse,
)
from agentctl.languages.schema.types import EdgeType, NodeType, Property, Scalar

Owner = NodeType | EdgeType


def lint_values(decl: QueryDecl, query: CheckedQuery, index: CatalogIndex) -> Iterator[Finding]:
    """Yields what is remarkable about the values of a query."""
    lints = _Values(decl, query, index)
    yield from lints.conditions()
    yield from lints.hops()
    yield from lints.searches()
    yield from lints.assignments()


class _Values:
    def __init__(self, decl: QueryDecl, query: CheckedQuery, index: CatalogIndex) -> None:
        self.decl = decl
        self.query = query
        self.index = index
        self.params = {p.name: p for p in query.params}
        self.owners: dict[str, Owner] = {}
        for pattern in patterns_of(query):
            for binding in pattern.bindings:
                self._own(binding.var, index.node(binding.type_name))
            for step in pattern.traversals:
                if step.edge_var is not None:
                    self._own(step.edge_var, index.edge(step.edge_type))
        self.loose = {
            name
            for pattern in patterns_of(query)
            for inner in pattern.optionals
            for name in introduced(inner)
        }
        """Variables that may be null."""

    def conditions(self) -> Iterator[Finding]:
        for condition, target in self._conditions():
            match condition:
                case CompareUse(comparison="="):
                    yield from self._itself(condition)
                    yield from self._enum(condition.left, (condition.right,), target)
                    yield from self._enum(condition.right, (condition.left,), target)
                case CompareUse():
                    yield from self._itself(condition)
                case InUse(values=ListUse(items=items)):
                    yield from self._enum(condition.operand, items, target)
                case NullUse():
                    yield from self._null(condition, target)
                case _:
                    continue

    def hops(self) -> Iterator[Finding]:
        for clause, _ in clauses_of(self.decl):
            if not isinstance(clause, TraversalClause) or clause.hops is None:
                continue
            edge = self.index.edge(clause.edges[0].name)
            if edge is None or edge.source == edge.target or clause.hops.minimum < 2:
                continue
            message = f"`{edge.name}` leads to another type, so no second hop can follow"
            yield _warning("L306", message, clause.hops.where, "Take the bounds out.")

    def searches(self) -> Iterator[Finding]:
        for use in self._searches():
            field = use.arguments[0]
            declared = self._declared(field, None)
            if declared is None:
                continue
            query = use.arguments[1]
            if use.function == "nearest" and declared.embed is None and self._is_text(query):
                message = f"`{declared.name}` is not embedded from a text"
                yield _warning("L309", message, query.where, "Declare `@embed(source)`.")
            if not declared.indexed:
                message = f"`{declared.name}` has no index, so every row is read"
                yield Finding(
                    rule="L313",
                    severity="note",
                    message=message,
                    where=field.where,
                    remedy="Declare `@index` in the schema.",
                )

    def assignments(self) -> Iterator[Finding]:
        for mutation, owner in self._mutations():
            if isinstance(mutation, DeleteSyntax):
                continue
            for assignment in mutation.assignments:
                declared = self.index.property_of(owner, assignment.property)
                if declared is not None:
                    yield from self._assigned(assignment, declared)

    def _assigned(self, use: Assignment, declared: Property) -> Iterator[Finding]:
        items = use.value.items if isinstance(use.value, ListUse) else (use.value,)
        for item in items:
            if isinstance(item, LiteralUse) and not _holds(declared.type.scalar, item.value):
                message = f"`{declared.name}` ({declared.type}) cannot hold {item.value}"
                yield _warning("L308", message, item.where, None)
        if isinstance(use.value, VariableUse) and not declared.type.nullable:
            param = self.params.get(use.value.name)
            if param is not None and param.type.nullable:
                message = f"`${param.name}` may be null, and `{declared.name}` may not"
                remedy = "Declare the parameter without the question mark."
                yield _warning("L311", message, use.value.where, remedy)

    def _itself(self, use: CompareUse) -> Iterator[Finding]:
        parts = (NameUse, PropertyUse, MetadataUse, VariableUse)
        if isinstance(use.left, parts) and _same(use.left, use.right):
            yield _warning("L316", "both sides are the same", use.where, None)

    def _enum(
        self, use: Expression, values: tuple[Expression, ...], target: Owner | None
    ) -> Iterator[Finding]:
        declared = self._declared(use, target)
        if declared is None or declared.type.enum_values is None:
            return
        for value in values:
            if not isinstance(value, LiteralUse) or value.value in declared.type.enum_values:
                continue
            message = f"`{declared.name}` has no value {str(value.value)[:50]!r}"
            remedy = f"It is one of {', '.join(declared.type.enum_values)[:100]}."
            yield _warning("L306", message, value.where, remedy)

    def _null(self, use: NullUse, target: Owner | None) -> Iterator[Finding]:
        operand = use.operand
        match operand:
            case PropertyUse() | NameUse():
                declared = self._declared(operand, target)
                sure = declared is not None and not declared.type.nullable
                sure = sure and not (isinstance(operand, PropertyUse) and operand.var in self.loose)
            case MetadataUse():
                sure = operand.var not in self.loose
            case VariableUse():
                param = self.params.get(operand.name)
                sure = not param.type.nullable if param else operand.name not in self.loose
            case _:
                sure = True
        if sure:
            always = "always" if use.negated else "never"
            yield _warning("L307", f"this is {always} true", use.where, "Take it out.")

    def _conditions(self) -> Iterator[tuple[Condition, Owner | None]]:
        """Yields each condition, with the target of the mutation that it is of."""
        if isinstance(self.decl.body, ReadBody):
            for condition in conditions_of(self.decl):
                yield condition, None
            return
        for mutation, owner in self._mutations():
            for condition in conditions_in(mutation):
                yield condition, owner

    def _searches(self) -> Iterator[SearchUse]:
        for condition in conditions_of(self.decl):
            if isinstance(condition, CallUse):
                yield condition.call
        if isinstance(self.decl.body, ReadBody):
            for item in self.decl.body.order:
                if isinstance(item.value, SearchUse):
                    fused = item.value.function == "rrf"
                    ranks = item.value.arguments[:2] if fused else (item.value,)
                    yield from (r for r in ranks if isinstance(r, SearchUse))

    def _is_text(self, use: Expression) -> bool:
        if isinstance(use, VariableUse):
            param = self.params.get(use.name)
            return param is not None and param.type.scalar is Scalar.STRING
        return isinstance(use, LiteralUse)

    def _declared(self, use: Expression, target: Owner | None) -> Property | None:
        match use:
            case PropertyUse() if use.var in self.owners:
                return self.index.property_of(self.owners[use.var], use.property)
            case NameUse() if target is not None:
                return self.index.property_of(target, use.name)
            case _:
                return None

    def _mutations(self) -> Iterator[tuple[MutationSyntax, Owner]]:
        """Yields each mutation with the type that it is about."""
        if not isinstance(self.decl.body, MutationBody):
            return
        for syntax, meant in zip(self.decl.body.mutations, self.query.mutations, strict=True):
            name, node = meant.target.type_name, meant.target.kind == "node"
            owner = self.index.node(name) if node else self.index.edge(name)
            assert owner is not None, "the query was checked against this schema"
            yield syntax, owner

    def _own(self, var: str, type_: Owner | None) -> None:
        if type_ is not None:
            self.owners[var] = type_


def _holds(scalar: Scalar, value: object) -> bool:
    if scalar not in INTEGER_RANGES or not isinstance(value, int | float):
        return True
    low, high = INTEGER_RANGES[scalar]
    return isinstance(value, int) and low <= value <= high


def _same(left: Expression, right: Expression) -> bool:
    """Whether both name the same thing."""
    match left, right:
        case (PropertyUse(), PropertyUse()):
            return (left.var, left.property) == (right.var, right.property)
        case (MetadataUse(), MetadataUse()):
            return (left.var, left.name) == (right.var, right.name)
        case (NameUse(), NameUse()):
            return left.name == right.name
        case (VariableUse(), VariableUse()):
            return left.name == right.name
        case _:
            return False


def _warning(rule: str, message: str, where: Span, remedy: str | None) -> Finding:
    severity: Literal["warning", "note"] = "warning"
    return Finding(rule=rule, severity=severity, message=message, where=where, remedy=remedy)
