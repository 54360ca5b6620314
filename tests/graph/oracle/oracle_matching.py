"""What a `match` matches: every clause widens, narrows or drops rows, one after the other.

Works on the syntax tree, in the order of the text, with the plainest means: whole products of
dictionaries. A variable is bound before it is used, so the order of the text gives what any
reordering may give. Source: languages 2.2, 3.1.
"""

from collections.abc import Iterator, Mapping
from typing import Protocol

import msgspec

from agentctl.languages.query.syntax import (
    AggregateUse,
    BindingClause,
    CallUse,
    Clause,
    CompareUse,
    Condition,
    CountUse,
    ExistsUse,
    Expression,
    FilterClause,
    InUse,
    JunctionUse,
    ListUse,
    LiteralUse,
    MetadataUse,
    NameUse,
    NotClause,
    NotUse,
    NowUse,
    NullUse,
    OptionalClause,
    PropertyUse,
    SearchUse,
    TraversalClause,
    VariableUse,
)
from agentctl.languages.schema.types import EdgeType, PropertyType, Scalar
from tests.graph.oracle.oracle_graph import Entity, Graph, Owner
from tests.graph.oracle.oracle_truth import Truth, all_of, any_of, compared, narrowed, negated
from tests.graph.oracle.oracle_values import Raw

Row = Mapping[str, Entity | None]
"""What each variable stands for; None where an optional block matched nothing."""
Scope = dict[str, Owner]
"""The type of each variable bound so far."""
Step = tuple[str, str, Entity | None]
"""The two ends of an edge or a walk, and the edge where it is one."""
ANONYMOUS = "_"
_WORDS = ("contains", "starts_with", "in")


class Finder(Protocol):
    """Decides whether a text search finds a text."""

    def found(self, function: str, text: str, query: str, max_edits: int | None) -> bool:
        """Returns whether *function* finds *text* by *query*."""
        ...


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """What one run of a query is given."""

    graph: Graph
    params: Mapping[str, Raw]
    types: Mapping[str, PropertyType]
    """Of the parameters."""
    now: int
    finder: Finder


