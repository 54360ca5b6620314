"""The seal: how an approved deletion is carried out. Source: control-plane 3.4, 3.5.

The graph's main lease is taken, so that nobody writes to it; the effect is measured again and
compared with what the decider saw; only then the sidecar is written and the graph detached. Its
data stays until its time is over.
"""

from agentctl.diagnostics.diagnostic import error
from agentctl.domain.plan.model import Change
from agentctl.engine.advance import graph_detached
from agentctl.engine.consent import consented, fresh_gate, spend
from agentctl.engine.freezing import FrozenError
from agentctl.engine.leases import StateLockHeldError
from agentctl.engine.moving import (
    Held,
    Move,
    graph_busy,
    hold_graph,
    make,
    sidecar_of,
    step_failed,
)
from agentctl.engine.running import Running
from agentctl.graph.port import Stamp
from agentctl.ids import parse_address


async def delete_graph(running: Running, change: Change) -> None:
    """Detaches a graph whose deletion was approved, if the approval still stands under the seal."""
    parsed = parse_address(change.resource)
    assert parsed is not None
    assert change.gate is not None, "a graph's deletion is gated"
    await running.started(change)
    try:
        async with hold_graph(running, parsed.name, "graph_delete") as held:
            await _delete_held(running, change, held)
    except (StateLockHeldError, FrozenError) as busy:
        await graph_busy(running, change, parsed.name, busy)


async def _delete_held(running: Running, change: Change, held: Held) -> None:
    live = held.live
    if live.presence in {"foreign", "unreadable"}:
        running.told.add(
            error(
                "graph_delete_failed",
                change.resource,
                f"the root of graph {live.graph_id} cannot be read: {live.error}",
                remedy="Repair or remove that root, then run: agentctl apply",
            )
        )
        await step_failed(running, change, live.graph_id, "graph_delete", "not_done")
        return
    approval_id = await consented(running, change, fresh_gate(running, change, live))
    if approval_id is None:
        return
    if live.presence == "live" and not await _detach(running, change, held, approval_id):
        return
    running.state = graph_detached(
        running.state,
        live.graph_id,
        uri=live.uri,
        incarnation=live.incarnation if live.presence in {"live", "detached"} else None,
        approval_id=approval_id,
        actor=running.task.caller.id,
        at=running.at,
        kept_s=running.task.inputs.retention_s,
    )
    spend(running, approval_id)
    await running.finished(change, "done")


async def _detach(running: Running, change: Change, held: Held, approval_id: str) -> bool:
    live, port = held.live, running.task.cluster.graphs
    assert live.commit is not None
    assert live.incarnation is not None
    observed = live.commit

    async def act(stamp: Stamp) -> int:
        return await port.detach(live.graph_id, observed=observed, stamp=stamp)

    sidecar = sidecar_of(
        running,
        held,
        "graph_delete",
        live.incarnation,
        schema_digest="",
        approval_id=approval_id,
    )
    return await make(running, Move(change=change, sidecar=sidecar, act=act)) is not None
