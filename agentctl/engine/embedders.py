"""The embedding provider that a graph is bound to, as applied, for the time of one query.

What counts is the applied revision: a provider that stands in the folder alone is asked nothing.
Source: graph-engine 5, control-plane 1.4.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from agentctl.adapters.embedding.asked import Asked
from agentctl.domain.config.model import EmbeddingProfile
from agentctl.engine.cluster import Cluster
from agentctl.ids import graph_address


@asynccontextmanager
async def bound_embedder(cluster: Cluster, graph_id: str) -> AsyncIterator[Asked | None]:
    """Gives the provider of a graph; None where it is bound to none, or this process opens none."""
    embedder = await _opened(cluster, graph_id)
    try:
        yield embedder
    finally:
        if embedder is not None:
            await embedder.aclose()


async def _opened(cluster: Cluster, graph_id: str) -> Asked | None:
    head = await cluster.ledger.head()
    if head is None or cluster.make_embedder is None:
        return None
    resources = head.envelope.state.applied_revision.resources
    graph = resources.get(graph_address(graph_id))
    provider = resources.get((graph.embedding_provider if graph is not None else None) or "")
    if provider is None or provider.embedding_profile is None:
        return None
    profile = msgspec.convert(provider.embedding_profile, EmbeddingProfile)
    return cluster.make_embedder(profile, provider.digest)
