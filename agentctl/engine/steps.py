"""The steps of an apply that move graphs forward: creates and schema updates, and the payloads.

Each graph-moving step holds the lease of the graph's `main`, looks at the graph again under it,
writes its sidecar, and only then moves the graph; the sidecar stays until the ledger has recorded
the outcome. After a failure the same pure function decides as after a crash. Source: control-plane
1.7, 3.5.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Literal

import msgspec

from agentctl.canonical import sha256_hex
from agentctl.diagnostics.diagnostic import Diagnostic, error, warning
from agentctl.domain.config.model import DesiredGraph, DesiredSchema
from agentctl.domain.ledger.observations import LiveGraph
from agentctl.domain.ledger.sidecar import Sidecar, StepKind
from agentctl.domain.plan.dispositions import FailedStep
from agentctl.domain.plan.model import Change
from agentctl.domain.storage.protocol import BackendError
from agentctl.engine.advance import graph_moved
from agentctl.engine.catalog import payload_key
from agentctl.engine.cluster import Cluster
from agentctl.engine.consent import consented, fresh_gate, spend
from agentctl.engine.gather import observe_graph
from agentctl.engine.leases import Lease, StateLockHeldError
from agentctl.engine.recover import recover
from agentctl.engine.running import Running
from agentctl.engine.sidecars import write_sidecar
from agentctl.engine.sweep import evidence_of
from agentctl.engine.world import mint_ulid
from agentctl.graph.port import GraphError, SchemaPayload, Stamp
from agentctl.ids import graph_address, parse_address
from agentctl.languages.schema.ir import SchemaIr, evolve_ir

GRAPH_WAIT_S = 30.0
"""How long a step waits for a graph that another writer holds."""

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


@asynccontextmanager
async def hold_graph(running: Running, graph_id: str, operation: str) -> AsyncIterator[Held]:
    """Holds the lease of a graph's `main`; whoever took it over from a dead holder fences it first.

    Raises:
        StateLockHeldError: another writer holds it and did not let go in time.
    """
    cluster, caller = running.task.cluster, running.task.caller
    async with cluster.leases.hold(
        main_lease(graph_id),
        principal=caller.id,
        operation=operation,
        wait_s=running.task.graph_wait_s,
    ) as lease:
        stamp = running.stamp(epoch=lease.epoch, nonce=running.mint_nonce())
        live = await fence_graph(cluster, graph_id, lease, stamp)
        yield Held(lease=lease, live=live)


def main_lease(graph_id: str) -> str:
    """Returns the name of the lease of a graph's `main`."""
    return f"{graph_address(graph_id)}@main"


async def fence_graph(cluster: Cluster, graph_id: str, lease: Lease, stamp: Stamp) -> LiveGraph:
    """Returns what the graph holds, after a fence commit where a dead holder may still write.

    A detached graph needs none: its tombstone bars every writer.
    """
    live = await observe_graph(cluster, graph_id)
    if not lease.fence_needed or live.presence != "live" or live.commit is None:
        return live
    await cluster.graphs.fence(graph_id, observed=live.commit, stamp=stamp)
    return await observe_graph(cluster, graph_id)


async def create_graph(running: Running, change: Change) -> None:
    """Makes a declared graph that does not exist, empty, with its schema."""
    graph = _declared(running, change)
    await running.started(change)
    try:
        async with hold_graph(running, graph.id, "graph_create") as held:
            refusal = _create_refusal(held.live)
            if refusal is not None:
                running.told.add(refusal)
                await step_failed(running, change, graph.id, "graph_create", "not_done")
                return
            approval_id = None
            if change.gate is not None:
                gate = fresh_gate(running, change, held.live)
                approval_id = await consented(running, change, gate)
                if approval_id is None:
                    return
            incarnation = mint_ulid(running.task.cluster.world)
            payload = _payload(running, graph.schema, None)
            port = running.task.cluster.graphs

            async def act(stamp: Stamp) -> int:
                return await port.create(
                    graph.id, schema=payload, incarnation=incarnation, stamp=stamp
                )

            sidecar = sidecar_of(
                running,
                held,
                "graph_create",
                incarnation,
                schema_digest=graph.schema.digest,
                approval_id=approval_id,
            )
            await _forward(running, Move(change=change, sidecar=sidecar, act=act))
    except StateLockHeldError as busy:
        await graph_busy(running, change, graph.id, busy)


async def update_schema(running: Running, change: Change) -> None:
    """Moves a live graph to its declared schema by one commit."""
    graph = _declared(running, change)
    await running.started(change)
    try:
        async with hold_graph(running, graph.id, "schema_apply") as held:
            live = held.live
            planned = running.task.inputs.live.get(graph.id)
            if not _same_schema(live, planned):
                running.told.add(_moved_under_us(change, live))
                await step_failed(running, change, graph.id, "schema_apply", "not_done")
                return
            assert live.commit is not None
            assert live.incarnation is not None
            payload, observed = _payload(running, graph.schema, live.ir), live.commit
            port = running.task.cluster.graphs

            async def act(stamp: Stamp) -> int:
                return await port.migrate(graph.id, schema=payload, observed=observed, stamp=stamp)

            sidecar = sidecar_of(
                running, held, "schema_apply", live.incarnation, schema_digest=graph.schema.digest
            )
            await _forward(running, Move(change=change, sidecar=sidecar, act=act))
    except StateLockHeldError as busy:
        await graph_busy(running, change, graph.id, busy)


