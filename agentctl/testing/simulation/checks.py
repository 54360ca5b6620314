"""What must hold of a cluster when all is quiet again, whatever happened to it."""

import itertools
from collections import Counter
from collections.abc import Iterable

from agentctl.domain.ledger.state import GraphObserved, State, Tombstone
from agentctl.domain.ops.machine import TERMINAL
from agentctl.engine.cluster import Cluster
from agentctl.engine.ledger import Head
from agentctl.engine.sidecars import read_sidecars
from agentctl.graph.commit import ENDED
from agentctl.ids import graph_address
from agentctl.testing.graphs import MemoryRoot, MemoryRoots
from agentctl.testing.simulation.world import Bug, Loaded


async def check_quiet(cluster: Cluster) -> None:
    """Checks what is stored: chains, ops, sidecars, leases."""
    _require(await cluster.ledger.verify(), "the ledger's chain does not hold")
    audit = await cluster.audit.verify()
    _require(() if audit.ok else audit, "the audit chain does not hold")
    _require((await read_sidecars(cluster.store)).sidecars, "sidecars are left")
    ops = await cluster.journal.list(limit=10_000)
    _require([o.id for o in ops if o.status not in TERMINAL], "ops are left open")
    held = [k for k in await cluster.leases.locks() if k.fresh and not k.holder_gone]
    _require(held, "leases are held")
    await _check_history(cluster)


async def _check_history(cluster: Cluster) -> None:
    history = await cluster.ledger.history(limit=10_000)
    heads = history[::-1]
    for below, above in itertools.pairwise(heads):
        if above.envelope.epoch < below.envelope.epoch:
            msg = f"ledger object {above.seq} is of an older epoch than the one before it"
            raise Bug(msg)
        moved = above.envelope.state.state_revision - below.envelope.state.state_revision
        if moved not in {0, 1}:
            msg = f"the revision moves by {moved} at ledger object {above.seq}"
            raise Bug(msg)
    _require(_twice(_approvals(heads)), "approvals are used twice")


def _approvals(heads: Iterable[Head]) -> list[tuple[str, str]]:
    """Returns each approval with each op that the ledger says it was used by."""
    used: set[tuple[str, str]] = set()
    for head in heads:
        for approval, use in head.envelope.state.approval_records.items():
            used.add((approval, use.consumed_by_operation))
    return sorted(used)


def _twice(used: Iterable[tuple[str, str]]) -> list[str]:
    counted = Counter(approval for approval, _ in used)
    return [approval for approval, count in counted.items() if count > 1]


def check_graphs(roots: MemoryRoots, state: State) -> None:
    """Checks that the ledger says of each graph what it is."""
    for graph_id, root in sorted(roots.by_id.items()):
        nonces = [commit.nonce for commit in root.commits]
        _require(_twice((n, "") for n in nonces), f"{graph_id} has a commit twice")
        epochs = [commit.epoch for commit in root.commits]
        if epochs != sorted(epochs):
            msg = f"a commit of {graph_id} is of an older epoch than the one before it"
            raise Bug(msg)
        _check_recorded(graph_id, root, state)


def _check_recorded(graph_id: str, root: MemoryRoot, state: State) -> None:
    head = root.head
    if head is None:
        return
    recorded = state.observations.get(_address_of(graph_id, state))
    if head.kind in ENDED:
        if not isinstance(recorded, Tombstone) or recorded.incarnation != head.incarnation:
            msg = f"{graph_id} is detached, and the ledger says {recorded!r}"
            raise Bug(msg)
        if recorded.approval_id is None:
            msg = f"{graph_id} is detached without an approval"
            raise Bug(msg)
        return
    if not isinstance(recorded, GraphObserved):
        msg = f"{graph_id} is live, and the ledger says {recorded!r}"
        raise Bug(msg)


def _address_of(root: str, state: State) -> str:
    """Returns the address of the graph whose data lie under *root*, which may have got a new name."""
    for address, resource in state.applied_revision.resources.items():
        if resource.root == root:
            return address
    return graph_address(root)


def check_loads(roots: MemoryRoots, loads: Iterable[Loaded]) -> None:
    """Checks that each row is there as often as its loader was told."""
    for row in loads:
        root = roots.by_id.get(row.graph)
        commits = root.commits if root is not None else []
        told = [c for c in commits if c.kind == "write"]
        found = sum(_holds(root, c.nonce, row.name) for c in told) if root is not None else 0
        if row.told == "done" and not found:
            msg = f"row {row.name} of {row.graph} was loaded and is not there"
            raise Bug(msg)
        if row.told == "refused" and found:
            msg = f"row {row.name} of {row.graph} was refused and is there"
            raise Bug(msg)


def _holds(root: MemoryRoot, nonce: str, name: str) -> bool:
    return any(name in entities for entities in root.tables[nonce].values())


def _require(left: object, told: str) -> None:
    if left:
        msg = f"{told}: {left!r}"
        raise Bug(msg)
