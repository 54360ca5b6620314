"""The recovery sweep: settles what an interrupted command left, before anything new is begun.

Runs under the cluster lease, in `apply`, `refresh` and `graph restore`. It reads sidecars and live
graphs, lets `recover` decide, and moves the recorded state in memory only; the sidecars it settled
are removed by the caller after the ledger has recorded that state, so that a sweep which is itself
interrupted is simply made again. Source: control-plane 3.5.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Final

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, warning
from agentctl.domain.ledger.roots import tombstone_root
from agentctl.domain.ledger.sidecar import Sidecar
from agentctl.domain.ledger.state import State, Tombstone
from agentctl.domain.policy.caller import Caller
from agentctl.domain.storage.protocol import BackendError
from agentctl.engine.archiving import bundled
from agentctl.engine.barring import bar_writers
from agentctl.engine.cluster import Cluster
from agentctl.engine.evidence import HISTORY_MAX, evidence_of, seen_commit
from agentctl.engine.freezing import FrozenError
from agentctl.engine.leases import Lease
from agentctl.engine.recover import Evidence, SeenCommit, recover, recovered
from agentctl.engine.sidecars import FoundSidecars, read_sidecars, remove_sidecar
from agentctl.engine.world import stamp_now
from agentctl.graph.port import GraphError, GraphPort, Stamp
from agentctl.ids import graph_address, parse_address
from agentctl.instants import format_instant, parse_instant

OVERTAKEN: Final = frozenset({"graph_not_detached", "read_set_conflict"})
"""Codes of purges that another command was quicker than."""
PURGE_SKEW_MAX: Final = timedelta(minutes=5)
"""How far the storage's clock may be behind that of the machine that purges."""


class Swept(msgspec.Struct, frozen=True, kw_only=True):
    """What the sweep made of the recorded state."""

    state: State
    pending: Mapping[str, Sidecar | None]
    """By graph id: the sidecars that are kept; None for one that nobody here can read."""
    bars_all: bool = False
    """Whether there is a sidecar of which not even the graph is known: every graph may be its own."""
    settled: tuple[Sidecar, ...]
    """To be removed once `state` is recorded."""
    used: tuple[str, ...]
    """Ids of the approvals that a completed step consumed."""
    diagnostics: tuple[Diagnostic, ...]

    def pending_among(self, graph_ids: Iterable[str]) -> dict[str, Sidecar | None]:
        """Returns `pending`, with those of *graph_ids* that nothing may be done to now either."""
        barred: dict[str, Sidecar | None] = dict.fromkeys(graph_ids) if self.bars_all else {}
        return {**barred, **self.pending}


class DuePurge(msgspec.Struct, frozen=True, kw_only=True):
    """A detached graph whose time is over."""

    key: str
    """Of its tombstone among the observations."""
    graph_id: str
    root: str
    """Where its data lie, whatever is called so today."""
    incarnation: str
    after: str
    """When its time was over."""


async def sweep(cluster: Cluster, caller: Caller, state: State, *, op: str) -> Swept:
    """Returns *state* with every interrupted step settled, as far as that can be known.

    Args:
        cluster: the opened cluster, its lease held.
        caller: who runs the sweep.
        state: as the ledger records it.
        op: the op that will record the outcome.
    """
    found = await read_sidecars(cluster.store)
    held = await bar_writers(cluster, caller, found.sidecars)
    seen = await _evidence(cluster, found.sidecars, held)
    decisions = recover(found.sidecars, seen, state, await _recorded_ops(cluster, found))
    used: list[str] = []
    for decision in decisions:
        live = seen[decision.sidecar.graph_id].live
        at = stamp_now(cluster.world)
        state = recovered(state, decision, live, at=at, op=op, actor=caller.id)
        used += decision.spent
    barred: dict[str, Sidecar | None] = {s: None for s in found.strange if s is not None}
    return Swept(
        state=state,
        pending={**barred, **{d.sidecar.graph_id: d.sidecar for d in decisions if d.keeps}},
        bars_all=None in found.strange,
        settled=tuple(d.sidecar for d in decisions if not d.keeps),
        used=tuple(used),
        diagnostics=(*found.diagnostics, *(told for d in decisions for told in d.diagnostics)),
    )


async def _recorded_ops(cluster: Cluster, found: FoundSidecars) -> frozenset[str]:
    """Returns the ops that the ledger recorded since the oldest step began.

    The ledger is not read where no sidecar is found.
    """
    if not found.sidecars:
        return frozenset()
    since = min(sidecar.started_at for sidecar in found.sidecars)
    limit = HISTORY_MAX
    while True:
        history = await cluster.ledger.history(limit=limit)
        if len(history) < limit or history[-1].envelope.written_at < since:
            return frozenset(h.envelope.op for h in history if h.envelope.op is not None)
        limit *= 2


