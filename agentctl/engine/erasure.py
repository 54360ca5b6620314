"""Hard drops: what a graph dropped, and what its older commits hold, taken away for good. Source: control-plane 3.3.

Dropping is soft and needs no consent: everything can be gone back to. That it can be no more is
proposed for a graph, shown in each plan as an irreversible change of ``graph.<id>@past``, consented
to, and carried out by an apply under the lease of the graph. Its commit bears a nonce that follows
from the proposal, so an apply that died in it is gone on with, and nothing is made twice.
"""

from collections.abc import Awaitable, Callable

import msgspec

from agentctl.canonical import canonical_bytes
from agentctl.diagnostics.diagnostic import Diagnostic, error, warning
from agentctl.domain.ledger.observations import LiveGraph
from agentctl.domain.plan.disposals import Disposal
from agentctl.domain.plan.model import Change
from agentctl.domain.policy.caller import Caller
from agentctl.domain.storage.protocol import BackendError, UnavailableError
from agentctl.engine.advance import observed, with_observations
from agentctl.engine.cluster import Cluster
from agentctl.engine.consent import consented, fresh_gate, spend
from agentctl.engine.disposals import disposal_key, standing
from agentctl.engine.freezing import FrozenError
from agentctl.engine.gather import observe_graph
from agentctl.engine.leases import CLUSTER, StateLockHeldError
from agentctl.engine.moving import ACT_ATTEMPTS_MAX, Held, graph_busy, hold_graph
from agentctl.engine.running import Running
from agentctl.engine.world import mint_ulid, stamp_now
from agentctl.graph.port import GraphError
from agentctl.ids import graph_address

NONCE_DIGITS = 32


async def propose_erasure(
    cluster: Cluster, caller: Caller, graph_id: str, intent: str
) -> Disposal | Diagnostic:
    """Puts the erasure of a graph's past before those who decide; one stands for a graph at a time."""
    address = graph_address(graph_id)
    live = await observe_graph(cluster, graph_id)
    head = await cluster.ledger.head()
    recorded = head.envelope.state.applied_revision.resources if head is not None else {}
    if address not in recorded or live.presence != "live":
        return error(
            "graph_not_found",
            address,
            f"there is no live graph {graph_id} in the applied revision",
            remedy="agentctl graph list",
        )
    for disposal in await standing(cluster.store):
        if disposal.graph == graph_id:
            return error(
                "disposal_proposed",
                disposal.resource,
                f"the erasure of the past of {graph_id} waits already",
                remedy=f"agentctl plan; or take it back: agentctl graph erase {graph_id} --withdraw",
            )
    made = Disposal(
        id=mint_ulid(cluster.world),
        kind="erase",
        graph=graph_id,
        incarnation=live.incarnation,
        bytes=live.bytes,
        by=caller.id,
        intent=intent,
        at=stamp_now(cluster.world),
    )
    await cluster.store.create(disposal_key(made), canonical_bytes(made))
    return made


async def withdraw_erasure(
    cluster: Cluster, graph_id: str, *, by: str = ""
) -> tuple[Disposal, ...]:
    """Takes back what was proposed for a graph; returns it.

    Raises:
        StateLockHeldError: another command is at work, which may be carrying it out.
    """
    async with cluster.leases.hold(CLUSTER, principal=by, operation="graph_erase"):
        found = tuple(d for d in await standing(cluster.store) if d.graph == graph_id)
        for disposal in found:
            await cluster.store.delete(disposal_key(disposal))
        return found


async def erase_graph(running: Running, change: Change) -> None:
    """Carries an approved erasure out."""
    proposed = await standing(running.task.cluster.store)
    disposal = next(d for d in proposed if d.digest == change.before_digest)
    assert disposal.graph is not None
    await running.started(change)
    try:
        async with hold_graph(running, disposal.graph, "graph_erase") as held:
            await _erase_held(running, change, disposal, held)
    except (StateLockHeldError, FrozenError) as busy:
        await graph_busy(running, change, disposal.graph, busy)


async def _erase_held(running: Running, change: Change, disposal: Disposal, held: Held) -> None:
    assert disposal.graph is not None
    if held.live.presence != "live" or held.live.incarnation != disposal.incarnation:
        await _failed(running, change, _gone(change, disposal, held.live), how="not_done")
        return
    approval_id = await consented(running, change, fresh_gate(running, change, held.live))
    if approval_id is None:
        return
    await running.task.cluster.leases.check(running.task.lease)
    stamp = running.stamp(epoch=held.lease.epoch, nonce=disposal.digest[:NONCE_DIGITS])
    graphs = running.task.cluster.graphs
    rows = sum(held.live.rows.values())
    running.progress(change, "rows that stay", 0, rows)

    async def act() -> None:
        assert disposal.graph is not None
        assert held.live.commit is not None
        await graphs.erase(disposal.graph, observed=held.live.commit, stamp=stamp)

    try:
        await _answered(act)
    except GraphError as failure:
        await _failed(running, change, failure.diagnostic, how="not_done")
        return
    except BackendError as failure:
        told = warning(
            "outcome_unknown",
            change.resource,
            f"the erasure was begun, and whether it is through could not be seen: {failure}",
            remedy="agentctl apply",
        )
        await _failed(running, change, told, how="unknown")
        return
    running.carried_out.append(disposal_key(disposal))
    await _seen(running, disposal.graph)
    spend(running, approval_id)
    await running.finished(change, "done")


async def _answered(act: Callable[[], Awaitable[None]]) -> None:
    """Makes the commit, and goes on with it where no answer came.

    Raises:
        GraphError: the graph refused it.
        BackendError: nobody answered still, or the storage failed.
    """
    for _ in range(ACT_ATTEMPTS_MAX - 1):
        try:
            return await act()
        except UnavailableError:
            continue
    return await act()


async def _seen(running: Running, graph_id: str) -> None:
    """Records where the graph is now, so that the erasure is no drift."""
    live = await observe_graph(running.task.cluster, graph_id)
    graph = running.task.desired.graph(graph_id)
    wanted = graph.schema.digest if graph is not None else live.source_digest or ""
    seen = observed(live, desired_schema_digest=wanted, at=running.at)
    running.state = with_observations(running.state, {graph_address(graph_id): seen})


async def _failed(running: Running, change: Change, told: Diagnostic, *, how: str) -> None:
    running.told.add(msgspec.structs.replace(told, path=change.resource))
    running.hold_back_one(change.resource, "graph_erase_failed")
    await running.finished(
        change, "unknown" if how == "unknown" else "not_done", "graph_erase_failed"
    )


def _gone(change: Change, disposal: Disposal, live: LiveGraph) -> Diagnostic:
    return error(
        "graph_erase_failed",
        change.resource,
        f"graph {disposal.graph} is {live.presence} or another than it was when this was proposed",
        remedy=f"agentctl graph erase {disposal.graph} --withdraw",
    )
