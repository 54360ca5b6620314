"""`status` and `locks`: what the ledger says, and who holds what.

`status` takes no lease and writes nothing: it tells of sidecars, payloads and the copy of the state,
and leaves the repair to the commands that write. Source: control-plane 1.11, 3.2.
"""

import msgspec

from agentctl.diagnostics.bag import Bag, has_errors, sort_diagnostics
from agentctl.diagnostics.diagnostic import Diagnostic, warning
from agentctl.domain.ledger.state import State
from agentctl.domain.policy.caller import Caller
from agentctl.domain.storage.lease import LEASES_FOLDER
from agentctl.domain.storage.protocol import BackendError
from agentctl.engine.advance import recorded_digests
from agentctl.engine.cluster import Cluster
from agentctl.engine.draft_commit import not_merged
from agentctl.engine.drafts import HOMECOMINGS
from agentctl.engine.freeze_ops import frozen_warnings
from agentctl.engine.leases import LockInfo
from agentctl.engine.ledger import Head, LedgerUnreadableError
from agentctl.engine.left_writes import left_writes
from agentctl.engine.observe import state_seen_beside
from agentctl.engine.results import StatusResult
from agentctl.engine.sidecars import pending_warnings, read_sidecars


async def status(cluster: Cluster, caller: Caller) -> StatusResult:  # noqa: ARG001  # one shape for all commands
    """Returns what the ledger says is deployed, and everything that is not as it should be."""
    told = Bag((await cluster.folder.header()).diagnostics)
    head = await _head(cluster, told)
    told.add(*await frozen_warnings(cluster, head))
    told.add(*await cluster.audit.end_diagnostics(head))
    told.add(*pending_warnings(await read_sidecars(cluster.store)))
    told.add(*await _homecomings(cluster))
    told.add(*await _left(cluster, head))
    unmerged = await not_merged(cluster, head)
    told.add(*(() if unmerged is None else (unmerged,)))
    holder = await _holder(cluster, told)
    state = head.envelope.state if head is not None else State()
    for check in await cluster.catalog.check_all(recorded_digests(state)):
        diagnostic = check.diagnostic()
        if diagnostic is not None:
            told.add(diagnostic)
    return StatusResult(
        ok=not has_errors(told),
        config_dir=cluster.config_dir,
        state_observations=state_seen_beside(cluster, head, holder),
        resource_digests=recorded_digests(state),
        resource_statuses=state.resource_statuses,
        observations=state.observations,
        diagnostics=sort_diagnostics(told),
    )


async def locks(cluster: Cluster, caller: Caller) -> tuple[LockInfo, ...]:  # noqa: ARG001
    """Returns the leases that somebody holds, each with the safe action."""
    return await cluster.leases.locks()


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
        told.add(copy, *await cluster.ledger.copy_contradictions())
    return head


async def _holder(cluster: Cluster, told: Bag) -> LockInfo | None:
    """Returns who holds the cluster's lease, telling where that cannot be made out."""
    try:
        holder = await cluster.leases.holder()
    except BackendError as failure:
        unseen = "who holds the cluster's lease could not be read"
        told.add(warning("state_lock_read_error", LEASES_FOLDER, unseen, detail=str(failure)))
        return None
    if holder is not None and holder.diagnostic is not None:
        told.add(msgspec.structs.replace(holder.diagnostic, severity="warning"))
    return holder


async def _left(cluster: Cluster, head: Head | None) -> tuple[Diagnostic, ...]:
    """Returns a warning for each write to a graph that a dead process left; of records that can be read."""
    if head is None:
        return ()
    try:
        return await left_writes(cluster, head.envelope.state)
    except BackendError as failure:
        unseen = "whether writes to graphs were left unsettled could not be read"
        return (warning("state_lock_read_error", "ops", unseen, detail=str(failure)),)


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
