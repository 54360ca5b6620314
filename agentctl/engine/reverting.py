"""Brings the data of a graph back to an earlier commit, as a rollback asks for it. Source: ops 2, 5.

The step is like that of a schema: behind the lease of the graph, a sidecar and a decision that is
held against the graph once more. Its commit names what an earlier one named, so it copies nothing,
and another rollback undoes it.
"""

from agentctl.diagnostics.diagnostic import error
from agentctl.domain.plan.model import Change
from agentctl.domain.plan.reverts import Revert, revert_for
from agentctl.engine.advance import graph_moved
from agentctl.engine.consent import consented, fresh_gate, spend
from agentctl.engine.freezing import FrozenError
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
        async with hold_graph(running, revert.graph, "graph_revert") as held:
            await _revert_held(running, change, revert, held)
    except (StateLockHeldError, FrozenError) as busy:
        await graph_busy(running, change, revert.graph, busy)


async def _revert_held(running: Running, change: Change, revert: Revert, held: Held) -> None:
    live = held.live
    if live.presence != "live" or live.source_digest != revert.schema_digest:
        running.told.add(
            error(
                "graph_revert_refused",
                change.resource,
                f"graph {revert.graph} is {live.presence} and has not the schema of then",
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
    observed, graphs = live.commit, running.task.cluster.graphs

    async def act(stamp: Stamp) -> int:
        return await graphs.revert(revert.graph, revert.commit, observed=observed, stamp=stamp)

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
    running.state = graph_moved(
        running.state, live=seen, schema_digest=revert.schema_digest, at=running.at
    )
    await running.finished(change, "done")
