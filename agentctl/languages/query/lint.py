"""Remarks about queries that are right: pure, over checked queries and their schema.

`agentctl lint` prints them; `validate` does not. `lint_query` looks at one query, `lint_graph` at
all queries of a graph (or of a file) together.

Rules: L201 property that no update sets, L300 unused parameter, L304 mutation without parameters,
L305 parameter with the name of a variable, L314 order item twice, L315 distinct groups, L317
order by a constant; further ones in `lint_pattern` and `lint_value`. Source: languages 2.5, 2.7.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from agentctl.languages.query.catalog_index import CatalogIndex, index_catalog
from agentctl.languages.query.lint_finding import Finding
from agentctl.languages.query.lint_pattern import lint_match
from agentctl.languages.query.lint_value import lint_values
from agentctl.languages.query.mentions import in_query
from agentctl.languages.query.plan import CheckedQuery, OrderItem, ParamRef, Update
from agentctl.languages.query.plan_walk import introduced, patterns_of
from agentctl.languages.query.syntax import (
    LiteralUse,
    NowUse,
    OrderSyntax,
    QueryDecl,
    ReadBody,
    VariableUse,
)
from agentctl.languages.schema.types import Catalog, NodeType
from agentctl.languages.text.report import PROBLEM_COUNT_MAX

__all__ = ["Finding", "lint_graph", "lint_query"]

_SEVERITIES: Final = {"warning": 0, "note": 1}


def lint_query(decl: QueryDecl, query: CheckedQuery, catalog: Catalog) -> tuple[Finding, ...]:
    """Returns what is remarkable about one query, in order of the text; a hundred at most.

    Args:
        decl: what stands in the text.
        query: what it means, as `check_query` has returned it.
        catalog: the schema that it was checked against.
    """
    index = index_catalog(catalog)
    found = [*_unused_params(decl), *_hidden(decl, query), *lint_values(decl, query, index)]
    if isinstance(decl.body, ReadBody):
        found += lint_match(decl, query, index)
        found += _result(decl.body, query)
        found += _order(decl.body, query)
    elif not decl.params:
        found.append(
            Finding(
                rule="L304",
                severity="warning",
                message=f"`{decl.name}` changes the same each time, since it has no parameters",
                where=decl.where,
                remedy="Declare what changes as parameters.",
            )
        )
    named = (msgspec.structs.replace(f, query_names=(decl.name,)) for f in dict.fromkeys(found))
    placed = sorted(named, key=lambda f: (f.where, f.rule, f.message))
    return tuple(placed[:PROBLEM_COUNT_MAX])


def lint_graph(queries: Iterable[CheckedQuery], catalog: Catalog) -> tuple[Finding, ...]:
    """Returns what is remarkable about the valid queries of one graph, or one file, together.

    Sorted by severity, type, property and message.
    """
    found = _never_set(tuple(queries), index_catalog(catalog))
    return tuple(
        sorted(
            found,
            key=lambda f: (
                _SEVERITIES[f.severity],
                f.type_name or "",
                f.property or "",
                f.message,
            ),
        )
    )


def _never_set(queries: tuple[CheckedQuery, ...], index: CatalogIndex) -> Iterator[Finding]:
    """Yields the nullable properties that no update of their type sets."""
    updates: dict[str, set[str]] = {}
    assigned: dict[str, set[str]] = {}
    for query in queries:
        for mutation in query.mutations:
            if isinstance(mutation, Update):
                name = mutation.target.type_name
                updates.setdefault(name, set()).add(query.name)
                assigned.setdefault(name, set()).update(a.property for a in mutation.assignments)
    for name, names in updates.items():
        type_ = index.node(name)
        if type_ is not None:
            yield from _unset(type_, assigned[name], tuple(sorted(names)))


def _unset(type_: NodeType, assigned: set[str], names: tuple[str, ...]) -> Iterator[Finding]:
    for declared in type_.properties:
        fixed = declared.name in type_.key or declared.embed is not None
        if fixed or not declared.type.nullable or declared.name in assigned:
            continue
        yield Finding(
            rule="L201",
            severity="warning",
            message=f"no update of `{type_.name}` sets `{declared.name}`",
            where=declared.where,
            remedy=f"Set `{declared.name}` in an update, or leave it so where that is meant.",
            type_name=type_.name,
            property=declared.name,
            query_names=names,
        )


def _unused_params(decl: QueryDecl) -> Iterator[Finding]:
    used = {m.name for m in in_query(decl)}
    for param in decl.params:
        if param.name not in used:
            yield Finding(
                rule="L300",
                severity="warning",
                message=f"the parameter `${param.name}` is used nowhere",
                where=param.where,
                remedy="Take it out, or use it.",
            )


def _hidden(decl: QueryDecl, query: CheckedQuery) -> Iterator[Finding]:
    bound = {name for pattern in patterns_of(query) for name in introduced(pattern)}
    for param in decl.params:
        if param.name in bound:
            yield Finding(
                rule="L305",
                severity="warning",
                message=f"`${param.name}` is a parameter and a variable",
                where=param.where,
                remedy="Rename one of them.",
            )


def _result(body: ReadBody, query: CheckedQuery) -> Iterator[Finding]:
    if query.distinct and query.aggregates:
        yield Finding(
            rule="L315",
            severity="note",
            message="groups are distinct, so `distinct` changes nothing",
            where=body.return_where,
            remedy="Take `distinct` out.",
        )


def _order(body: ReadBody, query: CheckedQuery) -> Iterator[Finding]:
    written: list[OrderSyntax] = []
    for wanted in body.order:
        if not _is_constant(wanted, query):
            written.append(wanted)
            continue
        yield Finding(
            rule="L317",
            severity="warning",
            message="a constant orders nothing",
            where=wanted.where,
            remedy="Take it out.",
        )
    seen: set[OrderItem] = set()
    for item, syntax in zip(query.order, written, strict=True):
        plain = msgspec.structs.replace(item, descending=False)
        if plain in seen:
            yield Finding(
                rule="L314",
                severity="warning",
                message="this orders by the same a second time",
                where=syntax.where,
                remedy="Take it out.",
            )
        seen.add(plain)


def _is_constant(wanted: OrderSyntax, query: CheckedQuery) -> bool:
    """Whether an order item is the same in all rows, so that the checker has left it out."""
    use = wanted.value
    if isinstance(use, LiteralUse | NowUse):
        return True
    if not isinstance(use, VariableUse) or use.name not in {p.name for p in query.params}:
        return False
    return not any(
        isinstance(o.value, ParamRef) and o.value.name == use.name for o in query.outputs
    )
