"""Brackets every mutation by its Op: begun before the effect, ended after it, settled if it died between.

Pending and `pre.json` come first, then running; `post.json` and the end come after the ledger or
the graph has recorded the outcome. Whoever holds a lease knows that no other holder's op is at work
under it, and settles those that look so: by what is recorded, never by running them again.
Source: ops 2, 5.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Final

import msgspec

from agentctl.domain.approval.codec import artifact_key
from agentctl.domain.ledger.observations import LiveGraph
from agentctl.domain.ops.record import (
    Constraint,
    Constraints,
    Lineage,
    NewOp,
    Op,
    OpActor,
    OpVerb,
)
from agentctl.domain.policy.caller import Caller
from agentctl.domain.storage.protocol import BackendError
from agentctl.engine.cluster import Cluster
from agentctl.engine.freezing import is_told
from agentctl.engine.gather import known_graphs, observe_graphs
from agentctl.engine.going_back import moved_data
from agentctl.engine.journal import OpRejectedError
from agentctl.engine.leases import Lease, LeaseLostError
from agentctl.engine.ledger import Head
from agentctl.engine.pins import let_go
from agentctl.engine.recovering import NOTHING_HELD, cancel_op, recover_op
from agentctl.engine.snapshots import snapshot as snapshot  # noqa: PLC0414  # others know it from here
from agentctl.instants import format_instant

CLUSTER_ACTIONS: Final = frozenset(
    {
        "apply",
        "rollback",
        "refresh",
        "import",
        "graph_restore",
        "graph_purge",
        "backup_restore",
    }
)
"""Actions whose ops run under the cluster's lease."""
HISTORY_MAX: Final = 100
"""How far back the ledger is searched for what an interrupted op recorded."""
DECISION_ACTIONS: Final = frozenset({"decide", "submit_decision"})
"""Actions whose truth is the artifact among their op's targets."""
RECORD_ACTIONS: Final = frozenset({"freeze", "thaw", "force_unlock"})
"""Actions without a lease whose truth is the record among their op's targets."""
LEASELESS_LIFE: Final = timedelta(minutes=10)
"""A force-unlock and a decision hold no lease; one older than this is not at work any more."""
_DECISION: Final = "approval:"
DIED: Final = "the process that ran it ended before it was done"


class Begin(msgspec.Struct, frozen=True, kw_only=True):
    """What an Op begins as."""

    action: str
    verb: OpVerb
    intent: str
    component: str = "cluster"
    targets: tuple[str, ...] = ()
    lineage: Lineage | None = None
    """None for a cluster op, whose parent is that of the newest ledger object."""
    op_id: str | None = None
    """Where something had to name the op first."""
    constraints: Constraints | None = None
    """Gates and recovery actions, spelled out; None for the lease of the command alone."""
    inputs_digest: str | None = None
    """Of what it is about to do, where that can be named."""


async def begin_op(
    cluster: Cluster,
    caller: Caller,
    begin: Begin,
    *,
    lease: Lease,
    head: Head | None,
    live: Mapping[str, LiveGraph],
) -> Op:
    """Records a running op; nothing of it may be done before this returns."""
    assert begin.constraints is None, "an op with gates begins by `constraints.begin_gated`"
    op = await cluster.journal.begin(
        new_op(cluster, caller, begin, lease), pre=snapshot(head, live.values())
    )
    return await cluster.journal.move(op.id, "running", epoch=lease.epoch)


def new_op(cluster: Cluster, caller: Caller, begin: Begin, lease: Lease) -> NewOp:
    """Returns what the journal is told of an op that begins."""
    own = Constraints(pre=(Constraint(kind="concurrent_lock", resource=lease.resource),))
    return NewOp(
        id=begin.op_id,
        actor=OpActor(nid=caller.nid, identity=caller.identity, source=caller.source),
        on_behalf_of=caller.on_behalf_of,
        intent=begin.intent,
        workspace=cluster.name or cluster.folder.path.name,
        component=begin.component,
        operation=begin.verb,
        action=begin.action,
        targets=begin.targets,
        constraints=begin.constraints or own,
        lineage=begin.lineage,
        inputs_digest=begin.inputs_digest,
    )


