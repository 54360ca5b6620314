"""Carries a plan out, stage after stage: creates, schemas, payloads, deletes last. Source: control-plane 1.7.

Within a stage the steps do not depend on each other, and run concurrently with a bound. The first
failure of a step that moves a graph stops the other graph moves of the run that were not begun; what
does not hang on it goes on. A payload that cannot be written ends the run before deletes, and then
nothing is recorded: graphs that were moved stay behind their sidecars for the next sweep. Who
interrupts an apply is heard between steps: what was begun is finished.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Final

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.ledger.state import State
from agentctl.domain.plan.dispositions import FailedStep
from agentctl.domain.plan.merges import MERGE
from agentctl.domain.plan.model import Change
from agentctl.domain.plan.order import Stages, stages
from agentctl.domain.plan.reverts import REVERT
from agentctl.engine.advance import graph_purged
from agentctl.engine.bounded import run_bounded
from agentctl.engine.bringing_home import merge_proposed
from agentctl.engine.consent import consented, fresh_gate, spend
from agentctl.engine.erasure import erase_graph
from agentctl.engine.frozen_graphs import hold_frozen
from agentctl.engine.garbage import collect
from agentctl.engine.rename import rename_graph
from agentctl.engine.reverting import revert_graph
from agentctl.engine.running import Running
from agentctl.engine.seal import delete_graph
from agentctl.engine.steps import create_graph, publish_payload, update_schema
from agentctl.engine.sweep import DuePurge, due_purges, purge
from agentctl.ids import parse_address

Step = Callable[[Running, Change], Awaitable[None]]

_DATA_STEPS: Final[Mapping[str, Step]] = {
    REVERT: revert_graph,
    MERGE: merge_proposed,
    "erase": erase_graph,
}
"""What moves the data of a graph behind a gate, by `metadata_change`; each holds the graph itself."""


async def carry_out(running: Running) -> bool:
    """Carries out what the plan applies; returns whether the outcome may be recorded."""
    await hold_frozen(running)
    planned = stages(running.changes)
    await purge_due(running)
    await _graph_moves(running, planned.graph_creates, create_graph, "graph_create_failed")
    await _graph_moves(running, planned.schema_updates, update_schema, "schema_apply_failed")
    if not await _payloads(running, planned):
        return False
    await _graph_moves(running, planned.graph_deletes, delete_graph, "graph_delete_failed")
    return True


def steps_of(changes: Iterable[Change]) -> tuple[str, ...]:
    """Returns the resources of the steps that a run makes, each of which begins and finishes."""
    planned = stages(changes)
    in_order = (
        planned.graph_creates,
        planned.schema_updates,
        planned.records,
        planned.payloads,
        planned.removals,
        planned.graph_deletes,
    )
    return tuple(change.resource for stage in in_order for change in stage)


async def purge_due(running: Running) -> None:
    """Removes the data of the detached graphs whose time is over, each approved when it was deleted."""
    for due in due_purges(running.state, running.at):
        trouble = await _purge(running, due)
        if trouble is not None:
            running.told.add(trouble)
        else:
            running.state = graph_purged(running.state, due.key, at=running.at)


async def purge_at_once(running: Running, before: State) -> None:
    """Removes the data of what was just detached, where nothing is kept of deleted graphs.

    *before* is the recorded state; what was detached by then has its own time.
    """
    for due in due_purges(running.state, running.at):
        if (
            due.key in before.observations
            and before.observations[due.key] == (running.state.observations[due.key])
        ):
            continue
        trouble = await _purge(running, due)
        if trouble is not None:
            running.told.add(trouble)
        else:
            running.state = graph_purged(running.state, due.key, at=running.at)


async def _purge(running: Running, due: DuePurge) -> Diagnostic | None:
    # The tombstone's epoch takes the place of this one: no lease of the graph is held.
    stamp = running.stamp(epoch=0, nonce=running.mint_nonce())
    return await purge(running.task.cluster, due, lease=running.task.lease, stamp=stamp)


async def _graph_moves(
    running: Running, changes: tuple[Change, ...], step: Step, failure: FailedStep
) -> None:
    async def move(change: Change) -> None:
        if not running.does(change.resource) or running.leave(change):
            return
        if running.stopped:
            parsed = parse_address(change.resource)
            assert parsed is not None
            running.skip(change, parsed.name, failure)
        else:
            await step(running, change)

    await run_bounded([partial(move, change) for change in changes], running.task.concurrency)


async def _payloads(running: Running, planned: Stages) -> bool:
    """Returns whether the run may go on: whether every payload that was to be written is there."""
    failed: list[str] = []

    async def one(change: Change) -> None:
        if failed or not running.does(change.resource) or running.leave(change):
            return
        if not await _payload(running, change, written=change.resource not in records):
            failed.append(change.resource)

    records = {change.resource for change in planned.records}
    for stage in (planned.records, planned.payloads, planned.removals):
        await run_bounded([partial(one, change) for change in stage], running.task.concurrency)
    return not failed


async def _payload(running: Running, change: Change, *, written: bool) -> bool:
    """Makes one change that moves no graph; returns whether the run may go on."""
    if change.moved_from is not None and change.resource.startswith("graph."):
        await rename_graph(running, change)
        return True
    moves_data = _DATA_STEPS.get(change.metadata_change or "")
    if moves_data is not None:
        await moves_data(running, change)
        return True
    approval_id = None
    if change.gate is not None:
        approval_id = await consented(running, change, fresh_gate(running, change, None))
        if approval_id is None:
            return True
    if change.operation == "delete" or not written:
        await running.started(change)
        if change.metadata_change == "garbage":
            await collect(running, change)
        await running.finished(change, "done")
    elif not await publish_payload(running, change):
        return False
    if approval_id is not None:
        spend(running, approval_id)
    return True
