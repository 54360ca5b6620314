"""From the bytes of a `.gq` file to its declarations, and from a declaration to a checked query.

The one entry to the query language; never raises, whatever the bytes are.
"""

from agentctl.diagnostics.bag import sort_diagnostics
from agentctl.languages.query.catalog_index import index_catalog
from agentctl.languages.query.context import Context
from agentctl.languages.query.match_check import check_block
from agentctl.languages.query.mutation_check import check_mutations
from agentctl.languages.query.order_check import OrderChecker
from agentctl.languages.query.output_check import OutputChecker
from agentctl.languages.query.parse import parse_query_file
from agentctl.languages.query.plan import CheckedQuery, Param
from agentctl.languages.query.results import CheckedResult, QueryFile
from agentctl.languages.query.scope import Scope
from agentctl.languages.query.syntax import MutationBody, QueryDecl, ReadBody
from agentctl.languages.schema.types import Catalog

__all__ = ["CheckedResult", "QueryDecl", "QueryFile", "check_query", "parse_query_file"]


def check_query(decl: QueryDecl, catalog: Catalog) -> CheckedResult:
    """Returns the query that *decl* is over the schema *catalog*.

    The catalog is indexed once; checking many queries over one catalog does not scan it again.
    """
    context = Context(decl.params, index_catalog(catalog))
    if isinstance(decl.body, ReadBody):
        query = _read(decl, decl.body, context)
    else:
        query = _mutation(decl, decl.body, context)
    additions = tuple(context.additions)
    if context.found:
        found = sort_diagnostics(context.found)
        return CheckedResult(query=None, diagnostics=found, additions=additions)
    return CheckedResult(query=query, diagnostics=(), additions=additions)


def _read(decl: QueryDecl, body: ReadBody, context: Context) -> CheckedQuery:
    scope = Scope(context)
    pattern = check_block(body.clauses, scope)
    outputs = OutputChecker(scope)
    outputs.check(body.items)
    order = OrderChecker(outputs, body)
    order.check()
    return CheckedQuery(
        name=decl.name,
        params=_params(decl),
        pattern=pattern,
        outputs=tuple(outputs.outputs),
        distinct=body.distinct,
        order=tuple(order.order),
        limit=order.bound("limit", body.limit),
        offset=order.bound("offset", body.offset),
        description=decl.description,
        instruction=decl.instruction,
        reads=tuple(sorted(context.reads)),
    )


def _mutation(decl: QueryDecl, body: MutationBody, context: Context) -> CheckedQuery:
    mutations = check_mutations(context, body)
    return CheckedQuery(
        name=decl.name,
        params=_params(decl),
        mutations=mutations,
        description=decl.description,
        instruction=decl.instruction,
        reads=tuple(sorted(context.reads)),
        writes=tuple(sorted(context.writes)),
    )


def _params(decl: QueryDecl) -> tuple[Param, ...]:
    return tuple(Param(name=p.name, type=p.type) for p in decl.params)
