"""What an op began from and ended with: digests and positions, no data. Source: ops 1, 5."""

from collections.abc import Iterable

from agentctl.domain.ledger.observations import LiveGraph
from agentctl.domain.ops.record import Snapshot
from agentctl.engine.advance import recorded_digests
from agentctl.engine.ledger import Head
from agentctl.ids import split_branch


def snapshot(head: Head | None, live: Iterable[LiveGraph]) -> Snapshot:
    """Returns digests and positions of the cluster as it is now; branches are told as ``<graph>@<branch>``."""
    seen = tuple(live)
    return Snapshot(
        seq=head.seq if head is not None else None,
        state_cas=head.state_cas if head is not None else None,
        resource_digests=recorded_digests(head.envelope.state) if head is not None else {},
        graphs={
            graph.graph_id: None if graph.commit is None else _commit_id(graph) for graph in seen
        },
        contents={
            graph.graph_id: graph.content
            for graph in seen
            if graph.presence == "live" and graph.content is not None
        },
    )


def _commit_id(seen: LiveGraph) -> str:
    return f"{split_branch(seen.graph_id)[1]}:{seen.commit}"
