"""`freeze` and `thaw`, each an Op. Source: control-plane 3.2, access-and-faces 3.1.

A freeze waits for nobody: it holds as soon as its record is there, also against a command that runs
now. The ledger records it as soon as the cluster's lease can be had, by this command or by the next
one that writes (`record_freezes`). Anyone may freeze; a thaw is a human's signature over a statement
of its own, checked whenever it is read.
"""

from typing import Final

import msgspec

from agentctl.diagnostics.bag import Bag, has_errors, sort_diagnostics
from agentctl.diagnostics.diagnostic import Diagnostic, error, warning
from agentctl.domain.ledger.envelope import Freeze
from agentctl.domain.ledger.freezes import (
    CLUSTER_SCOPE,
    CONSENT_NAMESPACE,
    FreezeRecord,
    FreezeResult,
    ThawRecord,
    ThawSeen,
    ThawStatement,
    frozen,
    record_key,
    thaw_bytes,
    thaw_key,
)
from agentctl.domain.ops.record import NewOp, Op, OpActor
from agentctl.domain.policy.caller import Caller
from agentctl.domain.storage.protocol import BackendError
from agentctl.engine.advance import recorded_digests
from agentctl.engine.bracket import snapshot
from agentctl.engine.cluster import Cluster
from agentctl.engine.freezing import thaw_fault
from agentctl.engine.journal import OpRejectedError
from agentctl.engine.leases import CLUSTER, LeaseLostError, StateLockHeldError
from agentctl.engine.ledger import Head, LedgerError
from agentctl.engine.principals import Signer
from agentctl.engine.recorded_freezes import record_freezes
from agentctl.engine.world import mint_nonce, mint_ulid, stamp_now

WAIT_S: Final = 2.0
"""How long the record in the ledger waits for a lease that is held: what holds, holds already."""
INTENT_CHARACTERS_MAX: Final = 2000


async def freeze(
    cluster: Cluster, caller: Caller, scope: str, intent: str, *, until: str | None = None
) -> FreezeResult:
    """Stops every commit of *scope* at once, until a human thaws it or *until* is over.

    Raises:
        BackendError: the store failed; `freezes` shows whether it holds.
    """
    told = Bag()
    head = await cluster.ledger.head()
    told.add(*_scope_fault(head, scope))
    if not intent.strip():
        told.add(error("intent_required", "intent", "a freeze needs a reason"))
    if has_errors(told):
        return await _answer(cluster, told)
    made = Freeze(
        id=mint_ulid(cluster.world),
        scope=scope,
        since=stamp_now(cluster.world),
        until=until,
        reason=intent,
        by=caller.id,
    )
    op = await _begin(cluster, caller, "freeze", intent, made, record_key(made.id))
    await cluster.freezes.write(FreezeRecord(op=op.id, freeze=made))
    return await _finish(cluster, caller, op, made, told)


async def thaw(
    cluster: Cluster, caller: Caller, freeze_id: str, reason: str, *, signer: Signer
) -> FreezeResult:
    """Ends one freeze by the calling human's signature.

    Raises:
        BackendError: the store failed; `freezes` shows whether it still holds.
    """
    told = Bag()
    head = await cluster.ledger.head()
    registry = await cluster.principals.registry()
    found = next((f for f in await holding(cluster, head) if f.id == freeze_id), None)
    human = registry.human(caller.id)
    if found is None:
        told.add(freeze_not_found(freeze_id))
    elif human is None or human.key != signer.key:
        told.add(error("human_only", found.scope, f"{caller.id} holds no key of an enrolled human"))
    if found is None or has_errors(told):
        return await _answer(cluster, told)
    audit = await cluster.audit.head()
    statement = ThawStatement(
        cluster_id=registry.cluster_id,
        freeze=found.id,
        scope=found.scope,
        reason=reason,
        by=caller.id,
        at=stamp_now(cluster.world),
        seen=ThawSeen(
            ledger_seq=head.seq if head is not None else None,
            audit_head=audit.head,
            audit_length=audit.length,
        ),
        nonce=mint_nonce(cluster.world),
    )
    key, signature = signer.sign(thaw_bytes(statement), CONSENT_NAMESPACE)
    op = await _begin(cluster, caller, "thaw", reason, found, thaw_key(found.id))
    record = ThawRecord(op=op.id, statement=statement, key=key, signature=signature)
    fault = thaw_fault(record, registry, cluster.verify)
    assert fault is None, f"a thaw that was just signed holds: {fault}"
    await cluster.freezes.end(record)
    return await _finish(cluster, caller, op, found, told)


