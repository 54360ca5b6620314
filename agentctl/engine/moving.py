"""How one step moves one graph: behind its lease, its fence and its sidecar. Source: control-plane 3.5.

A step holds the lease of the graph's `main`, looks at the graph again under it, writes its sidecar,
and only then makes its one commit; the sidecar stays until the ledger has recorded the outcome.
After a failure the same pure function decides as after a crash.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Literal

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error, warning
from agentctl.domain.ledger.freezes import CLUSTER_SCOPE
from agentctl.domain.ledger.observations import LiveGraph
from agentctl.domain.ledger.sidecar import Sidecar, StepKind
from agentctl.domain.plan.dispositions import FailedStep
from agentctl.domain.plan.model import Change
from agentctl.domain.storage.lease import TTL_S
from agentctl.domain.storage.protocol import BackendError, UnavailableError
from agentctl.engine.cluster import Cluster
from agentctl.engine.evidence import evidence_of
from agentctl.engine.freezing import FrozenError
from agentctl.engine.gather import observe_graph
from agentctl.engine.leases import Lease, LeaseLostError, StateLockHeldError
from agentctl.engine.recover import recover
from agentctl.engine.running import Running
from agentctl.engine.sidecars import write_sidecar
from agentctl.engine.world import mint_ulid
from agentctl.graph.layout import MAIN
from agentctl.graph.port import GraphError, ReadSetConflictError, Stamp
from agentctl.ids import graph_address, split_branch

FENCE_ATTEMPTS_MAX = 3
ACT_ATTEMPTS_MAX = 3
GRAPH_WAIT_S = TTL_S + 2.0
"""How long a step waits for a graph that another writer holds: until one that died is taken over."""

FAILED: dict[StepKind, FailedStep] = {
    "graph_create": "graph_create_failed",
    "schema_apply": "schema_apply_failed",
    "graph_delete": "graph_delete_failed",
}


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A graph whose `main` nobody else may write now."""

    lease: Lease
    live: LiveGraph
    """As observed under the lease."""


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """A graph-moving step that is ready to be made."""

    change: Change
    sidecar: Sidecar
    act: Callable[[Stamp], Awaitable[int]]
    """Makes the one commit of the step; repeating it is harmless."""


class _Told(msgspec.Struct, frozen=True, kw_only=True):
    """What the graph engine answered to a step."""

    why: Diagnostic | None = None
    """What went wrong."""
    unanswered: bool = False
    """Whether no request was answered, so that one may still arrive."""


@asynccontextmanager
async def hold_graph(running: Running, graph_id: str, operation: str) -> AsyncIterator[Held]:
    """Holds the lease of a graph's `main`; whoever took it over from a dead holder fences it first.

    Of ``<graph>@<branch>`` that of the branch.

    Raises:
        StateLockHeldError: another writer holds it and did not let go in time.
    """
    cluster, caller = running.task.cluster, running.task.caller
    graph, branch = split_branch(graph_id)
    name = branch_lease(await cluster.graphs.root_of(graph), branch)
    locked = running.task.held.get(name)
    if locked is not None:
        stamp = running.stamp(epoch=locked.epoch, nonce=running.mint_nonce())
        yield Held(lease=locked, live=await fence_live(cluster, graph_id, locked, stamp))
        return
    async with cluster.leases.hold(
        name,
        principal=caller.id,
        operation=operation,
        wait_s=running.task.graph_wait_s,
    ) as lease:
        stamp = running.stamp(epoch=lease.epoch, nonce=running.mint_nonce())
        live = await fence_live(cluster, graph_id, lease, stamp)
        yield Held(lease=lease, live=live)


def main_lease(root: str) -> str:
    """Returns the name of the lease of a graph's `main`, by the root that it keeps when renamed."""
    return branch_lease(root, MAIN)


def branch_lease(root: str, branch: str) -> str:
    """Returns the name of the lease of one branch of a graph, by the graph's root."""
    return f"{graph_address(root)}@{branch}"


