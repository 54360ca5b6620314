"""What tests of data through the door share."""

from agentctl.engine.cluster import Cluster
from agentctl.graph.port import Stamp

STAMP = Stamp(
    op="o",
    actor="sarah",
    on_behalf_of=None,
    intent="a branch",
    epoch=1,
    nonce="0" * 32,
    at="2026-11-21T12:00:00.000Z",
)


async def cut(cluster: Cluster, branch: str) -> None:
    """Cuts a branch of `supply` from the newest of main."""
    await cluster.graphs.branch_create("supply", branch, stamp=STAMP)
