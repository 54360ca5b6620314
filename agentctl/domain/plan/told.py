"""What agents will read of the queries that come or change: a person should see it before it is so."""

from collections.abc import Iterable

import msgspec

from agentctl.domain.config.model import DesiredCluster, DesiredQuery
from agentctl.domain.plan.model import Change
from agentctl.ids import query_address


def with_told(changes: Iterable[Change], desired: DesiredCluster) -> tuple[Change, ...]:
    """Returns *changes*, those of queries that are created or updated with their descriptions."""
    all_ = tuple(changes)
    queries = {c.resource for c in all_ if c.resource.startswith("query.")}
    if not queries:
        return all_
    told = {
        address: words
        for graph in desired.graphs
        for query in graph.queries
        if (address := query_address(graph.id, query.name)) in queries and (words := _words(query))
    }
    return tuple(
        msgspec.structs.replace(c, told=told[c.resource]) if c.resource in told else c for c in all_
    )


def _words(query: DesiredQuery) -> dict[str, str]:
    found = {"description": query.checked.description, "instruction": query.checked.instruction}
    return {name: text for name, text in found.items() if text}
