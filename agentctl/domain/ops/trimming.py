"""A desired state cut to what was in force once: the target of a rollback. Source: ops 2, control-plane 3.2.

What a configuration declared and never reached is not wanted again. Moves and leave-takings are
steps of the way there, not of what is there: a rollback does not make them again.
"""

from collections.abc import Iterable, Mapping

import msgspec

from agentctl.canonical import canonical_bytes, sha256_hex
from agentctl.domain.config.digests import graph_composite
from agentctl.domain.config.model import DesiredCluster, DesiredGraph
from agentctl.domain.config.summaries import dependencies, summaries
from agentctl.ids import Address, graph_address, policy_address, query_address


def only(desired: DesiredCluster, kept: Iterable[str]) -> DesiredCluster:
    """Returns *desired* with the resources of these addresses alone, without `moved` and `forget`.

    A part of a configuration has a config digest of its own, which no folder ever has.
    """
    stay = frozenset(kept)
    still = msgspec.structs.replace(desired, moved=(), forget=())
    if all(resource.address in stay for resource in desired.resources):
        return still
    providers = tuple(p for p in desired.embedding_providers if p.address in stay)
    digests = {p.address: p.digest for p in providers}
    graphs = tuple(
        _trimmed(graph, stay, digests)
        for graph in desired.graphs
        if graph_address(graph.id) in stay
    )
    policies = tuple(p for p in desired.policies if policy_address(p.name) in stay)
    others = tuple(other for other in desired.others if other.address in stay)
    resources = summaries(graphs, policies, providers, others)
    addresses = {resource.address for resource in resources}
    edges = (e for e in desired.dependencies if e.source in addresses)
    whole = [desired.config_digest, {r.address: r.digest for r in resources}]
    return msgspec.structs.replace(
        still,
        graphs=graphs,
        policies=policies,
        embedding_providers=providers,
        others=others,
        resources=resources,
        dependencies=dependencies(graphs, policies, edges),
        protect=tuple(address for address in desired.protect if address in addresses),
        config_digest=sha256_hex(b"cluster-config-part\0" + canonical_bytes(whole)),
    )


def left_out(desired: DesiredCluster, recorded: Mapping[str, str]) -> tuple[str, ...]:
    """Returns in words where *desired* is not what was *recorded*, by address; composites follow."""
    wanted = desired.resource_digests
    told: list[str] = []
    for address in sorted({*wanted, *recorded}):
        here, there = wanted.get(address), recorded.get(address)
        if here == there or (address.startswith("graph.") and here and there):
            continue
        if here is None:
            told.append(f"{address} was in force, and its source does not declare it")
        elif there is None:
            told.append(f"{address} was not whole then; the source's is taken")
        else:
            told.append(f"{address} had another content, which the catalog does not hold")
    return tuple(told)


def _trimmed(
    graph: DesiredGraph, stay: frozenset[str], providers: Mapping[Address, str]
) -> DesiredGraph:
    queries = tuple(q for q in graph.queries if query_address(graph.id, q.name) in stay)
    bound = graph.embedding_provider
    provider = (bound, providers.get(bound)) if bound is not None else None
    digest = graph_composite(
        graph.id,
        graph.schema.digest,
        {q.name: q.digest for q in queries},
        provider=provider,
        blob_bases=((base.uri, base.scope) for base in graph.external_blobs),
    )
    return msgspec.structs.replace(graph, queries=queries, digest=digest)
