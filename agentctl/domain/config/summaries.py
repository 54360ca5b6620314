"""The lists of what a folder declares: every resource with its digest, and what depends on what.

Source: control-plane 1.2 and 3.1.
"""

from collections.abc import Iterable, Iterator

from agentctl.domain.config.model import (
    Dependency,
    DesiredEmbeddingProvider,
    DesiredGraph,
    DesiredPolicy,
    DesiredResource,
    ResourceSummary,
)
from agentctl.ids import (
    CLUSTER,
    Address,
    graph_address,
    policy_address,
    query_address,
    schema_address,
)


def summaries(
    graphs: Iterable[DesiredGraph],
    policies: Iterable[DesiredPolicy],
    providers: Iterable[DesiredEmbeddingProvider],
    others: Iterable[DesiredResource],
) -> tuple[ResourceSummary, ...]:
    """Returns every resource, sorted by address."""
    found = [summary for graph in graphs for summary in _of_graph(graph)]
    found += (
        ResourceSummary(
            address=policy_address(policy.name),
            kind="policy",
            digest=policy.digest,
            path=policy.file,
        )
        for policy in policies
    )
    found += (
        ResourceSummary(address=provider.address, kind="embedding_provider", digest=provider.digest)
        for provider in providers
    )
    found += (
        ResourceSummary(
            address=other.address, kind=other.kind, digest=other.digest, path=other.path
        )
        for other in others
    )
    return tuple(sorted(found, key=lambda r: r.address.encode()))


def dependencies(
    graphs: Iterable[DesiredGraph],
    policies: Iterable[DesiredPolicy],
    others: Iterable[Dependency],
) -> tuple[Dependency, ...]:
    """Returns every edge, sorted."""
    edges = [edge for graph in graphs for edge in _edges_of_graph(graph)]
    edges.extend(
        (policy_address(policy.name), Address(scope))
        for policy in policies
        for scope in policy.applies_to
        if scope != CLUSTER
    )
    edges.extend((other.source, other.target) for other in others)
    # Pairs of texts up to here, nearly in order: a folder has twice as many edges as queries.
    unique = sorted(dict.fromkeys(edges))
    return tuple([Dependency(source=source, target=target) for source, target in unique])


def _of_graph(graph: DesiredGraph) -> Iterator[ResourceSummary]:
    schema = graph.schema
    yield ResourceSummary(address=graph_address(graph.id), kind="graph", digest=graph.digest)
    yield ResourceSummary(
        address=schema_address(graph.id), kind="schema", digest=schema.digest, path=schema.file
    )
    for query in graph.queries:
        yield ResourceSummary(
            address=query_address(graph.id, query.name),
            kind="query",
            digest=query.digest,
            path=query.file,
        )


def _edges_of_graph(graph: DesiredGraph) -> Iterator[tuple[Address, Address]]:
    target, schema = graph_address(graph.id), schema_address(graph.id)
    yield schema, target
    if graph.embedding_provider is not None:
        yield target, graph.embedding_provider
    for query in graph.queries:
        address = query_address(graph.id, query.name)
        yield address, target
        yield address, schema
