"""Reads, writes and takes back what was proposed to be merged from sandboxes into protected graphs. ADR 27."""

from typing import Final

import msgspec

from agentctl.adapters.backends.pruning import prune
from agentctl.canonical import canonical_bytes
from agentctl.domain.plan.merges import ProposedMerge
from agentctl.domain.storage.protocol import ObjectStore
from agentctl.engine.cluster import Cluster
from agentctl.engine.leases import CLUSTER

MERGES: Final = "__cluster/merges/"


def merge_key(proposed: ProposedMerge) -> str:
    """Returns where a proposal lies; one stands for a sandbox and a graph at a time."""
    return _key(proposed.sandbox, proposed.graph)


async def standing_merges(cluster: Cluster) -> tuple[ProposedMerge, ...]:
    """Returns the proposals, by key; what is none of this release is passed over.

    In a sandbox there are none: nothing of the real graphs is decided there.
    """
    if cluster.sandbox is not None:
        return ()
    read = [await _read(cluster.store, key) for key in await cluster.store.list(MERGES)]
    return tuple(proposed for proposed in read if proposed is not None)


async def put_merge(store: ObjectStore, wanted: ProposedMerge) -> ProposedMerge:
    """Returns the proposal that stands from now on: one of the same rows, or *wanted* in its place."""
    key = merge_key(wanted)
    while not await store.create(key, canonical_bytes(wanted)):
        there = await _read(store, key)
        if there is not None and _is_same(there, wanted):
            return there
        await store.delete(key)
    return wanted


async def withdraw_merge(
    cluster: Cluster, sandbox_id: str, graph: str, *, by: str = ""
) -> ProposedMerge | None:
    """Takes back what was proposed of a sandbox for a graph; returns it.

    Raises:
        StateLockHeldError: another command is at work, which may be carrying it out.
    """
    async with cluster.leases.hold(CLUSTER, principal=by, operation="sandbox_merge"):
        found = await _read(cluster.store, _key(sandbox_id, graph))
        await drop_merge(cluster.store, sandbox_id, graph)
        return found


async def drop_merge(store: ObjectStore, sandbox_id: str, graph: str) -> None:
    """Takes away what was proposed of a sandbox for a graph, whose rows are home by now."""
    await store.delete(_key(sandbox_id, graph))


async def forget_merges(store: ObjectStore, sandbox_id: str) -> None:
    """Takes away all that was proposed of a sandbox, which has ended."""
    for key in await store.list(f"{MERGES}{sandbox_id}/"):
        await store.delete(key)
    await prune(store, f"{MERGES}{sandbox_id}/")


def _key(sandbox_id: str, graph: str) -> str:
    return f"{MERGES}{sandbox_id}/{graph}.json"


async def _read(store: ObjectStore, key: str) -> ProposedMerge | None:
    data = await store.read(key)
    try:
        return None if data is None else msgspec.json.decode(data.data, type=ProposedMerge)
    except msgspec.DecodeError:
        return None


def _is_same(there: ProposedMerge, wanted: ProposedMerge) -> bool:
    """Returns whether both are about the same rows for the same graph."""
    return (there.incarnation, there.branch, there.commit, there.content) == (
        wanted.incarnation,
        wanted.branch,
        wanted.commit,
        wanted.content,
    )