async def fence_live(cluster: Cluster, graph_id: str, lease: Lease, stamp: Stamp) -> LiveGraph:
    """Returns what a graph, or ``<graph>@<branch>``, holds once no dead holder can write to it.

    As `fence_graph`, for whichever branch.

    Raises:
        FrozenError: the graph or the cluster is frozen.
    """
    graph, branch = split_branch(graph_id)
    if branch == MAIN:
        return await fence_graph(cluster, graph, lease, stamp)
    await cluster.freezes.require_thawed(graph_address(graph))
    live = await observe_graph(cluster, graph_id)
    if live.presence != "live" or not lease.fence_needed:
        return live
    await fence_branch(cluster, graph, branch, lease, stamp)
    return await observe_graph(cluster, graph_id)


async def fence_branch(
    cluster: Cluster, graph_id: str, branch: str, lease: Lease, stamp: Stamp
) -> None:
    """Writes a fence commit on a branch where a dead holder of its lease may still write.

    As `fence_graph` for `main`; a branch that is not there needs none.

    Raises:
        FrozenError: the graph or the cluster is frozen.
    """
    await cluster.freezes.require_thawed(graph_address(graph_id))
    for _ in range(FENCE_ATTEMPTS_MAX):
        if not lease.fence_needed:
            return
        found = {b.name: b.head for b in await cluster.graphs.branches(graph_id)}.get(branch)
        if found is None:
            return
        try:
            observed = int(found.id.rpartition(":")[2])
            await cluster.graphs.fence(graph_id, observed=observed, stamp=stamp, branch=branch)
        except ReadSetConflictError:
            continue  # The former holder got one more in before the fence: fence above it.
        cluster.leases.fenced(lease)
        return
    raise LeaseLostError(lease.resource, "another writer goes on writing to the branch")


async def fence_graph(cluster: Cluster, graph_id: str, lease: Lease, stamp: Stamp) -> LiveGraph:
    """Returns what the graph holds, after a fence commit where a dead holder may still write.

    A detached graph needs none: its tombstone bars every writer. Every command that moves a graph
    comes by here before it does.

    Raises:
        FrozenError: the graph or the cluster is frozen.
    """
    await cluster.freezes.require_thawed(graph_address(graph_id))
    for _ in range(FENCE_ATTEMPTS_MAX):
        live = await observe_graph(cluster, graph_id)
        if not lease.fence_needed or live.presence != "live" or live.commit is None:
            return live
        try:
            await cluster.graphs.fence(graph_id, observed=live.commit, stamp=stamp)
        except ReadSetConflictError:
            continue  # The former holder got one more in before the fence: fence above it.
        cluster.leases.fenced(lease)
        return await observe_graph(cluster, graph_id)
    raise LeaseLostError(lease.resource, "another writer goes on writing to the graph")


def sidecar_of(  # a sidecar's own facts
    running: Running,
    held: Held,
    kind: StepKind,
    incarnation: str,
    *,
    schema_digest: str,
    approval_id: str | None = None,
) -> Sidecar:
    """Returns the intent of a step that is about to be made on a held graph."""
    commit = held.live.commit
    return Sidecar(
        operation_id=mint_ulid(running.task.cluster.world),
        started_at=running.at,
        actor=running.task.caller.id,
        kind=kind,
        graph_id=held.live.graph_id,
        graph_uri=held.live.uri,
        observed_manifest_version=commit,
        expected_manifest_version=(commit or 0) + 1,
        desired_schema_digest=schema_digest,
        state_cas_base=running.task.inputs.state_cas,
        approval_id=approval_id,
        beside=tuple(a for a in running.companions.get(approval_id or "", ()) if a != approval_id),
        op=running.task.op.id,
        epoch=held.lease.epoch,
        incarnation=incarnation,
        nonce=running.mint_nonce(),
        kept_s=running.task.inputs.retention_s,
    )


async def make(running: Running, move: Move) -> LiveGraph | None:
    """Makes a step behind its sidecar; returns the moved graph, or None after telling why it is not.

    The order is a promise: sidecar, then the graph's one commit. A failure in between is looked at
    as a crash would be: by what the graph holds.
    """
    change, sidecar, cluster = move.change, move.sidecar, running.task.cluster
    try:
        await cluster.leases.check(running.task.lease)
        await cluster.freezes.require_thawed(graph_address(split_branch(sidecar.graph_id)[0]))
        await write_sidecar(cluster.store, sidecar)
    except BackendError as failure:
        running.told.add(
            error(
                "recovery_sidecar_write_error",
                change.resource,
                f"the intent to change {change.resource} could not be written: {failure}",
                remedy="agentctl apply",
            )
        )
        await step_failed(running, change, sidecar.graph_id, sidecar.kind, "not_done")
        return None
    return await _looked_at(running, move, await _acted(running, move))


