"""What the root of a graph shows about the steps that were meant for it; looks, and changes nothing."""

import msgspec

from agentctl.domain.storage.protocol import BackendError
from agentctl.engine.cluster import Cluster
from agentctl.engine.gather import observe_graph
from agentctl.engine.graph_data import place_of
from agentctl.engine.recover import Evidence, SeenCommit
from agentctl.graph.layout import MAIN
from agentctl.graph.port import CommitInfo, GraphError
from agentctl.ids import split_branch

HISTORY_MAX = 200
"""How far back commits and ledger objects are read at first; as far as the oldest step goes at last."""


async def evidence_of(cluster: Cluster, graph_id: str, *, above: int | None = None) -> Evidence:
    """Returns what the root of a graph shows about steps that were meant for it.

    Args:
        cluster: the opened cluster.
        graph_id: whose root; of a branch beside `main` ``<graph>@<branch>``.
        above: the commit on which the oldest of the steps was to stand; None for a step that was
            made just now. Others may have written since: loads are not barred by a sidecar.
    """
    live = await observe_graph(cluster, graph_id)
    if live.presence not in {"live", "detached", "purged"}:
        return Evidence(live=live)
    limit = HISTORY_MAX if above is None else max(HISTORY_MAX, (live.commit or 0) - above)
    try:
        history = await _history(cluster, graph_id, limit)
    except (GraphError, BackendError) as failure:
        unreadable = msgspec.structs.replace(live, presence="unreadable", error=str(failure))
        return Evidence(live=unreadable)
    return Evidence(live=live, commits=tuple(seen_commit(commit) for commit in history))


async def _history(cluster: Cluster, graph_id: str, limit: int) -> tuple[CommitInfo, ...]:
    graph, branch = split_branch(graph_id)
    if branch == MAIN:
        return await cluster.graphs.history(graph_id, limit=limit)
    place = await place_of(cluster, graph)
    return await place.data.commits(place.root, branch=branch, limit=limit, or_ended=True)


def seen_commit(commit: CommitInfo) -> SeenCommit:
    """Returns what recovery needs of a commit."""
    return SeenCommit(
        number=int(commit.id.rpartition(":")[2]),
        kind=commit.kind,
        nonce=commit.nonce,
        incarnation=commit.incarnation,
    )
