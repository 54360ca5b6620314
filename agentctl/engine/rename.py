"""The step that gives a graph another id. Its data do not move; the ledger commit is the rename.

Under the lease of the graph's `main`, so that no load is in the middle of it, the payloads of its
queries are published under their new addresses, and its root gets its new name on record. Nothing else
is written: a crash leaves payloads and a name that nothing reads while there is a ledger, and the old
name in force. Source: control-plane 3.1, ADR 13.
"""

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.ledger.renaming import renamed_address
from agentctl.domain.plan.model import Change
from agentctl.domain.storage.protocol import BackendError
from agentctl.engine.advance import subtree
from agentctl.engine.catalog import payload_key
from agentctl.engine.consent import consented, fresh_gate, spend
from agentctl.engine.freezing import FrozenError
from agentctl.engine.gather import observe_graph
from agentctl.engine.leases import StateLockHeldError
from agentctl.engine.moving import graph_busy, hold_graph
from agentctl.engine.running import Running
from agentctl.graph.naming import write_name
from agentctl.graph.port import GraphError
from agentctl.ids import parse_address


async def rename_graph(running: Running, change: Change) -> None:
    """Makes ready what the ledger commit then renames."""
    source, target = _ids(change)
    await running.started(change)
    try:
        async with hold_graph(running, source, "graph_move") as held:
            approval_id = None
            if change.gate is not None:
                gate = fresh_gate(running, change, held.live)
                approval_id = await consented(running, change, gate)
                if approval_id is None:
                    return
            refusal = (
                await _refusal(running, change, target)
                or await _payloads(running, change)
                or await _named(running, change, source, target)
            )
            if refusal is not None:
                running.told.add(refusal)
                running.hold_back_one(change.resource, "graph_move_failed")
                await running.finished(change, "not_done", "graph_move_failed")
                return
            if approval_id is not None:
                spend(running, approval_id)
            await running.finished(change, "done")
    except (StateLockHeldError, FrozenError) as busy:
        await graph_busy(running, change, target, busy)


async def _refusal(running: Running, change: Change, target: str) -> Diagnostic | None:
    """Returns an error where a root that the ledger does not record has the new name already."""
    live = await observe_graph(running.task.cluster, target)
    if live.presence in {"absent", "detached", "purged"}:
        return None
    return error(
        "graph_move_failed",
        change.resource,
        f"there is a graph at {live.uri} already, which the ledger does not record",
        remedy="Choose another id, or take that root away.",
    )


async def _named(running: Running, change: Change, source: str, target: str) -> Diagnostic | None:
    """Writes the new name to the graph's root, for the day when the ledger is lost."""
    cluster = running.task.cluster
    root = await cluster.graphs.root_of(source)
    try:
        await write_name(cluster.store, root, target, op=running.task.op.id, at=running.at)
    except GraphError as failure:
        return failure.diagnostic
    except BackendError as failure:
        return error(
            "graph_move_failed",
            change.resource,
            f"the new name could not be written to the graph's root: {failure}",
            remedy="agentctl apply",
        )
    return None


async def _payloads(running: Running, change: Change) -> Diagnostic | None:
    """Publishes the recorded payloads of the graph's queries under their new addresses."""
    assert change.moved_from is not None
    catalog = running.task.cluster.catalog
    source, _ = _ids(change)
    for address, resource in subtree(running.state, source).items():
        key = payload_key(
            renamed_address(address, change.moved_from, change.resource), resource.digest
        )
        if key is None:
            continue
        check, data = await catalog.read(address, resource.digest)
        told = check.diagnostic()
        if data is None:
            return told
        try:
            await catalog.publish(key, data)
        except BackendError as failure:
            message = f"the payload {key} could not be written: {failure}"
            return error(
                "resource_payload_write_error", change.resource, message, remedy="agentctl apply"
            )
    return None


def _ids(change: Change) -> tuple[str, str]:
    assert change.moved_from is not None
    source, target = parse_address(change.moved_from), parse_address(change.resource)
    assert source is not None
    assert target is not None
    return source.name, target.name