class Matching:
    """Matches blocks of clauses."""

    def __init__(self, run: Execution) -> None:
        self.run = run

    def block(self, clauses: tuple[Clause, ...], rows: list[Row], scope: Scope) -> list[Row]:
        """Returns the rows that the clauses leave of *rows*; what they bind is added to *scope*."""
        for clause in clauses:
            rows = self._clause(clause, rows, scope)
        return rows

    def _clause(self, clause: Clause, rows: list[Row], scope: Scope) -> list[Row]:
        match clause:
            case BindingClause():
                return self._bound(clause, rows, scope)
            case TraversalClause() if not self._edges(clause):
                return self._kept(_as_condition(clause), rows, scope)
            case TraversalClause():
                return self._walked(clause, rows, scope)
            case FilterClause():
                return self._kept(clause.condition, rows, scope)
            case NotClause():
                return [r for r in rows if not self.block(clause.clauses, [r], dict(scope))]
            case OptionalClause():
                return self._joined(clause, rows, scope)

    def _bound(self, clause: BindingClause, rows: list[Row], scope: Scope) -> list[Row]:
        name, owner = clause.var.name, self.run.graph.catalog.node(clause.type_name)
        assert owner is not None
        if name not in scope:
            scope[name] = owner
            nodes = self.run.graph.nodes[owner.name].values()
            rows = [{**row, name: node} for row in rows for node in nodes]
        for given in clause.matches:
            left = PropertyUse(
                var=name, property=given.property, where=given.where, property_where=given.where
            )
            declared = owner.property(given.property)
            assert declared is not None
            test = CompareUse(
                left=left,
                comparison="contains" if declared.type.list else "=",
                right=given.value,
                where=given.where,
            )
            rows = self._kept(test, rows, scope)
        return rows

    def _joined(self, clause: OptionalClause, rows: list[Row], scope: Scope) -> list[Row]:
        inner = dict(scope)
        self.block(clause.clauses, [], inner)
        nothing: Row = dict.fromkeys(inner.keys() - scope.keys())
        joined: list[Row] = []
        for row in rows:
            joined += self.block(clause.clauses, [row], dict(scope)) or [{**row, **nothing}]
        scope.update(inner)
        return joined

    def _kept(self, condition: Condition, rows: list[Row], scope: Scope) -> list[Row]:
        return [row for row in rows if self.truth(condition, row, scope) is True]

    # Traversals

    def _edges(self, clause: TraversalClause) -> list[EdgeType]:
        """An edge is spelled with a lower first letter, in any case else: languages 2.7."""
        wanted = [e.name for e in clause.edges]
        known = self.run.graph.catalog.edges
        return [e for w in wanted for e in known if e.name.lower() == w.lower()]

    def _walked(self, clause: TraversalClause, rows: list[Row], scope: Scope) -> list[Row]:
        edges = self._edges(clause)
        left, right = clause.left.name, clause.right.name
        outward = _is_outward(edges[0], scope.get(left), scope.get(right))
        steps = list(self._steps(clause, edges))
        if not outward:
            steps = [(b, a, edge) for a, b, edge in steps]
        ends = (edges[0].source, edges[0].target)
        bound = dict(zip((left, right), ends if outward else ends[::-1], strict=True))
        for name, type_name in bound.items():
            if name != ANONYMOUS and name not in scope:
                node_type = self.run.graph.catalog.node(type_name)
                assert node_type is not None
                scope[name] = node_type
        if clause.edge_var is not None:
            scope[clause.edge_var.name] = edges[0]
        grown: list[Row] = []
        for row in rows:
            for a, b, edge in steps:
                more = self._grown(row, scope, ((left, a), (right, b)))
                if more is not None and clause.edge_var is not None:
                    more = {**more, clause.edge_var.name: edge}
                if more is not None:
                    grown.append(more)
        return grown

    def _grown(self, row: Row, scope: Scope, ends: tuple[tuple[str, str], ...]) -> Row | None:
        """Returns the row with the ends bound; None where one stands for another node already."""
        for name, node_id in ends:
            if name == ANONYMOUS:
                continue
            if name not in row:
                row = {**row, name: self.run.graph.nodes[scope[name].name][node_id]}
            there = row[name]
            if there is None or there.id != node_id:
                return None
        return row

    def _steps(self, clause: TraversalClause, edges: list[EdgeType]) -> Iterator[Step]:
        entities = [e for t in edges for e in self.run.graph.edges[t.name].values()]
        steps = [(e.src, e.dst, e) for e in entities]
        if clause.undirected:
            steps += [(b, a, e) for a, b, e in steps if a != b]
        if clause.edge_var is not None:
            yield from steps
            return
        pairs = {(a, b) for a, b, _ in steps}
        if clause.hops is not None and (clause.hops.minimum, clause.hops.maximum) != (1, 1):
            assert clause.hops.maximum is not None
            again = edges[0].source == edges[0].target
            pairs = set(reached(pairs, clause.hops.minimum, clause.hops.maximum, again=again))
        yield from ((a, b, None) for a, b in sorted(pairs))

    # Conditions

    def truth(self, condition: Condition, row: Row, scope: Scope) -> Truth:  # noqa: PLR0911  # one case for each form
        """Returns whether the condition is true, false or unknown of the row."""
        match condition:
            case CompareUse(left=SearchUse() as call) | CompareUse(right=SearchUse() as call):
                answer = condition.left if call is condition.right else condition.right
                assert isinstance(answer, LiteralUse)
                found = self._found(call, row, scope)
                same = bool(answer.value) is (condition.comparison == "=")
                return found if same else negated(found)
            case CompareUse():
                left, right = self._sides(condition, row, scope)
                return compared(condition.comparison, left, right)
            case InUse():
                return self._among(condition, row, scope)
            case NullUse():
                there = self._there(condition.operand, row, scope)
                return there if condition.negated else not there
            case CallUse():
                return self._found(condition.call, row, scope)
            case ExistsUse():
                return bool(self.block(condition.clauses, [row], dict(scope)))
            case NotUse():
                return negated(self.truth(condition.condition, row, scope))
            case JunctionUse():
                parts = [self.truth(c, row, scope) for c in condition.conditions]
                return all_of(parts) if condition.word == "and" else any_of(parts)

    def _sides(self, use: CompareUse, row: Row, scope: Scope) -> tuple[Raw, Raw]:
        """A literal or a parameter takes the width of an F32 property that it meets."""
        left, right = self.value(use.left, row, scope), self.value(use.right, row, scope)
        if self._is_f32(use.left, scope) and not isinstance(use.right, PropertyUse):
            right = narrowed(right)
        if self._is_f32(use.right, scope) and not isinstance(use.left, PropertyUse):
            left = narrowed(left)
        return left, right

    def _is_f32(self, use: Expression, scope: Scope) -> bool:
        return isinstance(use, PropertyUse) and self.type_of(use, scope).scalar is Scalar.F32

    def _among(self, use: InUse, row: Row, scope: Scope) -> Truth:
        value, values = self.value(use.operand, row, scope), self.value(use.values, row, scope)
        if values is None:
            return None
        if self._is_f32(use.operand, scope):
            values = tuple(narrowed(v) for v in values)
        return any_of([compared("=", value, v) for v in values])

    def _there(self, use: Expression, row: Row, scope: Scope) -> bool:
        if isinstance(use, VariableUse) and use.name not in self.run.params:
            return row[use.name] is not None
        return self.value(use, row, scope) is not None

    def _found(self, call: SearchUse, row: Row, scope: Scope) -> Truth:
        text, query, *edits = (self.value(a, row, scope) for a in call.arguments)
        if text is None or query is None:
            return None
        return self.run.finder.found(call.function, text, query, edits[0] if edits else None)

    # Values

    def value(self, use: Expression, row: Row, scope: Scope) -> Raw:  # noqa: PLR0911  # one case for each form
        """Returns the value of an expression in a row; of a whole node its entity."""
        match use:
            case LiteralUse():
                return use.value
            case ListUse():
                return tuple(self.value(item, row, scope) for item in use.items)
            case NowUse():
                return self.run.now
            case VariableUse():
                return self.run.params[use.name] if use.name in self.run.params else row[use.name]
            case PropertyUse():
                entity = row[use.var]
                return None if entity is None else entity.values[use.property]
            case MetadataUse():
                return _metadata(row[use.var], use.name)
            case CountUse():
                return len(self.block(use.clauses, [row], dict(scope)))
            case NameUse() | AggregateUse() | SearchUse():
                msg = "no value of a row"
                raise AssertionError(msg)

    def type_of(self, use: Expression, scope: Scope) -> PropertyType:  # noqa: PLR0911  # one case for each form
        """Returns the type of a value that is no whole node."""
        match use:
            case LiteralUse(type=PropertyType() as type_):
                return type_
            case ListUse(items=items) if items:
                return self.type_of(items[0], scope)
            case NowUse():
                return PropertyType(scalar=Scalar.DATETIME)
            case VariableUse():
                return self.run.types[use.name]
            case PropertyUse():
                declared = scope[use.var].property(use.property)
                assert declared is not None
                return declared.type
            case MetadataUse():
                return PropertyType(scalar=Scalar.STRING)
            case _:
                return PropertyType(scalar=Scalar.I64)