async def freezes(cluster: Cluster, caller: Caller) -> tuple[Freeze, ...]:  # noqa: ARG001  # one shape for all commands
    """Returns what is frozen now, by id."""
    return await holding(cluster, await cluster.ledger.head())


async def holding(cluster: Cluster, head: Head | None) -> tuple[Freeze, ...]:
    """Returns what is frozen now, with what the newest ledger object *head* says."""
    return await cluster.freezes.in_force(head.envelope.freezes if head is not None else ())


async def frozen_warnings(cluster: Cluster, head: Head | None) -> tuple[Diagnostic, ...]:
    """Returns a warning for each freeze in force, and for each thaw that is obeyed by nobody."""
    held = (frozen(freeze, freeze.scope) for freeze in await holding(cluster, head))
    told = (msgspec.structs.replace(one, severity="warning") for one in held)
    return (*told, *await cluster.freezes.remarks())


def freeze_not_found(named: str) -> Diagnostic:
    """Returns that nothing of that name is frozen."""
    return error(
        "freeze_not_found",
        named,
        "no freeze of that id holds now",
        remedy="agentctl freeze --list",
    )


def _scope_fault(head: Head | None, scope: str) -> tuple[Diagnostic, ...]:
    if scope == CLUSTER_SCOPE:
        return ()
    known = recorded_digests(head.envelope.state) if head is not None else {}
    if scope.startswith("graph.") and scope in known:
        return ()
    graphs = ", ".join(a for a in sorted(known) if a.startswith("graph."))
    return (
        error(
            "graph_not_found",
            scope,
            f"there is no {scope} to freeze; nothing is frozen by this",
            remedy=f"Freeze `cluster`{' or one of ' + graphs if graphs else ''}.",
        ),
    )


async def _begin(
    cluster: Cluster, caller: Caller, action: str, why: str, made: Freeze, key: str
) -> Op:
    new = NewOp(
        actor=OpActor(nid=caller.nid, identity=caller.identity, source=caller.source),
        on_behalf_of=caller.on_behalf_of,
        intent=why[:INTENT_CHARACTERS_MAX],
        workspace=cluster.name or cluster.folder.path.name,
        component=made.scope,
        operation="update",
        action=action,
        targets=(key,),
    )
    op = await cluster.journal.begin(new, pre=snapshot(await cluster.ledger.head(), ()))
    return await cluster.journal.move(op.id, "running", epoch=0)


async def _finish(
    cluster: Cluster, caller: Caller, op: Op, made: Freeze, told: Bag
) -> FreezeResult:
    """Records in the ledger what holds, and ends the Op; what holds does so without either."""
    head = await _record(cluster, caller, op, told)
    try:
        post = snapshot(await cluster.ledger.head(), ())
        await cluster.journal.move(op.id, "success", epoch=0, post=post)
    except (OpRejectedError, BackendError):
        told.add(_unrecorded("its Op could not be ended"))
    return await _answer(cluster, told, made=made, op=op, head=head)


async def _record(cluster: Cluster, caller: Caller, op: Op, told: Bag) -> Head | None:
    if await cluster.ledger.head() is None:
        return None
    try:
        async with cluster.leases.hold(
            CLUSTER, principal=caller.id, operation=op.action, wait_s=WAIT_S
        ) as lease:
            fenced = lease.fence_needed
            head = await (cluster.ledger.fence(lease) if fenced else cluster.ledger.head())
            assert head is not None, "a ledger does not go away"
            cluster.leases.fenced(lease)
            return await record_freezes(cluster, lease, head, op=op.id)
    except StateLockHeldError as busy:
        told.add(_unrecorded(busy.diagnostic.message))
    except (LeaseLostError, LedgerError, BackendError) as failure:
        told.add(_unrecorded(str(failure)))
    return None


def _unrecorded(why: str) -> Diagnostic:
    return warning(
        "freeze_not_recorded",
        "cluster",
        "it is in force, and the ledger does not have it yet",
        detail=f"{why}. The next command that writes records it.",
    )


async def _answer(
    cluster: Cluster,
    told: Bag,
    *,
    made: Freeze | None = None,
    op: Op | None = None,
    head: Head | None = None,
) -> FreezeResult:
    now = await cluster.ledger.head()
    return FreezeResult(
        ok=not has_errors(told),
        config_dir=cluster.config_dir,
        freeze=made,
        freezes=await holding(cluster, now),
        op=op.id if op is not None else None,
        seq=head.seq if head is not None else None,
        diagnostics=sort_diagnostics(told),
    )
