"""What a command saw of the ledger and its lease, in the shape of the outputs. Source: control-plane 1.6."""

from typing import Final

from agentctl.domain.ledger.codec import STATE_KEY
from agentctl.domain.storage.lease import LOCK_KEY
from agentctl.engine.cluster import Cluster
from agentctl.engine.leases import Lease, LockInfo
from agentctl.engine.ledger import Head
from agentctl.engine.results import StateObservations
from agentctl.instants import milliseconds, parse_instant

_MS_PER_S: Final = 1000


async def state_seen(
    cluster: Cluster, head: Head | None, *, lease: Lease | None = None
) -> StateObservations:
    """Returns the observations; under *lease*, the command's own, no other holder is looked for."""
    holder = await cluster.leases.holder() if lease is None else None
    return state_seen_beside(cluster, head, holder, lease=lease)


def state_seen_beside(
    cluster: Cluster, head: Head | None, holder: LockInfo | None, *, lease: Lease | None = None
) -> StateObservations:
    """Returns the observations where *holder* was looked for already."""
    state = head.envelope.state if head is not None else None
    readable = holder if holder is not None and holder.lock_id is not None else None
    return StateObservations(
        state_path=f"{cluster.store.uri}/{STATE_KEY}",
        lock_path=f"{cluster.store.uri}/{LOCK_KEY}",
        state_found=head is not None,
        state_revision=state.state_revision if state is not None else 0,
        resource_count=len(state.applied_revision.resources) if state is not None else 0,
        locked=holder is not None,
        lock_acquired=lease is not None,
        applied_config_digest=state.applied_revision.config_digest if state is not None else None,
        state_cas=head.state_cas if head is not None else None,
        lock_id=readable.lock_id if readable is not None else None,
        acquired_lock_id=lease.lock_id if lease is not None else None,
        lock_operation=readable.operation if readable is not None else None,
        lock_created_at=readable.created_at if readable is not None else None,
        lock_pid=readable.pid if readable is not None else None,
        lock_age_seconds=_age_s(cluster, readable) if readable is not None else None,
        seq=head.seq if head is not None else None,
    )


def _age_s(cluster: Cluster, holder: LockInfo) -> int:
    now = milliseconds(cluster.world.now())
    return max(0, now - milliseconds(parse_instant(holder.created_at))) // _MS_PER_S