async def _evidence(
    cluster: Cluster, sidecars: Iterable[Sidecar], held: Mapping[str, str]
) -> dict[str, Evidence]:
    """Returns what each graph shows, back to the oldest step that was meant for it."""
    above: dict[str, int] = {}
    for sidecar in sidecars:
        observed = sidecar.observed_manifest_version or 0
        above[sidecar.graph_id] = min(observed, above.get(sidecar.graph_id, observed))
    seen = {graph: await evidence_of(cluster, graph, above=n) for graph, n in above.items()}
    return {g: msgspec.structs.replace(e, held=held.get(g)) for g, e in seen.items()}


async def remove_settled(cluster: Cluster, sidecars: Iterable[Sidecar]) -> tuple[Diagnostic, ...]:
    """Removes sidecars whose outcome the ledger has recorded; returns a warning for each that stays."""
    told = [await remove_sidecar(cluster.store, sidecar) for sidecar in sidecars]
    return tuple(d for d in told if d is not None)


def due_purges(state: State, now: str) -> tuple[DuePurge, ...]:
    """Returns the detached graphs whose time is over at *now*, in order of their keys."""
    return tuple(
        DuePurge(
            key=key,
            graph_id=_graph_of(key),
            root=tombstone_root(key, tombstone),
            incarnation=tombstone.incarnation,
            after=tombstone.purge_after,
        )
        for key, tombstone in sorted(state.observations.items())
        if isinstance(tombstone, Tombstone)
        and tombstone.incarnation is not None
        and tombstone.purged_at is None
        and tombstone.purge_after is not None
        and tombstone.purge_after <= now
    )


async def purge(
    cluster: Cluster, due: DuePurge, *, lease: Lease, stamp: Stamp
) -> Diagnostic | None:
    """Removes the data of one detached incarnation; returns a warning where it did not.

    The tombstone is looked at before the cluster's lease is: whoever restored the graph and deleted
    it anew had that lease in between, and then either the lease is lost, or the tombstone another.

    Args:
        cluster: the opened cluster.
        due: whose time is over, by the state that was read under *lease*.
        lease: of the cluster.
        stamp: of the commit that decides the purge; its epoch will be the tombstone's.

    Raises:
        LeaseLostError: another command is at work now.
    """
    try:
        await cluster.freezes.require_thawed(graph_address(due.graph_id))
    except FrozenError as held:
        return msgspec.structs.replace(held.diagnostic, severity="warning")
    early = await _too_early(cluster, due)
    if early is not None:
        return early
    try:
        ending = await _newest_of(cluster.graphs.port, due)
        observed = 0 if ending is None else ending.number
        if ending is not None and ending.kind == "tombstone":
            unkept = await bundled(cluster, due.root, due.incarnation, observed)
            if unkept is not None:
                return unkept
        await cluster.leases.check(lease)
        await cluster.graphs.port.purge(
            due.root, incarnation=due.incarnation, observed=observed, stamp=stamp
        )
    except (GraphError, BackendError) as failure:
        told = failure.diagnostic if isinstance(failure, GraphError) else None
        if told is not None and told.code in OVERTAKEN:
            return _overtaken(due, told)
        return warning(
            "graph_delete_incomplete",
            graph_address(due.graph_id),
            f"the purge of the detached graph {due.graph_id} did not finish: {failure}",
            remedy="agentctl refresh",
        )
    return None


async def _newest_of(port: GraphPort, due: DuePurge) -> SeenCommit | None:
    """Returns the newest commit of the incarnation; None where there is none any more."""
    limit = 1
    while True:
        history = await port.history(due.root, limit=limit)
        of_it = next((c for c in history if c.incarnation == due.incarnation), None)
        if of_it is not None:
            return seen_commit(of_it)
        if len(history) < limit:
            return None
        limit *= 8


def _overtaken(due: DuePurge, told: Diagnostic) -> Diagnostic:
    return warning(
        told.code,
        graph_address(due.graph_id),
        f"graph {due.graph_id} was not purged: it was restored before. {told.message}",
        detail=told.detail,
        remedy="agentctl refresh",
    )


async def _too_early(cluster: Cluster, due: DuePurge) -> Diagnostic | None:
    """Returns a warning where the storage's own clock says that the time is not over.

    What is purged is gone: a machine whose clock runs ahead must not decide that alone.
    """
    clock = await cluster.store.clock()
    if clock is None or clock + PURGE_SKEW_MAX >= parse_instant(due.after):
        return None
    return warning(
        "graph_purge_not_due",
        graph_address(due.graph_id),
        f"graph {due.graph_id} is kept until {due.after}, and it is {format_instant(clock)} by the"
        " storage's clock",
        remedy="Set this machine's clock.",
    )


def _graph_of(key: str) -> str:
    """Returns the graph's id of an observation; an older incarnation's key ends in ``@<ULID>``."""
    parsed = parse_address(key.partition("@")[0])
    assert parsed is not None, "tombstones are kept under graph addresses"
    return parsed.name
