"""Collects what nothing needs any more: old ledger objects, ended leases, keys, kept plans.

Objects of a log go in order, lowest first, so that what is left has no gap at any moment and a
writer that was paused meanwhile sees that it came too late (`append_collected`). A crash in between
leaves the rest for the next run. Who collects holds the cluster's lease; commands that write do it
now and then by themselves, and `state collect` does it at once. Source: control-plane 3.2, 3.3.
"""

import logging
from datetime import timedelta
from typing import Final

import msgspec

from agentctl.adapters.backends.drive import drive
from agentctl.domain.ledger.codec import LEDGER_FOLDER, ledger_key
from agentctl.domain.ledger.retention import EPOCHS_KEPT, collectable
from agentctl.domain.plan.codec import FORMAT as PLAN_FORMAT
from agentctl.domain.policy.caller import Caller
from agentctl.domain.storage.keys import number_of
from agentctl.domain.storage.lease import LEASES_FOLDER
from agentctl.domain.storage.numbered import numbers_in
from agentctl.domain.storage.protocol import BackendError, CorruptError, ObjectStore
from agentctl.engine.cluster import Cluster
from agentctl.engine.leases import CLUSTER
from agentctl.engine.ledger import Head
from agentctl.ids import numbered
from agentctl.instants import parse_instant

EVERY_SEQ: Final = 20
"""A command that finds the ledger at a multiple of this collects before it begins."""
DELETES_MAX: Final = 200
"""How many objects such a command removes at most; `state collect` removes all."""
PLANS_FOLDER: Final = "__cluster/plans"
PLAN_LIFE: Final = timedelta(days=7)
"""How long a plan is kept that nothing under way names."""

logger = logging.getLogger(__name__)


class Collected(msgspec.Struct, frozen=True, kw_only=True):
    """What a run removed, or would remove."""

    revisions: int = 0
    leases: int = 0
    """Objects of ended leases."""
    keys: int = 0
    """Idempotency keys whose time is over."""
    plans: int = 0
    """Kept plans whose time is over."""
    oldest: int | None = None
    """Lowest ledger object that is left."""
    left: int = 0
    """How many may go and were left for the next run."""


async def collect_now_and_then(cluster: Cluster, head: Head) -> None:
    """Collects a bounded number of objects where it is time; trouble in it is told to the log only."""
    if head.seq % EVERY_SEQ:
        return
    try:
        await collect(cluster, limit=DELETES_MAX)
    except (BackendError, CorruptError) as failure:
        logger.warning("nothing could be collected", extra={"failure": str(failure)})


async def collect_under_lease(cluster: Cluster, caller: Caller, *, dry_run: bool) -> Collected:
    """Takes the cluster's lease and collects everything that may go.

    Raises:
        StateLockHeldError: another command holds it.
        FrozenError: the cluster is frozen; what stands is left as it stands.
    """
    if dry_run:
        return await collect(cluster, dry_run=True)
    async with cluster.leases.hold(CLUSTER, principal=caller.id, operation="collect") as lease:
        if lease.fence_needed:
            await cluster.ledger.fence(lease)
            cluster.leases.fenced(lease)
        await cluster.freezes.require_thawed(CLUSTER)
        return await collect(cluster)


async def collect(
    cluster: Cluster, *, limit: int | None = None, dry_run: bool = False
) -> Collected:
    """Removes what nothing needs any more, or with *dry_run* says what that is.

    Under the cluster's lease, unless *dry_run*.
    """
    store = cluster.store
    seqs = await drive(store, numbers_in(LEDGER_FOLDER))
    old = collectable(seqs, pins=await pinned_seqs(cluster))
    epochs = _ended_leases(await store.list(f"{LEASES_FOLDER}/"))
    seqs_now = old if limit is None else old[:limit]
    epochs_now = epochs if limit is None else epochs[:limit]
    plans = await _old_plans(cluster)
    if not dry_run:
        await _delete(store, tuple(ledger_key(seq) for seq in seqs_now))
        await _delete(store, epochs_now)
        await _delete(store, plans)
    stays = [seq for seq in seqs if seq not in set(seqs_now)]
    return Collected(
        revisions=len(seqs_now),
        leases=len(epochs_now),
        keys=await cluster.keys.sweep(dry_run=dry_run),
        plans=len(plans),
        oldest=stays[0] if stays else None,
        left=len(old) + len(epochs) - len(seqs_now) - len(epochs_now),
    )


async def pinned_seqs(cluster: Cluster) -> tuple[int, ...]:
    """Returns the ledger objects that something at work began from, or may come back to."""
    pins: list[int] = []
    for op in await cluster.journal.unfinished():
        began = await cluster.journal.pre(op.id)
        if began is not None and began.seq is not None:
            pins.append(began.seq)
    return tuple(pins)


class _Dated(msgspec.Struct, frozen=True, kw_only=True):
    """What of a kept plan says how old it is."""

    format: int
    digest: str
    made_at: str


def _dated(data: bytes) -> _Dated | None:
    try:
        found = msgspec.json.decode(data, type=_Dated)
    except (msgspec.DecodeError, UnicodeError):
        return None
    return found if found.format == PLAN_FORMAT else None


async def _old_plans(cluster: Cluster) -> tuple[str, ...]:
    """Returns the keys of plans whose time is over and that no request and no op under way names.

    One that cannot be read is of another release, and stays.
    """
    horizon = cluster.world.now() - PLAN_LIFE
    old: dict[str, str] = {}
    for key in await cluster.store.list(f"{PLANS_FOLDER}/"):
        found = await cluster.store.read(key)
        kept = _dated(found.data) if found is not None else None
        if kept is not None and parse_instant(kept.made_at) < horizon:
            old[key] = kept.digest
    if not old:
        return ()
    named = {op.inputs_digest for op in await cluster.journal.unfinished()}
    named |= {request.plan_digest for request in await cluster.approvals.open_requests()}
    return tuple(key for key, digest in sorted(old.items()) if digest not in named)


async def _delete(store: ObjectStore, keys: tuple[str, ...]) -> None:
    for key in keys:
        await store.delete(key)


def _ended_leases(keys: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the keys of epochs long over, in the order in which they go: by resource and epoch."""
    by_folder: dict[str, list[str]] = {}
    for key in keys:
        by_folder.setdefault(key.rpartition("/")[0], []).append(key)
    found: list[str] = []
    for folder, own in sorted(by_folder.items()):
        epochs = [n for n in (number_of(folder, key) for key in own) if n is not None]
        for epoch in collectable(epochs, kept=EPOCHS_KEPT):
            begins = f"{folder}/{numbered(epoch)}."
            # The record goes last: while it is there, its beat and its end can still be asked for.
            beside = sorted((k for k in own if k.startswith(begins)), key=lambda k: (len(k), k))
            found.extend(reversed(beside))
    return tuple(found)
