"""Lints of what a query matches: variables, how they hang together, and how many rows there are.

Rules: L301 unused variable, L302 cartesian product, L303 unbounded result, L310 one name for two
variables, L312 an optional block that is none.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Literal

from agentctl.diagnostics.span import Span
from agentctl.languages.query.catalog_index import CatalogIndex
from agentctl.languages.query.expression_syntax import ANONYMOUS
from agentctl.languages.query.lint_finding import Finding
from agentctl.languages.query.mentions import Mention, clauses_of, in_query
from agentctl.languages.query.plan import (
    CheckedQuery,
    Condition,
    Filter,
    Found,
    Membership,
    MetadataRef,
    Operand,
    ParamRef,
    Pattern,
    PropertyRef,
    Value,
)
from agentctl.languages.query.plan_walk import (
    inner_patterns,
    introduced,
    named_by_condition,
    named_by_pattern,
    named_by_traversal,
    patterns_of,
)
from agentctl.languages.query.syntax import BindingClause, QueryDecl, ReadBody
from agentctl.languages.schema.types import NodeType, Unique


def lint_match(decl: QueryDecl, query: CheckedQuery, index: CatalogIndex) -> Iterator[Finding]:
    """Yields what is remarkable about the match of a read."""
    mentions = [m for m in in_query(decl) if m.name != ANONYMOUS]
    places = {m.name: m.where for m in reversed(mentions)}
    idle = {m.name: m for m in _idle(decl, mentions, query)}
    for mention in idle.values():
        yield _unused(mention)
    yield from _shadowed(query, places)
    yield from _needed_optionals(query, places)
    alone = {m.name for m in idle.values() if m.role == "bound"}
    parts = _parts(query.pattern, alone)
    fixed = pinned(query.pattern, index)
    told = {name: where for name, where in places.items() if name not in alone}
    yield from _unconnected(query, parts, fixed, told)
    yield from _unbounded(decl, query, parts, fixed)


def _idle(decl: QueryDecl, mentions: list[Mention], query: CheckedQuery) -> Iterator[Mention]:
    """Yields the mentions of variables that are named once, and whose name serves nothing."""
    counts = Counter(m.name for m in mentions)
    params = {p.name for p in query.params}
    serving = {
        clause.var.name
        for clause, tested in clauses_of(decl)
        if isinstance(clause, BindingClause) and (clause.matches or tested)
    }
    left_out = params | serving
    for mention in mentions:
        name = mention.name
        if counts[name] == 1 and name not in left_out and not name.startswith("_"):
            yield mention


def _unused(mention: Mention) -> Finding:
    name, where = mention.name, mention.where
    if mention.role == "bound":
        message = f"`${name}` is used nowhere, and multiplies the rows"
        return _finding("L301", "warning", message, where, "Take it out.")
    if mention.role == "edge":
        remedy = "Leave its name out, unless parallel edges are to give a row each."
        return _finding("L301", "note", f"the edge `${name}` is used nowhere", where, remedy)
    return _finding("L301", "note", f"`${name}` is used nowhere else", where, "Write `$_`.")


def _unbounded(
    decl: QueryDecl, query: CheckedQuery, parts: list[list[str]], fixed: frozenset[str]
) -> Iterator[Finding]:
    assert isinstance(decl.body, ReadBody)
    if query.limit is None and not query.aggregates and not all(map(fixed.intersection, parts)):
        message = f"`{query.name}` returns a row for every match"
        yield _finding("L303", "warning", message, decl.body.return_where, "Add `limit 100`.")


def _shadowed(query: CheckedQuery, places: dict[str, Span]) -> Iterator[Finding]:
    for name in sorted(_twice(query.pattern, ())):
        message = f"`${name}` is one variable in this block, and another one outside"
        yield _finding("L310", "warning", message, places[name], "Rename one of them.")


def _twice(pattern: Pattern, around: tuple[frozenset[str], ...]) -> set[str]:
    """Returns the names that a block binds and a block around it too."""
    own = introduced(pattern)
    found = {name for name in own if any(name in outer for outer in around)}
    for inner in inner_patterns(pattern):
        found |= _twice(inner, (*around, own))
    return found


def _needed_optionals(query: CheckedQuery, places: dict[str, Span]) -> Iterator[Finding]:
    for pattern in patterns_of(query):
        loose = frozenset[str]().union(*map(introduced, pattern.optionals))
        needed: set[str] = set()
        for step in pattern.traversals:
            needed |= named_by_traversal(step) & loose
        for condition in pattern.filters:
            if isinstance(condition, Filter | Membership | Found):
                needed |= named_by_condition(condition) & loose
        for name in sorted(needed):
            message = f"`${name}` must be there for something outside its `optional` block"
            yield _finding("L312", "warning", message, places[name], None)


def _unconnected(
    query: CheckedQuery,
    parts: list[list[str]],
    fixed: frozenset[str],
    places: dict[str, Span],
) -> Iterator[Finding]:
    many = [part for part in parts if not fixed.issuperset(part)]
    for first, *_rest in many[1:]:
        message = f"nothing connects `${first}` with `${many[0][0]}`"
        remedy = "Connect them by an edge or a comparison."
        yield _finding("L302", "warning", message, places[first], remedy)
    outside = bool(introduced(query.pattern))
    for pattern in query.pattern.optionals:
        own = [b.var for b in pattern.bindings if b.var in places]
        if own and outside and named_by_pattern(pattern) <= set(own):
            message = f"nothing connects `${own[0]}` with what is outside its `optional` block"
            remedy = "Connect them by an edge or a comparison."
            yield _finding("L302", "warning", message, places[own[0]], remedy)


def _parts(pattern: Pattern, left_out: set[str]) -> list[list[str]]:
    """Returns the node variables that hang together, by first appearance."""
    parts = _Parts(b.var for b in pattern.bindings if b.var not in left_out)
    for group in _ties(pattern):
        parts.tie(group)
    return parts.groups()


def pinned(pattern: Pattern, index: CatalogIndex) -> frozenset[str]:
    """Returns the variables of which a key, or a unique tuple, is given."""
    given: dict[str, set[str]] = {}
    for condition in pattern.filters:
        for var, name in _given(condition):
            given.setdefault(var, set()).add(name)
    types = {b.var: index.node(b.type_name) for b in pattern.bindings}
    return frozenset(
        var
        for var, type_ in types.items()
        if type_ is not None and _identified(type_, given.get(var, set()))
    )


def _identified(type_: NodeType, given: set[str]) -> bool:
    tuples = [c.columns for c in type_.constraints if isinstance(c, Unique)]
    if type_.key:
        tuples.append(type_.key)
    return "@id" in given or any(given.issuperset(columns) for columns in tuples)


def _given(condition: Condition) -> Iterator[tuple[str, str]]:
    """Yields the variable and the property, or ``@id``, that must be one of some given values."""
    match condition:
        case Filter(comparison="="):
            for one, other in (
                (condition.left, condition.right),
                (condition.right, condition.left),
            ):
                if isinstance(other, Value | ParamRef):
                    yield from _part(one)
        case Membership():
            yield from _part(condition.operand)
        case _:
            return


def _part(operand: Operand) -> Iterator[tuple[str, str]]:
    if isinstance(operand, PropertyRef) and not operand.type.list:
        yield operand.var, operand.property
    elif isinstance(operand, MetadataRef) and operand.name == "id":
        yield operand.var, "@id"


def _ties(pattern: Pattern) -> Iterator[frozenset[str]]:
    """Yields sets of variables that something makes depend on each other."""
    for step in pattern.traversals:
        yield named_by_traversal(step)
    for condition in pattern.filters:
        yield named_by_condition(condition)
    for inner in pattern.negations:
        yield named_by_pattern(inner)


class _Parts:
    """Names in parts that hang together."""

    def __init__(self, names: Iterable[str]) -> None:
        self._above = {name: name for name in names}

    def tie(self, names: Iterable[str]) -> None:
        """Makes one part of those names that are known."""
        known = [self._top(name) for name in names if name in self._above]
        for name in known:
            self._above[name] = known[0]

    def groups(self) -> list[list[str]]:
        """Returns the parts, by their first name."""
        found: dict[str, list[str]] = {}
        for name in self._above:
            found.setdefault(self._top(name), []).append(name)
        return list(found.values())

    def _top(self, name: str) -> str:
        """Returns the name that stands for the part; paths are halved on the way."""
        above = self._above
        while above[name] != name:
            above[name] = above[above[name]]
            name = above[name]
        return name


def _finding(
    rule: str, severity: Literal["warning", "note"], message: str, where: Span, remedy: str | None
) -> Finding:
    return Finding(rule=rule, severity=severity, message=message, where=where, remedy=remedy)