async def _acted(running: Running, move: Move) -> _Told:
    """Makes the commit of a step, and once more where no answer came.

    A request that nobody answered may still arrive. The repeated one either takes its place, so that
    it cannot, or meets what it did.
    """
    sidecar, told = move.sidecar, _Told()
    for _ in range(ACT_ATTEMPTS_MAX):
        try:
            await move.act(running.stamp(epoch=sidecar.epoch, nonce=sidecar.nonce))
        except ReadSetConflictError as failure:
            return _Told(why=failure.diagnostic)  # Its number is taken: an earlier one is too late.
        except GraphError as failure:
            return _Told(why=failure.diagnostic, unanswered=told.unanswered)
        except UnavailableError as failure:
            why = warning("storage_unavailable", move.change.resource, str(failure))
            told = _Told(why=why, unanswered=True)
        except BackendError as failure:
            why = warning("storage_unavailable", move.change.resource, str(failure))
            return _Told(why=why, unanswered=told.unanswered)
        else:
            return _Told()
    return told


async def graph_busy(
    running: Running, change: Change, graph_id: str, busy: StateLockHeldError | FrozenError
) -> None:
    """Blocks the changes of a graph that another writer holds, or that is frozen; others go on.

    Raises:
        FrozenError: it is the whole cluster that is frozen, and nothing goes on.
    """
    if isinstance(busy, FrozenError):
        if busy.freeze.scope == CLUSTER_SCOPE:
            raise busy
        running.hold_back(graph_id, "frozen")
        running.told.add(busy.diagnostic)
        await running.finished(change, "not_done", "frozen")
        return
    running.hold_back(graph_id, "graph_busy")
    running.told.add(
        warning(
            "graph_busy",
            change.resource,
            f"graph {graph_id} is held by another writer: {busy.diagnostic.message}",
            remedy="agentctl apply",
        )
    )
    await running.finished(change, "not_done", "graph_busy")


async def step_failed(
    running: Running,
    change: Change,
    graph_id: str,
    kind: StepKind,
    how: Literal["not_done", "unknown"],
) -> None:
    """Demotes what hangs on a failed step, stops the other graph-moving steps, and tells."""
    running.fail(graph_id, FAILED[kind])
    await running.finished(change, how, FAILED[kind])


async def _looked_at(running: Running, move: Move, answered: _Told) -> LiveGraph | None:
    sidecar, change, told = move.sidecar, move.change, answered.why
    evidence = await evidence_of(running.task.cluster, sidecar.graph_id)
    (decision,) = recover((sidecar,), {sidecar.graph_id: evidence}, running.state, frozenset())
    if decision.verdict == "roll_forward":
        running.settled.append(sidecar)
        return evidence.live
    if decision.verdict == "retire" and not answered.unanswered:
        running.settled.append(sidecar)
        running.told.add(_why_failed(change, sidecar.kind, told))
        await step_failed(running, change, sidecar.graph_id, sidecar.kind, "not_done")
        return None
    running.told.add(
        error(
            "outcome_unknown",
            change.resource,
            f"the {change.operation} of {change.resource} was started, and whether it happened"
            " could not be seen",
            detail=told.message if told is not None else evidence.live.error,
            remedy="agentctl refresh",
        )
    )
    await step_failed(running, change, sidecar.graph_id, sidecar.kind, "unknown")
    return None


def _why_failed(change: Change, kind: StepKind, told: Diagnostic | None) -> Diagnostic:
    why = told.message if told is not None else "its commit is not there"
    return error(
        FAILED[kind],
        change.resource,
        f"the {change.operation} of {change.resource} failed: {why}",
        detail=told.detail if told is not None else None,
        remedy=(told.remedy if told is not None else None) or "agentctl apply",
    )
