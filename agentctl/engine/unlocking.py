"""`force-unlock`: the last resort against a holder that does not let go, as an Op. Source: control-plane 3.2, 3.3.

A lease whose holder is gone, or whose beat stands still, is ended by its exact id. One whose holder
still shows life may be in the middle of a write: ending it is irreversible, so an enrolled human
signs a statement about that very epoch, and the signature stands in the record that ends it.
"""

import msgspec

from agentctl.diagnostics.bag import Bag, has_errors, sort_diagnostics
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.ledger.freezes import CONSENT_NAMESPACE
from agentctl.domain.ops.record import NewOp, Op, OpActor
from agentctl.domain.policy.caller import Caller
from agentctl.domain.storage.lease import (
    LEASES_FOLDER,
    UnlockConsent,
    UnlockStatement,
    forced_key,
    unlock_bytes,
)
from agentctl.domain.storage.protocol import BackendError
from agentctl.engine.bracket import snapshot
from agentctl.engine.cluster import Cluster
from agentctl.engine.leases import LockInfo
from agentctl.engine.ledger import Head, LedgerUnreadableError
from agentctl.engine.observe import state_seen, state_seen_beside
from agentctl.engine.principals import Signer
from agentctl.engine.results import ForceUnlockResult
from agentctl.engine.world import mint_nonce, stamp_now


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    """What a human at a terminal brings along."""

    signer: Signer
    confirmation: str | None
    """What they typed: the name of what is leased."""


async def force_unlock(
    cluster: Cluster,
    caller: Caller,
    lock_id: str,
    intent: str,
    *,
    consent: Consent | None = None,
) -> ForceUnlockResult:
    """Ends the lease of exactly that id; whoever held it can write nothing more."""
    told = Bag()
    removed = False
    try:
        locks = await cluster.leases.locks()
    except BackendError as failure:
        return await _unread(cluster, failure)
    held = next((lock for lock in locks if lock.lock_id == lock_id), None)
    signed = await _consent(cluster, caller, held, intent, consent)
    if isinstance(signed, Diagnostic):
        told.add(signed)
    else:
        op = await _begin(cluster, caller, held, intent)
        outcome = await cluster.leases.force_unlock(lock_id, by=caller.id, op=op.id, consent=signed)
        told.add(*outcome.diagnostics)
        removed = outcome.unlocked is not None
        await _end(cluster, op, outcome.diagnostics)
    return ForceUnlockResult(
        ok=removed and not has_errors(told),
        config_dir=cluster.config_dir,
        state_observations=await state_seen(cluster, await _head(cluster)),
        lock_removed=removed,
        diagnostics=sort_diagnostics(told),
    )


async def _unread(cluster: Cluster, failure: BackendError) -> ForceUnlockResult:
    """Returns the result where nobody can say who holds what; nothing was begun."""
    unseen = error(
        "state_lock_read_error",
        LEASES_FOLDER,
        "who holds a lease could not be read, so none was removed",
        detail=str(failure),
        remedy="See whether the storage root is reachable, then run the command again.",
    )
    return ForceUnlockResult(
        ok=False,
        config_dir=cluster.config_dir,
        state_observations=state_seen_beside(cluster, await _head(cluster), None),
        lock_removed=False,
        diagnostics=(unseen,),
    )


def shows_life(lock: LockInfo) -> bool:
    """Returns whether the holder of *lock* may be at work."""
    return lock.fresh and not lock.holder_gone


def confirms_unlock(typed: str | None, lock: LockInfo) -> bool:
    """Returns whether *typed* names what is leased: ``cluster``, ``graph.a@main`` or ``a@main``."""
    return typed is not None and typed in {lock.resource, lock.resource.removeprefix("graph.")}


async def _consent(
    cluster: Cluster,
    caller: Caller,
    held: LockInfo | None,
    intent: str,
    consent: Consent | None,
) -> UnlockConsent | Diagnostic | None:
    """Returns the signed consent that ending *held* needs, None where it needs none, or why not."""
    if held is None or not shows_life(held):
        return None
    registry = await cluster.principals.registry()
    human = registry.human(caller.id) if caller.enrolled else None
    if consent is None or human is None or human.key != consent.signer.key:
        return error(
            "approval_required",
            held.resource,
            f"the holder of {held.resource} shows life; an enrolled human signs to end its lease",
            detail=held.safe_action,
            remedy=f"agentctl force-unlock {held.lock_id}",
        )
    if not confirms_unlock(consent.confirmation, held):
        return error(
            "confirmation_mismatch", held.resource, "what was typed is not the name of the lease"
        )
    audit = await cluster.audit.head()
    statement = UnlockStatement(
        cluster_id=registry.cluster_id,
        resource=held.resource,
        epoch=held.epoch,
        lock_id=held.lock_id or "",
        holder=held.principal,
        operation=held.operation,
        reason=intent,
        by=caller.id,
        at=stamp_now(cluster.world),
        audit_head=audit.head,
        audit_length=audit.length,
        nonce=mint_nonce(cluster.world),
    )
    data = unlock_bytes(statement)
    key, signature = consent.signer.sign(data, CONSENT_NAMESPACE)
    assert cluster.verify(signature, data, CONSENT_NAMESPACE) == key, "it was just signed"
    return UnlockConsent(statement=statement, key=key, signature=signature)


async def _begin(cluster: Cluster, caller: Caller, held: LockInfo | None, intent: str) -> Op:
    targets = () if held is None else (held.resource, forced_key(held.resource, held.epoch))
    new = NewOp(
        actor=OpActor(nid=caller.nid, identity=caller.identity, source=caller.source),
        on_behalf_of=caller.on_behalf_of,
        intent=intent,
        workspace=cluster.name or cluster.folder.path.name,
        operation="update",
        action="force_unlock",
        targets=targets,
    )
    op = await cluster.journal.begin(new, pre=snapshot(await _head(cluster), ()))
    return await cluster.journal.move(op.id, "running", epoch=0)


async def _end(cluster: Cluster, op: Op, told: tuple[Diagnostic, ...]) -> None:
    if has_errors(told):
        await cluster.journal.move(op.id, "failed", epoch=0, reason=told[0].message)
        return
    post = snapshot(await _head(cluster), ())
    await cluster.journal.move(op.id, "success", epoch=0, post=post)


async def _head(cluster: Cluster) -> Head | None:
    """Returns the ledger's head; None also where it cannot be read: unlocking goes on then."""
    try:
        return await cluster.ledger.head()
    except LedgerUnreadableError:
        return None