async def publish_payload(running: Running, change: Change) -> bool:
    """Writes the content of a query or policy to the catalog; returns whether the run may go on."""
    await running.started(change)
    key = payload_key(change.resource, change.after_digest or "")
    assert key is not None, "only queries and policies have payloads"
    data = _content(running, change)
    if data is None or sha256_hex(data) != change.after_digest:
        running.told.add(
            error(
                "resource_content_changed",
                change.resource,
                f"the content of {change.resource} is not what was planned",
                remedy="agentctl apply",
            )
        )
        await running.finished(change, "not_done", "resource_content_changed")
        return False
    try:
        await running.task.cluster.catalog.publish(key, data)
    except BackendError as failure:
        running.told.add(
            error(
                "resource_payload_write_error",
                change.resource,
                f"the payload of {change.resource} could not be written: {failure}",
                detail="Nothing was recorded. Graphs that were moved before are settled by the"
                " next command.",
                remedy="agentctl apply",
            )
        )
        await running.finished(change, "not_done", "resource_payload_write_error")
        return False
    await running.finished(change, "done")
    return True


def sidecar_of(  # noqa: PLR0913  # a sidecar's own facts
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
        op=running.task.op.id,
        epoch=held.lease.epoch,
        incarnation=incarnation,
        nonce=running.mint_nonce(),
    )


async def make(running: Running, move: Move) -> LiveGraph | None:
    """Makes a step behind its sidecar; returns the moved graph, or None after telling why it is not.

    The order is a promise: sidecar, then the graph's one commit. A failure in between is looked at
    as a crash would be: by what the graph holds.
    """
    change, sidecar, cluster = move.change, move.sidecar, running.task.cluster
    try:
        await cluster.leases.check(running.task.lease)
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
    told: Diagnostic | None = None
    try:
        await move.act(running.stamp(epoch=sidecar.epoch, nonce=sidecar.nonce))
    except GraphError as failure:
        told = failure.diagnostic
    except BackendError as failure:
        told = warning("storage_unavailable", change.resource, str(failure))
    return await _looked_at(running, move, told)


async def graph_busy(
    running: Running, change: Change, graph_id: str, busy: StateLockHeldError
) -> None:
    """Blocks the changes of a graph that another writer holds; other graphs go on."""
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


async def _forward(running: Running, move: Move) -> None:
    live = await make(running, move)
    if live is None:
        return
    if move.sidecar.approval_id is not None:
        spend(running, move.sidecar.approval_id)
    running.state = graph_moved(
        running.state, live=live, schema_digest=move.sidecar.desired_schema_digest, at=running.at
    )
    await running.finished(move.change, "done")


async def _looked_at(running: Running, move: Move, told: Diagnostic | None) -> LiveGraph | None:
    sidecar, change = move.sidecar, move.change
    evidence = await evidence_of(running.task.cluster, sidecar.graph_id)
    (decision,) = recover((sidecar,), {sidecar.graph_id: evidence}, running.state)
    if decision.verdict == "roll_forward":
        running.settled.append(sidecar)
        return evidence.live
    if decision.verdict == "retire":
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


def _create_refusal(live: LiveGraph) -> Diagnostic | None:
    if live.presence in {"absent", "detached", "purged"}:
        return None
    address = graph_address(live.graph_id)
    if live.presence == "live":
        return error(
            "graph_create_failed",
            address,
            f"there is a graph at {live.uri} already, which the ledger does not record",
            remedy="agentctl refresh",
        )
    return error("graph_create_failed", address, f"the root {live.uri} is not ours: {live.error}")


def _same_schema(live: LiveGraph, planned: LiveGraph | None) -> bool:
    if planned is None or live.presence != "live":
        return False
    return (live.incarnation, live.source_digest) == (planned.incarnation, planned.source_digest)


def _moved_under_us(change: Change, live: LiveGraph) -> Diagnostic:
    return error(
        "schema_apply_failed",
        change.resource,
        f"graph {live.graph_id} is {live.presence} and not as it was planned from",
        detail=live.error,
        remedy="agentctl refresh, then agentctl apply",
    )


def _declared(running: Running, change: Change) -> DesiredGraph:
    parsed = parse_address(change.resource)
    assert parsed is not None
    graph = running.task.desired.graph(parsed.name)
    assert graph is not None, "a create or an update is of a declared graph"
    return graph


def _payload(running: Running, schema: DesiredSchema, old: SchemaIr | None) -> SchemaPayload:
    source = running.task.desired.files[schema.file]
    assert sha256_hex(source) == schema.digest, "a desired cluster holds the bytes it was read from"
    world = running.task.cluster.world
    return SchemaPayload(
        source=source,
        source_digest=schema.digest,
        shape_digest=schema.shape_digest,
        ir=evolve_ir(old, schema.catalog, lambda: mint_ulid(world)),
    )


def _content(running: Running, change: Change) -> bytes | None:
    parsed = parse_address(change.resource)
    assert parsed is not None
    desired = running.task.desired
    if parsed.kind == "policy":
        files = [p.file for p in desired.policies if p.name == parsed.name]
    else:
        graph = desired.graph(parsed.graph or "")
        files = [q.file for q in graph.queries if q.name == parsed.name] if graph else []
    return desired.files.get(files[0]) if files else None
