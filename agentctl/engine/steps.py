"""The steps of an apply that create graphs, move their schemas, and publish payloads. Source: control-plane 1.7."""

from agentctl.canonical import sha256_hex
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.config.model import DesiredGraph, DesiredSchema
from agentctl.domain.ledger.observations import LiveGraph
from agentctl.domain.plan.model import Change
from agentctl.domain.storage.protocol import BackendError
from agentctl.engine.advance import graph_moved
from agentctl.engine.catalog import payload_digest, payload_key
from agentctl.engine.consent import consented, fresh_gate, spend
from agentctl.engine.finding import roots_named
from agentctl.engine.freezing import FrozenError
from agentctl.engine.leases import StateLockHeldError
from agentctl.engine.moving import (
    Move,
    graph_busy,
    hold_graph,
    make,
    sidecar_of,
    step_failed,
)
from agentctl.engine.running import Running
from agentctl.engine.world import mint_ulid
from agentctl.graph.naming import write_name
from agentctl.graph.port import GraphError, SchemaPayload, Stamp
from agentctl.ids import ascending, graph_address, parse_address
from agentctl.languages.schema.ir import SchemaIr, evolve_ir


async def create_graph(running: Running, change: Change) -> None:
    """Makes a declared graph that does not exist, empty, with its schema."""
    graph = _declared(running, change)
    await running.started(change)
    try:
        async with hold_graph(running, graph.id, "graph_create") as held:
            refusal = _create_refusal(held.live) or await _twin(running, graph.id)
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
                number = await port.create(
                    graph.id, schema=payload, incarnation=incarnation, stamp=stamp
                )
                await _named(running, graph.id, stamp)
                return number

            sidecar = sidecar_of(
                running,
                held,
                "graph_create",
                incarnation,
                schema_digest=graph.schema.digest,
                approval_id=approval_id,
            )
            await _forward(running, Move(change=change, sidecar=sidecar, act=act))
    except (StateLockHeldError, FrozenError) as busy:
        await graph_busy(running, change, graph.id, busy)


async def _named(running: Running, graph_id: str, stamp: Stamp) -> None:
    """Writes the graph's name to its root, where that is called otherwise or was another graph's."""
    cluster = running.task.cluster
    root = await cluster.graphs.root_of(graph_id)
    await write_name(cluster.store, root, graph_id, op=stamp.op, at=stamp.at)


async def _twin(running: Running, graph_id: str) -> Diagnostic | None:
    """Returns an error where a root of another name has the graph's data: it was renamed."""
    cluster, address = running.task.cluster, graph_address(graph_id)
    try:
        named = await roots_named(cluster, (graph_id,), running.state)
    except GraphError as failure:
        return failure.diagnostic
    except BackendError as failure:
        said = f"whether graph {graph_id} lies in a root of another name cannot be told: {failure}"
        return error("graph_create_failed", address, said, remedy="agentctl apply")
    if graph_id not in named:
        return None
    where = cluster.graphs.port.uri(named[graph_id][0])
    return error(
        "graph_create_failed",
        address,
        f"there is a graph at {where} already, which was renamed to {graph_id} and which the ledger"
        " does not record",
        remedy="agentctl refresh",
    )


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
            approval_id = None
            if change.gate is not None:
                approval_id = await consented(running, change, fresh_gate(running, change, live))
                if approval_id is None:
                    return
            payload, observed = _payload(running, graph.schema, live.ir), live.commit
            port = running.task.cluster.graphs

            async def act(stamp: Stamp) -> int:
                return await port.migrate(graph.id, schema=payload, observed=observed, stamp=stamp)

            sidecar = sidecar_of(
                running,
                held,
                "schema_apply",
                live.incarnation,
                schema_digest=graph.schema.digest,
                approval_id=approval_id,
            )
            rows = sum(live.rows.values())
            running.progress(change, "rows that the new schema is held against", 0, rows)
            await _forward(running, Move(change=change, sidecar=sidecar, act=act))
    except (StateLockHeldError, FrozenError) as busy:
        await graph_busy(running, change, graph.id, busy)


async def publish_payload(running: Running, change: Change) -> bool:
    """Writes the content of a resource to the catalog; returns whether the run may go on."""
    await running.started(change)
    key = payload_key(change.resource, change.after_digest or "")
    assert key is not None, "the kind has payloads"
    data = running.content(change.resource)
    if data is None or payload_digest(change.resource, data) != change.after_digest:
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
        # Ascending, so that the order of a key's properties is the same in every graph of a schema.
        ir=evolve_ir(old, schema.catalog, ascending(lambda: mint_ulid(world))),
    )
