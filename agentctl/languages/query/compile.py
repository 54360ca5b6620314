"""From the bytes of a `.gq` file to its declarations, and from a declaration to a checked query.

The one entry to the query language; never raises, whatever the bytes are.
"""

import msgspec

from agentctl.diagnostics.bag import sort_diagnostics
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.languages.query.match_check import MatchChecker
from agentctl.languages.query.output_check import OutputChecker
from agentctl.languages.query.parse import QueryFile, parse_query_file
from agentctl.languages.query.plan import Binding, CheckedQuery, Param, Pattern
from agentctl.languages.query.scope import Scope
from agentctl.languages.query.syntax import LiteralUse, QueryDecl, ReadBody, VariableUse
from agentctl.languages.schema.types import Catalog

__all__ = ["CheckedResult", "QueryDecl", "QueryFile", "check_query", "parse_query_file"]


class CheckedResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a declaration means over a schema; no query exactly where there are errors."""

    query: CheckedQuery | None
    diagnostics: tuple[Diagnostic, ...]


def check_query(decl: QueryDecl, catalog: Catalog) -> CheckedResult:
    """Returns the query that *decl* is over the schema *catalog*."""
    assert isinstance(decl.body, ReadBody)
    scope = Scope(decl, catalog)
    match = MatchChecker(scope)
    match.check(decl.body.clauses)
    outputs = OutputChecker(scope)
    outputs.check(decl.body.items, decl.body.order)
    if scope.found:
        return CheckedResult(query=None, diagnostics=sort_diagnostics(scope.found))
    query = CheckedQuery(
        name=decl.name,
        params=tuple(Param(name=p.name, type=p.type) for p in decl.params),
        pattern=Pattern(
            bindings=tuple(Binding(var=v, type_name=b.type.name) for v, b in scope.nodes.items()),
            traversals=tuple(match.traversals),
            filters=tuple(match.filters),
        ),
        outputs=tuple(outputs.outputs),
        order=tuple(outputs.order),
        limit=_limit(decl.body.limit),
        description=decl.description,
        instruction=decl.instruction,
        reads=tuple(sorted(match.reads)),
    )
    return CheckedResult(query=query, diagnostics=())


def _limit(written: LiteralUse | VariableUse | None) -> int | None:
    value = written.value if isinstance(written, LiteralUse) else None
    return value if isinstance(value, int) else None
