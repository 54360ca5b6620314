"""What ties a folder to its cluster: ``__cluster/binding.json`` in the folder, never in git.

Written at first sight of a cluster; from then on a folder that names another storage root, or whose
root holds another cluster, is refused. Source: control-plane 3.2.
"""

from typing import Final, Literal

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.storage.protocol import ObjectStore

BINDING_KEY: Final = "__cluster/binding.json"


class Binding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The cluster that a folder belongs to."""

    version: Literal[1] = 1
    cluster_id: str
    storage: str
    """The storage root as written; relative ones move with the folder."""


async def read_binding(home: ObjectStore) -> Binding | Diagnostic | None:
    """Returns the folder's binding; None where it has none yet."""
    found = await home.read(BINDING_KEY)
    if found is None:
        return None
    try:
        return msgspec.json.decode(found.data, type=Binding)
    except msgspec.DecodeError as mistake:
        return error(
            "storage_root_moved",
            BINDING_KEY,
            f"the folder's binding cannot be read: {mistake}",
            detail="It says which cluster this folder belongs to, so nothing is done without it.",
            remedy=f"Put it back, or remove {BINDING_KEY} if you are sure of the storage root.",
        )


async def bind(home: ObjectStore, *, cluster_id: str, storage: str) -> None:
    """Writes the binding, unless there is one."""
    binding = Binding(cluster_id=cluster_id, storage=storage)
    text = msgspec.json.format(msgspec.json.encode(binding), indent=2) + b"\n"
    await home.create(BINDING_KEY, text)


async def rebind(home: ObjectStore, *, cluster_id: str, storage: str) -> None:
    """Writes the binding over the one that is there: a human restored the cluster elsewhere."""
    binding = Binding(cluster_id=cluster_id, storage=storage)
    text = msgspec.json.format(msgspec.json.encode(binding), indent=2) + b"\n"
    await home.replace(BINDING_KEY, text)


def moved_root(bound: str, wanted: str) -> Diagnostic:
    """Returns that the folder names another storage root than the one it is bound to."""
    return error(
        "storage_root_moved",
        "storage",
        f"`storage` names {wanted}, but this folder is bound to {bound}",
        detail="The storage root holds the ledger, the approvals and the graphs. Another root is"
        " another cluster, so a configuration cannot move it.",
        remedy=f"Take the change of `storage` back. For a new cluster, remove {BINDING_KEY}.",
    )


def other_cluster(bound: str, found: str) -> Diagnostic:
    """Returns that the storage root holds another cluster than the one the folder is bound to."""
    return error(
        "storage_root_moved",
        BINDING_KEY,
        f"the storage root holds cluster {found[:12]}, but this folder is bound to {bound[:12]}",
        remedy=f"Point `storage` at the right root, or remove {BINDING_KEY} if this is meant.",
    )
