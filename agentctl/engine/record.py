"""Records what an apply did: the draft comes home, then the ledger commit, then what follows from it.

The write order is a promise: the source's files, the draft's homecoming, the ledger object, the
removal of settled sidecars, the marks of consumed approvals, the proposals that were carried out,
the Op's end. The ledger object decides; everything after it is repaired by the next command.
"""

from collections.abc import Iterable

import msgspec

from agentctl.diagnostics.bag import has_errors
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.config.drafting import DraftChanges
from agentctl.domain.ledger.codec import state_text
from agentctl.domain.ledger.envelope import AppliedSettings, AppliedSource, RevisionKind
from agentctl.domain.ledger.state import State
from agentctl.domain.plan.model import Change
from agentctl.domain.plan.recorded import wanted_settings
from agentctl.engine.advance import has_converged, with_config_digest
from agentctl.engine.bracket import end_op, fail_op, interrupt_op
from agentctl.engine.cluster import Cluster
from agentctl.engine.draft_commit import commit_draft, repository
from agentctl.engine.gather import Target
from agentctl.engine.homecoming import bring_home
from agentctl.engine.leases import Lease
from agentctl.engine.ledger import Head
from agentctl.engine.revisions import revision_of
from agentctl.engine.running import Running
from agentctl.engine.sweep import Swept, remove_settled
from agentctl.ids import CLUSTER, Address, graph_address


class ClusterSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger holds of the cluster itself, beside the state."""

    protected: tuple[str, ...]
    settings: AppliedSettings


class Home(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a draft that was applied."""

    source: AppliedSource | None = None
    """What the ledger is to name, where the draft became a commit."""
    diagnostics: tuple[Diagnostic, ...] = ()
    """With an error nothing was written."""


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger holds now."""

    head: Head
    converged: bool
    written: bool
    """Whether the state moved."""
    diagnostics: tuple[Diagnostic, ...] = ()


async def record(running: Running, head: Head, swept: Swept, target: Target) -> Recorded:
    """Records the state of *running* above *head*, and ends its Op.

    Raises:
        LeaseLostError: a later holder has written; the next apply settles what was done.
        StateMovedError: somebody else has.
    """
    task, desired = running.task, running.task.desired
    converged = nothing_left(running.changes) and has_converged(running.state, desired)
    converged = converged and not _data_waits(running)
    state = with_config_digest(running.state, desired.config_digest) if converged else running.state
    own = cluster_settings(running)
    moves = state_text(state) != head.state_text or own is not None
    done = any(o.outcome == "done" for o in running.outcomes)
    await task.cluster.leases.check(task.lease)
    home = await _come_home(running, target, head) if done or converged else Home()
    if has_errors(home.diagnostics):
        why = home.diagnostics[0].message
        await fail_op(task.cluster, task.op, task.lease, why, held=task.held)
        return Recorded(head=head, converged=False, written=False, diagnostics=home.diagnostics)
    new_head = head
    if moves or source_moved(head, target):
        await task.cluster.catalog.publish_source(desired.files, desired.source_digest)
        new_head = await commit_revision(
            task.cluster,
            base=head,
            kind="apply" if revision_of(target.name) is None else "rollback",
            op=task.op.id,
            lease=task.lease,
            state=state,
            source=home.source or AppliedSource(digest=desired.source_digest, commit=target.commit),
            own=own,
        )
    left = await remove_settled(task.cluster, (*swept.settled, *running.settled))
    for approval_id in running.used:
        await consume(task.cluster, approval_id, op=task.op.id, seq=new_head.seq)
    for key in running.carried_out:
        await task.cluster.store.delete(key)
    if running.failed:
        await fail_op(task.cluster, task.op, task.lease, "a step failed; see its diagnostics")
    elif running.interrupted:
        await interrupt_op(task.cluster, task.op, task.lease, effects=True, recorded=True)
    else:
        await end_op(task.cluster, task.op, task.lease, new_head)
    told = (*home.diagnostics, *left)
    return Recorded(head=new_head, converged=converged, written=moves, diagnostics=told)


def cluster_settings(running: Running) -> ClusterSettings | None:
    """Returns what is protected and how an apply works from now on; None where neither changed.

    Protection follows what moves to another address.
    """
    applied = [c for c in running.changes if c.disposition == "applied"]
    desired, before = running.task.desired, running.task.inputs
    if any(c.resource == CLUSTER for c in applied):
        return ClusterSettings(protected=desired.protect, settings=wanted_settings(desired.apply))
    names = {c.moved_from: c.resource for c in applied if c.moved_from is not None}
    protected = tuple(sorted(names.get(Address(a), a) for a in before.protected))
    if protected == tuple(before.protected):
        return None
    return ClusterSettings(protected=protected, settings=before.settings)


def nothing_left(changes: Iterable[Change]) -> bool:
    """Returns whether every change was carried out, or follows from those that were."""
    return all(c.disposition in {"applied", "derived"} for c in changes)


async def commit_revision(  # noqa: PLR0913  # what a ledger object ties together
    cluster: Cluster,
    *,
    base: Head | None,
    kind: RevisionKind,
    op: str,
    lease: Lease,
    state: State,
    source: AppliedSource | None,
    always: bool = False,
    own: ClusterSettings | None = None,
) -> Head:
    """Writes the next ledger object; its revision is one more where the state moved, or *always*.

    What is protected and how an apply works stay as they were unless *own* says otherwise.

    Raises:
        LeaseLostError: a later holder has written.
        StateMovedError: somebody else has.
    """
    before = base.envelope.state.state_revision if base is not None else 0
    if always or base is None or state_text(state) != base.state_text:
        state = msgspec.structs.replace(state, state_revision=before + 1)
    registry = await cluster.principals.registry()
    assert registry.exists, "a cluster with a ledger has a principals chain"
    return await cluster.ledger.commit(
        base=base,
        kind=kind,
        op=op,
        lease=lease,
        cluster_id=registry.cluster_id,
        state=state,
        audit=await cluster.audit.head(),
        principals=registry.head,
        source=source,
        protected=own.protected if own is not None else None,
        settings=own.settings if own is not None else None,
    )


def source_moved(head: Head, target: Target) -> bool:
    """Returns whether a draft came home whose difference no digest of the state sees."""
    if target.draft_id is None or target.desired is None:
        return False
    recorded = head.envelope.source
    return recorded is None or recorded.digest != target.desired.source_digest


async def consume(cluster: Cluster, approval_id: str, *, op: str, seq: int) -> None:
    """Marks an approval as consumed, which the ledger has recorded already."""
    await cluster.approvals.consume(approval_id, op=op, ledger_seq=seq)


def _data_waits(running: Running) -> bool:
    """Returns whether data is to go back of a graph that got its name of then just now."""
    named = {c.resource for c in running.changes if c.moved_from is not None}
    return any(graph_address(revert.graph) in named for revert in running.task.inputs.reverts)


async def _come_home(running: Running, target: Target, head: Head) -> Home:
    """Commits a draft where the folder is in a git repository; else writes its files to the folder."""
    if target.draft_id is None:
        return Home()
    cluster = running.task.cluster
    changes = await cluster.drafts.changes(target.draft_id)
    if isinstance(changes, Diagnostic):
        return Home(diagnostics=(changes,))
    found = await repository(cluster)
    if found is not None:
        source, told = await commit_draft(running, found, changes, head)
        return Home(source=source, diagnostics=(told,))
    return Home(diagnostics=await _written(running, changes))


async def _written(running: Running, changes: DraftChanges) -> tuple[Diagnostic, ...]:
    """Writes a draft's files to the folder; returns why it could not, and then nothing was written."""
    cluster = running.task.cluster
    try:
        return await bring_home(cluster.folder, cluster.store, running.task.op.id, changes)
    except OSError as failure:
        told = error(
            "homecoming_conflict",
            cluster.config_dir,
            f"the draft's files could not be written to the folder: {failure}",
            detail="Nothing was recorded; what was done to graphs is settled by the next apply.",
            remedy="Make the folder writable, then run the command again.",
        )
        return (told,)
