"""Care of a graph through the control plane: verify, optimize, cleanup. Source: graph-engine 6.

A cleanup cannot be undone. What is younger than the retention floor is let go of by no command: for
that there is no gate here (control-plane 3.3). A rehearsal says of any retention what would go.
"""

from datetime import timedelta
from typing import Final

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.policy.caller import Caller
from agentctl.engine.branches import Call
from agentctl.engine.cluster import Cluster
from agentctl.engine.graph_data import named, place_of, recorded_place
from agentctl.engine.world import mint_nonce, stamp_now
from agentctl.engine.writing import Written, write_branch
from agentctl.graph.data_port import CleanupReport, OptimizeReport, Retention, VerifyReport
from agentctl.graph.layout import MAIN
from agentctl.graph.port import Stamp
from agentctl.ids import graph_address

RETENTION_FLOOR: Final = timedelta(days=7)
"""What is younger stays, whatever is asked; as long as a detached graph is kept."""


async def graph_verify(cluster: Cluster, graph: str) -> VerifyReport:
    """Returns what a look at everything of a recorded graph found."""
    place = await recorded_place(cluster, graph)
    async with named(graph, place.root):
        return await place.data.verify(place.root)


async def graph_optimize(
    cluster: Cluster, caller: Caller, call: Call, *, branch: str = MAIN
) -> Written[OptimizeReport]:
    """Compacts small files and brings indexes up to date, under the lease of the branch."""
    place = await place_of(cluster, call.graph)

    async def act(stamp: Stamp) -> OptimizeReport:
        return await place.data.optimize(place.root, branch=branch, stamp=stamp)

    return await write_branch(cluster, caller, call.write("graph_optimize", branch), act)


async def graph_cleanup(
    cluster: Cluster, caller: Caller, call: Call, retention: Retention
) -> Written[CleanupReport]:
    """Lets go of what nothing keeps, under the lease of `main`."""
    if retention.older_than < RETENTION_FLOOR:
        return Written(diagnostics=(_below_floor(call.graph),))

    place = await place_of(cluster, call.graph)

    async def act(stamp: Stamp) -> CleanupReport:
        return await place.data.cleanup(place.root, retention, now=cluster.world.now(), stamp=stamp)

    return await write_branch(cluster, caller, call.write("graph_cleanup", MAIN), act)


async def rehearsed_cleanup(
    cluster: Cluster, caller: Caller, graph: str, retention: Retention
) -> CleanupReport:
    """Returns what a cleanup would let go of; nothing is written, and no lease is held.

    Raises:
        GraphError: as `place_of`, and where the graph cannot be read.
    """
    place = await recorded_place(cluster, graph)
    stamp = Stamp(
        op="",
        actor=caller.id,
        on_behalf_of=caller.on_behalf_of,
        intent="a rehearsal",
        epoch=_NO_EPOCH,
        nonce=mint_nonce(cluster.world),
        at=stamp_now(cluster.world),
    )
    async with named(graph, place.root):
        return await place.data.cleanup(
            place.root, retention, now=cluster.world.now(), stamp=stamp, rehearse=True
        )


_NO_EPOCH: Final = 2**53 - 1
"""Above that of every commit: whoever writes nothing has no lease that could be lost."""


def _below_floor(graph: str) -> Diagnostic:
    return error(
        "retention_floor",
        graph_address(graph),
        f"a cleanup never lets go of commits that are younger than {RETENTION_FLOOR.days} days",
        remedy=f"agentctl graph cleanup {graph} --older-than {RETENTION_FLOOR.days}d;"
        " with --dry-run any age is answered with what would go.",
    )
