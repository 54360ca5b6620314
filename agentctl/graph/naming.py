"""What the graph in a root is called: records beside its commits. Source: ADR 13.

The ledger's commit is a rename, and says alone what holds. These records are for the day when the
ledger is lost: a root tells then whose data lie in it, so that nobody makes an empty graph beside them.
"""

from typing import Final, Literal

import msgspec

from agentctl.adapters.backends.drive import drive
from agentctl.domain.storage.numbered import Won, append, newest
from agentctl.domain.storage.protocol import ObjectStore
from agentctl.graph.layout import names_prefix
from agentctl.graph.refusals import corrupt

_ATTEMPT_COUNT_MAX: Final = 3


class RootName(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``_graph/names/<n>.json``: from this op on the graph in the root has this id."""

    version: Literal[1] = 1
    name: str
    op: str
    at: str


async def name_of(store: ObjectStore, root: str) -> str:
    """Returns the id that the graph in a root got last; the root's own name where none is on record.

    Raises:
        GraphError: the record cannot be read.
    """
    _, name = await _newest(store, root)
    return name


async def write_name(store: ObjectStore, root: str, graph_id: str, *, op: str, at: str) -> None:
    """Records what the graph in a root is called; nothing where the newest record says so already.

    Raises:
        GraphError: the newest record cannot be read.
    """
    record = RootName(name=graph_id, op=op, at=at)
    for _ in range(_ATTEMPT_COUNT_MAX):
        number, name = await _newest(store, root)
        if name == graph_id:
            return
        data = msgspec.json.encode(record) + b"\n"
        if isinstance(await drive(store, append(names_prefix(root), number + 1, data)), Won):
            return
    raise corrupt(root, f"others write to {names_prefix(root)} all the time")


async def _newest(store: ObjectStore, root: str) -> tuple[int, str]:
    found = await drive(store, newest(names_prefix(root)))
    if found is None:
        return 0, root
    try:
        return found[0], msgspec.json.decode(found[1], type=RootName).name
    except msgspec.DecodeError as failure:
        raise corrupt(root, f"{names_prefix(root)}: {failure}") from failure
