"""Brings the data of a branch of a graph back to an earlier commit, as a rollback asks for it. Source: ops 2, 5.

The step is like that of a schema: behind the lease of the branch, a sidecar and a decision that is
held against the graph once more. Its commit names what an earlier one named, so it copies nothing,
and another rollback undoes it.
"""

from agentctl.diagnostics.diagnostic import error
from agentctl.domain.plan.model import Change
from agentctl.domain.plan.reverts import MAIN, Revert, revert_for
from agentctl.engine.advance import graph_moved
from agentctl.engine.consent import consented, fresh_gate, spend
from agentctl.engine.freezing import FrozenError
from agentctl.engine.graph_data import named, place_of
from agentctl.engine.leases import StateLockHeldError
from agentctl.engine.moving import Held, Move, graph_busy, hold_graph, make, sidecar_of
from agentctl.engine.running import Running
from agentctl.graph.port import Stamp

FAILED = "graph_revert_failed"


async def revert_graph(running: Running, change: Change) -> None:
    """Carries an approved revert out."""
    revert = revert_for(change, running.task.inputs.reverts)
    assert revert is not None, "the change was made of it"
    await running.started(change)
    try:
        async with hold_graph(running, revert.key, "graph_revert") as held:
            await _revert_held(running, change, revert, held)
    except (StateLockHeldError, FrozenError) as busy:
        why = "frozen" if isinstance(busy, FrozenError) else "graph_busy"
        running.hold_back_one(change.resource, why)
        await graph_busy(running, change, revert.key, busy)


async def _revert_held(running: Running, change: Change, revert: Revert, held: Held) -> None:
    live = held.live
    is_main = revert.branch == MAIN
    differs = is_main and live.source_digest != revert.schema_digest
    if live.presence != "live" or differs:
        running.told.add(
            error(
                "graph_revert_refused",
                change.resource,
                f"graph {revert.key} is {live.presence}"
                + (" and has not the schema of then" if differs else ""),
                remedy="agentctl refresh",
            )
        )
        running.hold_back_one(change.resource, FAILED)
        await running.finished(change, "not_done", FAILED)
        return
    approval_id = await consented(running, change, fresh_gate(running, change, live))
    if approval_id is None:
        return
    assert live.commit is not None
    assert live.incarnation is not None
    observed, cluster = live.commit, running.task.cluster

    async def act(stamp: Stamp) -> int:
        if is_main:
            return await cluster.graphs.revert(
                revert.graph, revert.commit, observed=observed, stamp=stamp
            )
        place = await place_of(cluster, revert.graph)
        with named(revert.graph, place.root):
            return await place.data.revert(
                place.root, revert.commit, branch=revert.branch, observed=observed, stamp=stamp
            )

    sidecar = sidecar_of(
        running,
        held,
        "schema_apply",
        live.incarnation,
        schema_digest=revert.schema_digest,
        approval_id=approval_id,
    )
    seen = await make(running, Move(change=change, sidecar=sidecar, act=act))
    if seen is None:
        running.hold_back_one(change.resource, FAILED)
        return
    spend(running, approval_id)
    if is_main:
        running.state = graph_moved(
            running.state, live=seen, schema_digest=revert.schema_digest, at=running.at
        )
    await running.finished(change, "done")