def _as_condition(clause: TraversalClause) -> Condition:
    """A word operator is a comparison where the schema has no edge of that name: languages 3.1."""
    word = clause.edges[0].name
    assert word in _WORDS, f"no edge {word}"
    if word == "in":
        return InUse(operand=clause.left, values=clause.right, where=clause.where)
    return CompareUse(
        left=clause.left,
        comparison="contains" if word == "contains" else "starts_with",
        right=clause.right,
        where=clause.where,
    )


def _is_outward(edge: EdgeType, left: Owner | None, right: Owner | None) -> bool:
    """Tells the direction by the bound end, the left one first: languages 2.2."""
    if left is not None:
        return left.name == edge.source
    return right is None or right.name == edge.target


def reached(
    pairs: set[tuple[str, str]], low: int, high: int, *, again: bool
) -> Iterator[tuple[str, str]]:
    """Yields each source with each node that is *low* to *high* hops away by the shortest way.

    A source is reached itself by its shortest cycle. Unless *again*, the ends of the edges are of
    different types, and no second hop is possible.
    """
    for source in sorted({a for a, _ in pairs}):
        seen: set[str] = set()
        edge_of = {source}
        for distance in range(1, (high if again else 1) + 1):
            edge_of = {b for a, b in pairs if a in edge_of} - seen
            if not edge_of:
                break
            seen |= edge_of
            if distance >= low:
                yield from ((source, node) for node in sorted(edge_of))


def _metadata(entity: Entity | None, name: str) -> str | None:
    if entity is None:
        return None
    return {"id": entity.id, "type": entity.type.name, "src": entity.src, "dst": entity.dst}[name]
