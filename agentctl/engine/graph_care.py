"""Care of a graph through the control plane: verify, optimize, cleanup. Source: graph-engine 6.

A cleanup cannot be undone. What is younger than the retention floor is let go of by no command: it
would be gated (control-plane 3.3), and the gate there is lies on the setting. The floor is the applied
`ops.retention.detached`, for which deleted graphs are kept as well; to shorten it waits for a human.
A rehearsal says of any retention what would go.
"""

from datetime import timedelta
from typing import Final

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.config.durations import span
from agentctl.domain.ledger.sidecar import RETENTION_S
from agentctl.domain.policy.caller import Caller
from agentctl.engine.branches import Call
from agentctl.engine.cluster import Cluster
from agentctl.engine.graph_data import named, place_of, recorded, recorded_place
from agentctl.engine.keeping import retention_s
from agentctl.engine.ledger import Head
from agentctl.engine.world import mint_nonce, stamp_now
from agentctl.engine.writing import Written, write_branch
from agentctl.graph.data_port import CleanupReport, OptimizeReport, Retention, VerifyReport
from agentctl.graph.layout import MAIN
from agentctl.graph.port import Stamp
from agentctl.ids import graph_address


async def graph_verify(cluster: Cluster, graph: str) -> VerifyReport:
    """Returns what a look at everything of a recorded graph found."""
    place = await recorded_place(cluster, graph)
    with named(graph, place.root):
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
    cluster: Cluster, caller: Caller, call: Call, *, keep: int, older_than: timedelta | None
) -> Written[CleanupReport]:
    """Lets go of what nothing keeps, under the lease of `main`.

    Args:
        cluster: the opened cluster.
        caller: who cleans up.
        call: what, and why.
        keep: how many of the newest commits of each branch stay.
        older_than: what is younger stays too; None for the floor.

    Raises:
        GraphError: as `recorded` and `place_of`.
    """
    retention = await _retention(cluster, call.graph, keep, older_than)
    place = await place_of(cluster, call.graph)

    async def check(head: Head) -> Diagnostic | None:
        floor = await _floor(cluster, head)
        is_below = floor is None or retention.older_than < floor
        return _below_floor(call.graph, floor) if is_below else None

    async def act(stamp: Stamp) -> CleanupReport:
        return await place.data.cleanup(place.root, retention, now=cluster.world.now(), stamp=stamp)

    write = call.write("graph_cleanup", MAIN)
    return await write_branch(cluster, caller, write, act, check=check)


async def rehearsed_cleanup(
    cluster: Cluster, caller: Caller, graph: str, *, keep: int, older_than: timedelta | None
) -> CleanupReport:
    """Returns what a cleanup would let go of; nothing is written, and no lease is held.

    What it keeps is as of `graph_cleanup`, and may be below the floor.

    Raises:
        GraphError: as `place_of`, and where the graph cannot be read.
    """
    place = await recorded_place(cluster, graph)
    retention = await _retention(cluster, graph, keep, older_than)
    stamp = Stamp(
        op="",
        actor=caller.id,
        on_behalf_of=caller.on_behalf_of,
        intent="a rehearsal",
        epoch=_NO_EPOCH,
        nonce=mint_nonce(cluster.world),
        at=stamp_now(cluster.world),
    )
    with named(graph, place.root):
        return await place.data.cleanup(
            place.root, retention, now=cluster.world.now(), stamp=stamp, rehearse=True
        )


_NO_EPOCH: Final = 2**53 - 1
"""Above that of every commit: whoever writes nothing has no lease that could be lost."""


async def _floor(cluster: Cluster, head: Head) -> timedelta | None:
    """Returns what is too young to be let go of; None where the applied setting cannot be read."""
    kept_s = await retention_s(cluster.catalog, head.envelope.state)
    return None if kept_s is None else timedelta(seconds=kept_s)


async def _retention(
    cluster: Cluster, graph: str, keep: int, older_than: timedelta | None
) -> Retention:
    floor = await _floor(cluster, await recorded(cluster, graph))
    standard = floor if floor is not None else timedelta(seconds=RETENTION_S)
    return Retention(keep=keep, older_than=standard if older_than is None else older_than)


def _below_floor(graph: str, floor: timedelta | None) -> Diagnostic:
    if floor is None:
        why = (
            "how young commits may be let go of is applied as `ops.retention`, which cannot be read"
        )
        return error("retention_floor", graph_address(graph), why, remedy="agentctl status")
    return error(
        "retention_floor",
        graph_address(graph),
        f"a cleanup never lets go of commits that are younger than {span(int(floor.total_seconds()))}, as"
        " `ops.retention.detached` says",
        remedy=f"agentctl graph cleanup {graph}; with --dry-run any age is answered with what would"
        " go. A shorter `ops.retention.detached` is applied once a human agrees.",
    )
