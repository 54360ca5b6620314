"""What of the query language a call of a query does not run: one list, which shrinks to nothing.

A query that names anything else is right, is stored and applied, and is refused when it is called,
before data is read. Reads run whole. Pure. Source: ADR 7.
"""

from typing import assert_never

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.graph.port import GraphError
from agentctl.languages.query.plan import CheckedQuery, Delete, Insert, Mutation, Update


def not_runnable(query: CheckedQuery) -> tuple[str, ...]:
    """Returns every construct of *query* that is not run yet, each once; empty if it runs."""
    return tuple(dict.fromkeys(map(_named, query.mutations)))


def refusal(query: CheckedQuery, *, path: str) -> Diagnostic | None:
    """Returns why *query* is not run yet, naming the constructs; None where it is."""
    named = not_runnable(query)
    if not named:
        return None
    return error(
        "not_supported_yet",
        path,
        f"`{query.name}` uses {', '.join(named)}, which this release does not run yet",
        detail="The query is right and stays stored; no data was read or changed.",
        remedy="Call it with a release that runs it, or store a query without it.",
    )


def require_runnable(query: CheckedQuery) -> None:
    """Refuses a query that graphs cannot run; asked before any data is read.

    Raises:
        GraphError: `not_supported_yet`, naming the constructs.
    """
    refused = refusal(query, path="query")
    if refused is not None:
        raise GraphError(refused)


def _named(mutation: Mutation) -> str:
    match mutation:
        case Insert():
            return "`insert`"
        case Update():
            return "`update`"
        case Delete():
            return "`delete`"
        case _:
            assert_never(mutation)
