"""Reads, writes and takes back what was proposed to be merged from sandboxes into protected graphs. ADR 27.

Each proposal has a key of its own, and the newest of a sandbox and a graph is the one that stands: so
nothing needs a lock, and what an apply has carried out is removed by its own key and no other.
"""

from typing import Final

from agentctl.adapters.backends.pruning import prune
from agentctl.canonical import canonical_bytes
from agentctl.domain.ledger.state import State
from agentctl.domain.plan.merges import ProposedMerge
from agentctl.domain.storage.protocol import ObjectStore
from agentctl.engine.cluster import Cluster
from agentctl.engine.disposals import proposals, spent

MERGES: Final = "__cluster/merges/"


def merge_key(proposed: ProposedMerge) -> str:
    """Returns where a proposal lies."""
    return f"{_room(proposed.sandbox, proposed.graph)}{proposed.id}.json"


async def standing_merges(cluster: Cluster) -> tuple[ProposedMerge, ...]:
    """Returns the proposals that stand, by sandbox and graph; what is none of this release is passed over.

    In a sandbox there are none: nothing of the real graphs is decided there.
    """
    if cluster.sandbox is not None:
        return ()
    found = await proposals(cluster.store, MERGES, ProposedMerge)
    newest = {(p.sandbox, p.graph): p for p in found}
    return tuple(newest.values())


async def undecided_merges(cluster: Cluster, state: State | None) -> tuple[ProposedMerge, ...]:
    """Returns the proposals that stand and whose consent *state* has not used up.

    After a crash a merge is recorded by the sweep, before its proposal is removed.
    """
    found = await standing_merges(cluster)
    done = await spent(cluster, state) if found else frozenset()
    return tuple(proposed for proposed in found if proposed.digest not in done)


async def put_merge(store: ObjectStore, wanted: ProposedMerge) -> ProposedMerge:
    """Returns the proposal that stands from now on: one of the same rows, or *wanted* in its place."""
    others = await proposals(store, _room(wanted.sandbox, wanted.graph), ProposedMerge)
    if others and _is_same(others[-1], wanted):
        return others[-1]
    await store.create(merge_key(wanted), canonical_bytes(wanted))
    for proposed in others:
        await store.delete(merge_key(proposed))
    return wanted


async def drop_merges(store: ObjectStore, sandbox_id: str, graph: str) -> tuple[ProposedMerge, ...]:
    """Takes away what was proposed of a sandbox for a graph; returns it, the newest last."""
    found = await proposals(store, _room(sandbox_id, graph), ProposedMerge)
    for proposed in found:
        await store.delete(merge_key(proposed))
    return found


async def forget_merges(store: ObjectStore, sandbox_id: str) -> None:
    """Takes away all that was proposed of a sandbox, which has ended."""
    for key in await store.list(f"{MERGES}{sandbox_id}/"):
        await store.delete(key)
    await prune(store, f"{MERGES}{sandbox_id}/")


def _room(sandbox_id: str, graph: str) -> str:
    return f"{MERGES}{sandbox_id}/{graph}/"


def _is_same(there: ProposedMerge, wanted: ProposedMerge) -> bool:
    """Returns whether both are about the same rows for the same graph."""
    return (there.incarnation, there.branch, there.commit, there.content) == (
        wanted.incarnation,
        wanted.branch,
        wanted.commit,
        wanted.content,
    )
