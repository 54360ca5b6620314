"""A look at everything that is live, and what a refresh would record of it; writes nothing.

`refresh` records what it returns; `plan --refresh` plans from it without recording; an apply that
corrects drift does both. Payloads come before graphs, so that the composite of a graph already
leaves out the queries that were dropped. Source: control-plane 1.7, 1.11.
"""

from collections.abc import Mapping

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.config.model import DesiredCluster
from agentctl.domain.ledger.drift import Drift, drift_of
from agentctl.domain.ledger.observations import LiveGraph
from agentctl.domain.ledger.state import State
from agentctl.engine.advance import recorded_digests
from agentctl.engine.cluster import Cluster
from agentctl.engine.drift import graphs_seen, payloads_seen
from agentctl.engine.gather import known_graphs, observe_graphs
from agentctl.engine.world import stamp_now


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """What a look found."""

    state: State
    """As a refresh would record it."""
    live: Mapping[str, LiveGraph]
    """By id: every graph that is declared or recorded."""
    drift: tuple[Drift, ...]
    """Against the state before the look, by address."""
    diagnostics: tuple[Diagnostic, ...]


async def look(
    cluster: Cluster,
    desired: DesiredCluster,
    state: State,
    *,
    pending: frozenset[str] = frozenset(),
) -> Looked:
    """Returns what is live, what drifted from *state*, and the state that says so.

    Args:
        cluster: the opened cluster.
        desired: what the target declares.
        state: as the ledger records it, swept where a lease is held.
        pending: ids of the graphs whose interrupted step is not settled; the sweep owns those.
    """
    checks = await cluster.catalog.check_all(recorded_digests(state))
    payloads = payloads_seen(state, checks)
    live = await observe_graphs(cluster, known_graphs(desired, state))
    at = stamp_now(cluster.world)
    graphs = graphs_seen(payloads.state, desired, live, at=at, pending=pending)
    return Looked(
        state=graphs.state,
        live=live,
        drift=drift_of(state, live, {check.address: check.standing for check in checks}),
        diagnostics=(*payloads.diagnostics, *graphs.diagnostics),
    )


async def other_roots(
    cluster: Cluster, desired: DesiredCluster, state: State
) -> tuple[LiveGraph, ...]:
    """Returns what the roots hold that are neither declared nor recorded, by id."""
    known = known_graphs(desired, state)
    strange = [graph for graph in await cluster.graphs.roots() if graph not in known]
    return tuple((await observe_graphs(cluster, strange)).values())
