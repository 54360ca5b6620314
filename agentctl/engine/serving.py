"""The serve snapshot: which applied revision a listener serves, and which graphs it withholds.

What is served is what the ledger records as applied: a graph that is not what it records, or that
an interrupted step may have moved, is in quarantine, and the others are served. The look takes no
lease and settles nothing. It is kept for a moment, and swapped whole as soon as the ledger has
moved; while an apply is on its way, the look from before it holds. Source: control-plane 1.7.
"""

from typing import Final

import anyio

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.ledger.observations import LiveGraph
from agentctl.domain.ledger.served import Served
from agentctl.domain.ledger.state import State
from agentctl.domain.storage.protocol import BackendError
from agentctl.engine.absent import state_missing
from agentctl.engine.advance import composite_diagnostics, recorded_digests
from agentctl.engine.cluster import Cluster
from agentctl.engine.gather import observe_graphs
from agentctl.engine.ledger import Head, LedgerError
from agentctl.engine.sidecars import FoundSidecars, read_sidecars
from agentctl.ids import Address, graph_address, schema_address

FRESH_S: Final = 1.0
"""How long a look answers without another read."""
OBSERVED_S: Final = 30.0
"""How long graphs are taken to be as they were seen, where neither ledger nor sidecars moved."""
_Mark = tuple[int, tuple[str, ...], bool]
"""By what a look is known to be the same: the ledger's object, the sidecars, whether one applies."""


class Serving:
    """The look of one listener at its cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._lock = anyio.Lock()
        self._served: Served | None = None
        self._mark: _Mark | None = None
        self._looked_s = 0.0
        self._observed_s = 0.0

    async def look(self) -> Served:
        """Returns how the cluster stands, at most `FRESH_S` ago."""
        async with self._lock:
            now = self._cluster.world.monotonic()
            if self._served is not None and now - self._looked_s < FRESH_S:
                return self._served
            self._served = await self._look(now)
            self._looked_s = now
            return self._served

    async def _look(self, now: float) -> Served:
        cluster = self._cluster
        try:
            head = await cluster.ledger.head()
            if head is None:
                return self._nothing(state_missing())
            found = await read_sidecars(cluster.store)
            applying = await self._is_applying(found)
        except LedgerError as failure:
            return self._nothing(failure.diagnostic)
        except BackendError as failure:
            return self._nothing(_unreadable(str(failure)))
        names = tuple(s.operation_id for s in found.sidecars)
        mark = (head.seq, (*names, *(d.path for d in found.diagnostics)), applying)
        same = mark == self._mark and now - self._observed_s < OBSERVED_S
        if self._served is not None and self._served.ready and (same or applying):
            return self._served
        self._mark, self._observed_s = mark, now
        return await self._observed(head, found)

    async def _is_applying(self, found: FoundSidecars) -> bool:
        """Returns whether somebody who lives is at work on the steps that sidecars tell of."""
        if not found.sidecars:
            return False
        holder = await self._cluster.leases.holder()
        return holder is not None and holder.fresh and not holder.holder_gone

    async def _observed(self, head: Head, found: FoundSidecars) -> Served:
        state = head.envelope.state
        if None in found.strange:
            return self._nothing(_pending("cluster", found.diagnostics[0].message))
        recorded = recorded_digests(state)
        ids = sorted(a.removeprefix("graph.") for a in recorded if a.startswith("graph."))
        live = await observe_graphs(self._cluster, ids)
        trouble = {
            graph_id: told
            for graph_id in ids
            if (told := _trouble(graph_id, live[graph_id], state=state, found=found)) is not None
        }
        return Served(
            seq=head.seq,
            state_revision=state.state_revision,
            graphs=tuple(g for g in ids if g not in trouble),
            withheld=trouble,
        )

    def _nothing(self, why: Diagnostic) -> Served:
        self._mark = None
        return Served(seq=0, state_revision=0, graphs=(), withheld={}, diagnostics=(why,))


def _trouble(
    graph_id: str, live: LiveGraph, *, state: State, found: FoundSidecars
) -> Diagnostic | None:
    """Returns why a recorded graph is in quarantine; None where it is as the ledger records it."""
    address = graph_address(graph_id)
    if any(s.graph_id == graph_id for s in found.sidecars) or graph_id in found.strange:
        return _pending(address, "an interrupted step that may have moved it is not settled yet")
    broken = next((d for d in composite_diagnostics(state) if d.path == address), None)
    if broken is not None:
        return _pending(address, broken.message)
    if live.presence != "live":
        return _pending(address, f"its root is {live.presence}", detail=live.error)
    recorded = recorded_digests(state).get(Address(schema_address(graph_id)))
    if recorded is not None and live.source_digest != recorded:
        return _pending(address, "its live schema is not the one that the ledger records")
    return None


def _pending(path: str, why: str, *, detail: str | None = None) -> Diagnostic:
    what = f"{path} is not served: {why}"
    return error("graph_not_served", path, what, detail=detail, remedy="agentctl refresh")


def _unreadable(why: str) -> Diagnostic:
    told = "the storage root did not give what is served"
    return error("storage_unavailable", "storage", told, detail=why)
