"""Reads what was proposed to be removed for good, and which proposals are done. Writes nothing."""

from typing import Final, TypeVar

import msgspec

from agentctl.domain.ledger.state import State
from agentctl.domain.plan.disposals import Disposal
from agentctl.domain.storage.protocol import ObjectStore
from agentctl.engine.cluster import Cluster

DISPOSALS: Final = "__cluster/disposals/"
T = TypeVar("T")


def disposal_key(disposal: Disposal) -> str:
    """Returns where a proposal lies."""
    return f"{DISPOSALS}{disposal.id}.json"


async def standing(store: ObjectStore) -> tuple[Disposal, ...]:
    """Returns the proposals, oldest first; what is no proposal of this release is passed over."""
    return await proposals(store, DISPOSALS, Disposal)


async def proposals(store: ObjectStore, prefix: str, kind: type[T]) -> tuple[T, ...]:
    """Returns what was proposed below *prefix*, by key; what is none of this release is passed over."""
    found: list[T] = []
    for key in await store.list(prefix):
        data = await store.read(key)
        try:
            if data is not None:
                found.append(msgspec.json.decode(data.data, type=kind))
        except msgspec.DecodeError:
            continue
    return tuple(found)


async def spent(cluster: Cluster, state: State | None) -> frozenset[str | None]:
    """Returns the digests of the proposals whose consent *state* has used up: they are carried out."""
    used = state.approval_records if state is not None else {}
    if not used:
        return frozenset()
    records = await cluster.approvals.records()
    return frozenset(a.bound_before_digest for a in records.artifacts if a.approval_id in used)
