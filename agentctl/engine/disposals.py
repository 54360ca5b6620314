"""Reads what was proposed to be removed for good. Writes nothing."""

from typing import Final

import msgspec

from agentctl.domain.plan.disposals import Disposal
from agentctl.domain.storage.protocol import ObjectStore

DISPOSALS: Final = "__cluster/disposals/"


def disposal_key(disposal: Disposal) -> str:
    """Returns where a proposal lies."""
    return f"{DISPOSALS}{disposal.id}.json"


async def standing(store: ObjectStore) -> tuple[Disposal, ...]:
    """Returns the proposals, oldest first; what is no proposal of this release is passed over."""
    found: list[Disposal] = []
    for key in await store.list(DISPOSALS):
        data = await store.read(key)
        try:
            if data is not None:
                found.append(msgspec.json.decode(data.data, type=Disposal))
        except msgspec.DecodeError:
            continue
    return tuple(found)
