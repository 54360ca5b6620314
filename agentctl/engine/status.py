"""`status`, `locks` and `force-unlock`: what the ledger says, who holds what, and the last resort.

`status` takes no lease and writes nothing: it tells of sidecars, payloads and the copy of the state,
and leaves the repair to the commands that write. Source: control-plane 1.11, 3.2.
"""

import msgspec

from agentctl.diagnostics.bag import Bag, has_errors, sort_diagnostics
from agentctl.diagnostics.diagnostic import Diagnostic, error, warning
from agentctl.domain.ledger.state import State
from agentctl.domain.ops.record import NewOp, Op, OpActor
from agentctl.domain.policy.caller import Caller
from agentctl.engine.advance import recorded_digests
from agentctl.engine.bracket import snapshot
from agentctl.engine.cluster import Cluster
from agentctl.engine.drafts import HOMECOMINGS
from agentctl.engine.leases import LockInfo
from agentctl.engine.ledger import Head, LedgerUnreadableError
from agentctl.engine.observe import state_seen
from agentctl.engine.results import ForceUnlockResult, StatusResult
from agentctl.engine.sidecars import pending_warnings, read_sidecars


async def status(cluster: Cluster, caller: Caller) -> StatusResult:  # noqa: ARG001  # one shape for all commands
    """Returns what the ledger says is deployed, and everything that is not as it should be."""
    told = Bag((await cluster.folder.header()).diagnostics)
    head = await _head(cluster, told)
    told.add(*pending_warnings(await read_sidecars(cluster.store)))
    told.add(*await _homecomings(cluster))
    holder = await cluster.leases.holder()
    if holder is not None and holder.diagnostic is not None:
        told.add(msgspec.structs.replace(holder.diagnostic, severity="warning"))
    state = head.envelope.state if head is not None else State()
    for check in await cluster.catalog.check_all(recorded_digests(state)):
        diagnostic = check.diagnostic()
        if diagnostic is not None:
            told.add(diagnostic)
    return StatusResult(
        ok=not has_errors(told),
        config_dir=cluster.config_dir,
        state_observations=await state_seen(cluster, head),
        resource_digests=recorded_digests(state),
        resource_statuses=state.resource_statuses,
        observations=state.observations,
        diagnostics=sort_diagnostics(told),
    )


async def locks(cluster: Cluster, caller: Caller) -> tuple[LockInfo, ...]:  # noqa: ARG001
    """Returns the leases that somebody holds, each with the safe action."""
    return await cluster.leases.locks()


async def force_unlock(
    cluster: Cluster, caller: Caller, lock_id: str, intent: str
) -> ForceUnlockResult:
    """Ends the lease of exactly that id; whoever held it can write nothing more.

    A lease whose holder lives and beats is ended for a human only: that is no abandoned one.
    """
    told = Bag()
    removed = False
    refusal = await _refusal(cluster, caller, lock_id)
    if refusal is not None:
        told.add(refusal)
    else:
        op = await _begin_unlock(cluster, caller, lock_id, intent)
        outcome = await cluster.leases.force_unlock(lock_id, by=caller.id)
        told.add(*outcome.diagnostics)
        removed = outcome.unlocked is not None
        await _end_unlock(cluster, op, outcome.diagnostics)
    head = await _head(cluster, Bag())
    return ForceUnlockResult(
        ok=removed and not has_errors(told),
        config_dir=cluster.config_dir,
        state_observations=await state_seen(cluster, head),
        lock_removed=removed,
        diagnostics=sort_diagnostics(told),
    )


async def _head(cluster: Cluster, told: Bag) -> Head | None:
    """Returns the ledger's head, telling where there is none or where its copy differs."""
    try:
        head = await cluster.ledger.head()
    except LedgerUnreadableError as unreadable:
        told.add(unreadable.diagnostic)
        return None
    if head is None:
        missing = "the cluster has no ledger yet"
        told.add(warning("state_missing", "cluster", missing, remedy="agentctl import"))
    copy = await cluster.ledger.state_json_diagnostic(head)
    if copy is not None:
        told.add(copy)
    return head


async def _homecomings(cluster: Cluster) -> tuple[Diagnostic, ...]:
    """Returns a warning for each draft whose files are not all in the folder yet."""
    return tuple(
        warning(
            "applied_source_not_in_folder",
            key,
            "a draft was being applied when its command was interrupted; its files are not all in"
            " the folder",
            remedy="agentctl apply",
        )
        for key in await cluster.store.list(HOMECOMINGS)
    )


async def _refusal(cluster: Cluster, caller: Caller, lock_id: str) -> Diagnostic | None:
    if caller.kind == "human":
        return None
    held = next((lock for lock in await cluster.leases.locks() if lock.lock_id == lock_id), None)
    if held is None or not held.fresh or held.holder_gone:
        return None
    return error(
        "approval_required",
        held.resource,
        f"the holder of {held.resource} lives, and only a human may end its lease",
        detail=held.safe_action,
        remedy="agentctl locks",
    )


async def _begin_unlock(cluster: Cluster, caller: Caller, lock_id: str, intent: str) -> Op:
    held = next((lock for lock in await cluster.leases.locks() if lock.lock_id == lock_id), None)
    new = NewOp(
        actor=OpActor(nid=caller.nid, identity=caller.identity, source=caller.source),
        on_behalf_of=caller.on_behalf_of,
        intent=intent,
        workspace=cluster.name or cluster.folder.path.name,
        operation="update",
        action="force_unlock",
        targets=(held.resource,) if held is not None else (),
    )
    op = await cluster.journal.begin(new, pre=snapshot(await _head(cluster, Bag()), ()))
    return await cluster.journal.move(op.id, "running", epoch=0)


async def _end_unlock(cluster: Cluster, op: Op, told: tuple[Diagnostic, ...]) -> None:
    if has_errors(told):
        await cluster.journal.move(op.id, "failed", epoch=0, reason=told[0].message)
        return
    post = snapshot(await _head(cluster, Bag()), ())
    await cluster.journal.move(op.id, "success", epoch=0, post=post)
