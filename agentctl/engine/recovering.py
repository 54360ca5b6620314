"""Brings the cluster back after an op that failed or died, by its recovery actions. Source: ops 2, 3.

The order is a promise: the op is `recovering` before anything is touched; each action is harmless
to repeat, a revert bears a nonce made of the op's id; a graph that went back loses the sidecars of
the op, so that no sweep rolls them forward; only then the op ends, `rolled_back` where all actions
worked and the cluster is what it was, else `failed` with `needs_human`. What only did not answer in
time leaves the op `recovering`: the next command goes on.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Final

import msgspec

from agentctl.canonical import sha256_hex
from agentctl.domain.ledger.observations import LiveGraph
from agentctl.domain.ops.constraints import is_restored, last_known_good
from agentctl.domain.ops.record import ConstraintKind, GateOutcome, Op, RecoveryAction, Snapshot
from agentctl.domain.storage.protocol import BackendError
from agentctl.engine.cluster import Cluster
from agentctl.engine.freezing import FrozenError
from agentctl.engine.gather import observe_graph, observe_graphs
from agentctl.engine.health import trouble_of
from agentctl.engine.journal import Told
from agentctl.engine.leases import CLUSTER, Lease, StateLockHeldError
from agentctl.engine.moving import fence_graph, main_lease
from agentctl.engine.pins import (
    commit_number,
    commit_of,
    graph_named,
    keep,
    kept_commit,
    let_go,
    main_of,
    stamp_of,
)
from agentctl.engine.sidecars import read_sidecars, remove_sidecar
from agentctl.engine.snapshots import snapshot
from agentctl.graph.port import GraphError, Stamp

GRAPH_WAIT_S: Final = 30.0
HISTORY_MAX: Final = 100

Act = Callable[[RecoveryAction, int], Awaitable[GateOutcome]]
NOTHING_HELD: Final[Mapping[str, Lease]] = MappingProxyType({})


async def recover_op(
    cluster: Cluster,
    op: Op,
    lease: Lease,
    reason: str,
    *,
    held: Mapping[str, Lease] = NOTHING_HELD,
) -> Op:
    """Carries out the recovery actions of an op that is running or recovering, and ends it.

    *held* are the leases of graphs that its own gates took, by name: nobody else has them.

    Raises:
        OpRejectedError: somebody else has settled it meanwhile.
        LeaseLostError: the lease was taken over; the next holder goes on.
    """
    assert op.constraints.on_failure, "an op without recovery actions just fails"
    if op.status == "running":
        op = await cluster.journal.move(op.id, "recovering", epoch=lease.epoch, reason=reason)
    await cluster.leases.check(lease)
    try:
        return await _Recovery(cluster, op, lease, op.reason or reason, held).run()
    except (BackendError, StateLockHeldError, FrozenError):
        return op


async def cancel_op(  # an op, and what is known of it
    cluster: Cluster,
    op: Op,
    lease: Lease,
    *,
    effects: bool,
    recorded: bool = False,
    held: Mapping[str, Lease] = NOTHING_HELD,
) -> Op:
    """Ends an op on request: one that did something is brought back first, or has failed.

    Of one without recovery actions what it did stays. Where the ledger has *recorded* that, it is as
    good as what any other apply did, and needs nobody.

    Raises:
        OpRejectedError: it is over already.
        LeaseLostError: the lease was taken over; the next holder goes on.
    """
    reason = "it was interrupted" if recorded else "it was cancelled"
    if op.status == "pending" or (op.status == "running" and not effects):
        return await cluster.journal.move(op.id, "cancelled", epoch=lease.epoch, reason=reason)
    if op.constraints.on_failure:
        return await recover_op(cluster, op, lease, reason, held=held)
    if op.status == "running":
        op = await cluster.journal.move(op.id, "recovering", epoch=lease.epoch, reason=reason)
    why = f"{reason}; what it had done stays, and no recovery action was given"
    if recorded:
        why = f"{reason}; what it had done is recorded, and the next one does the rest"
    told = Told(needs_human=not recorded)
    return await cluster.journal.move(op.id, "failed", epoch=lease.epoch, reason=why, told=told)


class _Recovery:
    """The recovery of one op."""

    def __init__(
        self, cluster: Cluster, op: Op, lease: Lease, reason: str, held: Mapping[str, Lease]
    ) -> None:
        self._cluster = cluster
        self._op = op
        self._lease = lease
        self._reason = reason
        self._held = held
        self._pre: Snapshot | None = None
        self._elsewhere = False
        """Whether a graph was brought to another state than the op began from."""

    async def run(self) -> Op:
        self._pre = await self._cluster.journal.pre(self._op.id)
        kinds: dict[ConstraintKind, Act] = {
            "concurrent_lock": self._unlock,
            "dry_run_check": self._no_residue,
            "health_check": self._health,
            "backup": self._forensic,
            "restore": self._restore,
        }
        outcomes: list[GateOutcome] = []
        for number, action in enumerate(self._op.constraints.on_failure):
            try:
                outcomes.append(await kinds[action.kind](action, number))
            except GraphError as failure:
                outcomes.append(_no(action, failure.diagnostic.message))
        why = [f"{o.kind} {o.resource}: {o.reason}" for o in outcomes if not o.passed]
        residue = await self._residue()
        if residue is not None and not why:
            why.append(residue)
        told = Told(recovery=tuple(outcomes), needs_human=bool(why))
        if not why:
            told_of = msgspec.structs.replace(self._op, recovery=told.recovery)
            await let_go(self._cluster, told_of)
        return await self._cluster.journal.move(
            self._op.id,
            "failed" if why else "rolled_back",
            epoch=self._lease.epoch,
            reason="; ".join([self._reason, *why]),
            told=told,
        )

    async def _unlock(self, action: RecoveryAction, number: int) -> GateOutcome:
        """Locks are given back when the command ends, or were its process's."""
        assert number >= 0
        return _yes(action)

    async def _health(self, action: RecoveryAction, number: int) -> GateOutcome:
        assert number >= 0
        why = await trouble_of(self._cluster, action.resource, action.params)
        return _yes(action) if why is None else _no(action, why)

    async def _forensic(self, action: RecoveryAction, number: int) -> GateOutcome:
        assert number >= 0
        head = await self._cluster.ledger.head()
        epoch = self._lease.epoch
        return await keep(self._cluster, self._op, action.resource, epoch=epoch, head=head)

    async def _no_residue(self, action: RecoveryAction, number: int) -> GateOutcome:
        assert number >= 0
        why = await self._residue()
        return _yes(action) if why is None else _no(action, why)

    async def _restore(self, action: RecoveryAction, number: int) -> GateOutcome:
        pre = self._pre
        if pre is None:
            return _no(action, "what the op began from is not on record")
        named = graph_named(action.resource)
        if action.resource == CLUSTER:
            graphs = sorted(main_of(pre))
        elif named is not None:
            graphs = [named]
        else:
            return _no(action, "only the cluster and graphs are restored")
        for graph in graphs:
            why = await self._graph(action, graph, f"{number}:{graph}")
            if why is not None:
                return _no(action, f"{graph}: {why}" if action.resource == CLUSTER else why)
        return _yes(action)

    async def _graph(self, action: RecoveryAction, graph: str, label: str) -> str | None:
        """Brings one graph back; returns why it cannot be."""
        live = await observe_graph(self._cluster, graph)
        before = commit_of(self._pre, graph)
        if action.source == "last_known_good":
            good = await self._known_good(graph)
            if good is None:
                return "no ancestor that succeeded is known to have been good"
            target, then = good
            if self._pre is None or then is None or then != self._pre.contents.get(graph):
                return _takes_away(target)
            self._elsewhere = self._elsewhere or target != before
        elif before is None:
            return await self._take_away(graph, label)
        else:
            kept = kept_commit(self._op, graph)
            if kept is None:
                return "the op has no backup of it"
            target = kept
        content = self._pre.contents.get(graph) if self._pre and target == before else None
        if live.presence == "live" and content is not None and live.content == content:
            await self._drop_sidecars(graph)
            return None
        return await self._go_back(graph, target, label)

    async def _go_back(self, graph: str, target: int, label: str) -> str | None:
        """Reverts a graph to a commit, unless this recovery has done so already."""
        graphs = self._cluster.graphs

        async def revert(live: LiveGraph, stamp: Stamp) -> str | None:
            assert live.commit is not None
            if live.nonce == stamp.nonce:
                return None
            if await self._others_wrote(graph, since=commit_of(self._pre, graph) or target):
                return f"others have written to it since the op began; {_takes_away(target)}"
            await graphs.revert(graph, target, observed=live.commit, stamp=stamp)
            return None

        return await self._moved(graph, label, revert)

    async def _others_wrote(self, graph: str, *, since: int) -> bool:
        """Returns whether a commit above *since* is not the op's; where not all are there, it may be."""
        commits = await self._cluster.graphs.history(graph, limit=HISTORY_MAX)
        numbers = [commit_number(commit.id) or 0 for commit in commits]
        above = [c for c, n in zip(commits, numbers, strict=True) if n > since]
        whole = len(above) < len(commits) or not above
        return not whole or any(c.kind != "fence" and c.op != self._op.id for c in above)

    async def _take_away(self, graph: str, label: str) -> str | None:
        """Detaches a graph that was not there before: only one that nobody but the op has written to."""
        graphs = self._cluster.graphs
        live = await observe_graph(self._cluster, graph)
        if live.presence != "live":
            await self._drop_sidecars(graph)
            return None
        commits = await graphs.history(graph, limit=HISTORY_MAX)
        own = [c for c in commits if c.incarnation == live.incarnation]
        if any(commit.op != self._op.id for commit in own):
            return "it was not there before, and others have written to it since"

        async def detach(seen: LiveGraph, stamp: Stamp) -> str | None:
            assert seen.commit is not None
            await graphs.detach(graph, observed=seen.commit, stamp=stamp)
            return None

        return await self._moved(graph, label, detach)

    async def _moved(
        self, graph: str, label: str, act: Callable[[LiveGraph, Stamp], Awaitable[str | None]]
    ) -> str | None:
        """Moves a live graph under its lease, then drops the sidecars that told of the op's own move."""
        cluster, op = self._cluster, self._op
        async with self._lease_of(graph) as lease:
            live = await fence_graph(cluster, graph, lease, stamp_of(cluster, op, lease.epoch))
            if live.presence != "live":
                return f"it is {live.presence}"
            nonce = sha256_hex(f"recover\0{op.id}\0{label}".encode())[:32]
            why = await act(live, stamp_of(cluster, op, lease.epoch, nonce=nonce))
            if why is not None:
                return why
            await self._drop_sidecars(graph)
        return None

    @asynccontextmanager
    async def _lease_of(self, graph: str) -> AsyncIterator[Lease]:
        """Holds the lease of a graph's `main`: the one that a gate of the op took, if one did."""
        name = main_lease(await self._cluster.graphs.root_of(graph))
        if name in self._held:
            yield self._held[name]
            return
        async with self._cluster.leases.hold(
            name, principal=self._op.actor.identity, operation="recover", wait_s=GRAPH_WAIT_S
        ) as lease:
            yield lease

    async def _drop_sidecars(self, graph: str) -> None:
        for sidecar in (await read_sidecars(self._cluster.store)).sidecars:
            if sidecar.op == self._op.id and sidecar.graph_id == graph:
                await remove_sidecar(self._cluster.store, sidecar)

    async def _known_good(self, graph: str) -> tuple[int, str | None] | None:
        """Returns the commit of a graph at the newest ancestor that succeeded and can be gone back to.

        With the digest of what the graph held there, where that is on record.
        """
        cluster = self._cluster
        line = await cluster.journal.lineage(self._op.id)
        posts: dict[str, Snapshot] = {}
        healthy: set[str] = set()
        for op in line[1:]:
            post = await cluster.journal.post(op.id) if op.status == "success" else None
            number = commit_of(post, graph)
            if post is None or number is None:
                continue
            posts[op.id] = post
            try:
                stamp = stamp_of(cluster, self._op, self._lease.epoch)
                await cluster.graphs.pin(graph, number, stamp=stamp)
            except GraphError:
                continue
            healthy.add(op.id)
            break
        found = last_known_good(self._op, {o.id: o for o in line}, posts, frozenset(healthy))
        number = None if found is None else commit_of(posts[found.id], graph)
        if found is None or number is None:
            return None
        return number, posts[found.id].contents.get(graph)

    async def _residue(self) -> str | None:
        """Returns why the cluster is not what it was to be again; None where it is."""
        if self._pre is None:
            return "what the op began from is not on record"
        if self._elsewhere:
            return None
        head = await self._cluster.ledger.head()
        live = await observe_graphs(self._cluster, self._pre.graphs)
        if is_restored(self._pre, snapshot(head, live.values())):
            return None
        return "the cluster is not what it was before the op"


def _takes_away(target: int) -> str:
    """Says that no recovery takes rows away that were there before the op: that has a gate."""
    return (
        f"to go back to main:{target} would take away what the op did not write, and that is a"
        " human's decision: agentctl rollback"
    )


def _yes(action: RecoveryAction) -> GateOutcome:
    return GateOutcome(kind=action.kind, resource=action.resource, passed=True)


def _no(action: RecoveryAction, why: str) -> GateOutcome:
    return GateOutcome(kind=action.kind, resource=action.resource, passed=False, reason=why)
