"""What a sandbox may use up, looked at before each write in it. Source: sandboxes 4."""

from typing import Final

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.sandbox.lending import ROOM, Lending, room_of, sandbox_of_branch, target_of
from agentctl.domain.storage.protocol import ObjectStore
from agentctl.engine.cluster import Cluster
from agentctl.engine.gather import known_graphs, observe_graphs
from agentctl.engine.lending import ended_of, lending_of, record_of
from agentctl.graph.layout import branch_of_ref, data_prefix
from agentctl.ids import is_ulid

SANDBOXES_MAX: Final = 5
"""How many an agent or service may have at a time; a human's are not counted."""
BYTES_MAX: Final = 1 << 30
ROWS_MAX: Final = 5_000_000
"""Rows that a sandbox has more than it was lent."""
CALL_S_MAX: Final = 300.0
"""How long one call in a sandbox may take."""
_DATASET: Final = ".lance"


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What a sandbox uses up."""

    bytes: int
    """Of its own objects and of what its branches wrote; nothing of what it was lent."""
    rows: int
    """Rows of its graphs, those that it was lent too."""


async def usage(cluster: Cluster, inner: Cluster, lending: Lending) -> Usage:
    """Returns what a sandbox uses up now."""
    size = await cluster.store.size_bytes(room_of(lending.sandbox))
    for root, lent in lending.graphs.items():
        size += await _written(cluster.store, root, lent.incarnation, lending.sandbox)
    head = await inner.ledger.head()
    live = await observe_graphs(inner, known_graphs(None, head.envelope.state if head else None))
    return Usage(bytes=size, rows=sum(sum(seen.rows.values()) for seen in live.values()))


def lent_rows(lending: Lending) -> int:
    """Returns how many rows a sandbox was lent."""
    return sum(sum(lent.rows.values()) for lent in lending.graphs.values())


async def over_quota(cluster: Cluster, inner: Cluster, lending: Lending) -> Diagnostic | None:
    """Returns why nothing more is written in a sandbox; None where there is room."""
    used = await usage(cluster, inner, lending)
    if used.bytes > BYTES_MAX:
        return _over(lending, f"it holds {used.bytes} bytes, and may hold {BYTES_MAX}")
    if used.rows > ROWS_MAX and used.rows - lent_rows(lending) > ROWS_MAX:
        return _over(lending, f"it has {ROWS_MAX} rows more than it was lent, which is the limit")
    return None


async def too_many(cluster: Cluster, owner: str, *, kind: str) -> Diagnostic | None:
    """Returns why a principal opens no more sandboxes now; None where they may."""
    if kind == "human":
        return None
    own = 0
    for sandbox_id in await cluster.store.folders(ROOM):
        if not is_ulid(sandbox_id) or await lending_of(cluster.store, sandbox_id) is None:
            continue
        record = await record_of(cluster.store, sandbox_id)
        gone = await ended_of(cluster.store, sandbox_id)
        own += record is not None and record.owner == owner and gone is None
    if own < SANDBOXES_MAX:
        return None
    return error(
        "sandbox_over_quota",
        "cluster",
        f"{owner} has {own} sandboxes, and may have {SANDBOXES_MAX} at a time",
        remedy="Close one: agentctl sandbox list",
    )


async def _written(store: ObjectStore, root: str, incarnation: str, sandbox_id: str) -> int:
    """Returns the size of what the branches of a sandbox wrote to a real root."""
    prefix = f"{data_prefix(root, incarnation)}/"
    size = 0
    for name in await store.folders(prefix):
        if not name.endswith(_DATASET):
            continue
        tree = f"{prefix}{name}/tree/"
        for branch in await store.folders(tree):
            if (
                branch.count(".") >= 2 and sandbox_of_branch(branch_of_ref(branch)) == sandbox_id
            ):  # as `ref_name` makes them
                size += await store.size_bytes(f"{tree}{branch}/")
    return size


def _over(lending: Lending, why: str) -> Diagnostic:
    return error(
        "sandbox_over_quota",
        target_of(lending.sandbox),
        f"nothing more is written in the sandbox: {why}",
        remedy="Close it and open another; it can still be read, compared and published.",
    )