async def end_op(cluster: Cluster, op: Op, lease: Lease, head: Head | None) -> Op:
    """Records that an op succeeded, with what the cluster is then; returns it."""
    await let_go(cluster, op)
    state = head.envelope.state if head is not None else None
    live = await observe_graphs(cluster, known_graphs(None, state) | {*moved_data(op)})
    return await cluster.journal.move(
        op.id, "success", epoch=lease.epoch, post=snapshot(head, live.values())
    )


async def fail_op(
    cluster: Cluster,
    op: Op,
    lease: Lease,
    reason: str,
    *,
    held: Mapping[str, Lease] = NOTHING_HELD,
) -> None:
    """Records that an op failed, after its recovery actions where it has any.

    One that another holder has settled meanwhile stays as it is. *held* are the leases that its own
    gates took.
    """
    try:
        if op.constraints.on_failure:
            now = await cluster.journal.get(op.id) or op
            await recover_op(cluster, now, lease, reason, held=held)
            return
        await cluster.journal.move(op.id, "failed", epoch=lease.epoch, reason=reason)
    except (OpRejectedError, LeaseLostError):
        return


async def interrupt_op(  # an op, and what is known of it
    cluster: Cluster,
    op: Op,
    lease: Lease,
    *,
    effects: bool,
    recorded: bool,
    held: Mapping[str, Lease] = NOTHING_HELD,
) -> Op:
    """Ends an op that somebody interrupted; returns it.

    One that did nothing is cancelled. What the ledger has recorded of it stays; what it has not is
    taken back by the op's recovery actions. One that another holder settled stays as it is.
    """
    try:
        return await cancel_op(cluster, op, lease, effects=effects, recorded=recorded, held=held)
    except (OpRejectedError, LeaseLostError):
        return await cluster.journal.get(op.id) or op


async def abandon_op(
    cluster: Cluster,
    op: Op,
    lease: Lease,
    reason: str,
    *,
    held: Mapping[str, Lease] = NOTHING_HELD,
) -> None:
    """Records that an op broke off, unless the ledger has recorded it: then the next command ends it.

    Somebody who took the lease over may have written above it meanwhile. Where the ledger cannot be
    read now, nothing is guessed either. *held* are the leases that the op's own gates took.
    """
    try:
        history = await cluster.ledger.history(limit=HISTORY_MAX)
        if op.id not in {head.envelope.op for head in history}:
            await fail_op(cluster, op, lease, reason, held=held)
    except BackendError:
        return


async def settle_cluster_ops(cluster: Cluster, lease: Lease, unfinished: Iterable[Op]) -> None:
    """Ends those of *unfinished* that are the cluster's: as what the ledger says became of them."""
    horizon = format_instant(cluster.world.now() - LEASELESS_LIFE)
    leaseless = DECISION_ACTIONS | RECORD_ACTIONS | {"plan", "publish"}
    left = [
        o
        for o in unfinished
        if o.action in CLUSTER_ACTIONS or (o.action in leaseless and o.started_at < horizon)
    ]
    if not left:
        return
    recorded: dict[str, Head] = {}
    for head in await cluster.ledger.history(limit=HISTORY_MAX):
        if head.envelope.op is not None:
            recorded.setdefault(head.envelope.op, head)
    for op in left:
        head_of = recorded.get(op.id)
        decided = op.action in DECISION_ACTIONS and await _is_decided(cluster, op)
        if decided or (op.action in RECORD_ACTIONS and await is_told(cluster.store, op)):
            head_of = await cluster.ledger.head()
        await _settle(cluster, op, lease, head_of)


def decision_target(approval_id: str) -> str:
    """Returns how the op of a decision names the artifact that it tells of."""
    return f"{_DECISION}{approval_id}"


async def _is_decided(cluster: Cluster, op: Op) -> bool:
    """Returns whether the artifact that the op of a decision tells of is there."""
    named = [t.removeprefix(_DECISION) for t in op.targets if t.startswith(_DECISION)]
    return bool(named) and await cluster.store.read(artifact_key(named[0])) is not None


async def _settle(cluster: Cluster, op: Op, lease: Lease, head: Head | None) -> None:
    if op.status == "pending":
        await cluster.journal.move(op.id, "cancelled", epoch=lease.epoch, reason=DIED)
    elif head is not None and op.status == "running":
        await end_op(cluster, op, lease, head)
    else:
        await fail_op(cluster, op, lease, DIED)
