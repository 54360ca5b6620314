"""`rollback`: an earlier revision is wanted again, by a new op that goes forward. Source: ops 2, 3.2.

What wrote rows to a branch of a graph, `main` or another, is undone by that branch's data alone.
A rollback is an apply whose target is a ledger object: the same plan, the same gates, the same
steps. Nothing of the history moves; the op names the one that it undoes.
"""

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.ops.record import GRAPH_ACTIONS, Op, Snapshot
from agentctl.domain.plan.reverts import Revert
from agentctl.domain.policy.caller import Caller
from agentctl.engine.advance import recorded_digests
from agentctl.engine.apply import apply
from agentctl.engine.cluster import Cluster
from agentctl.engine.events import OnEvent
from agentctl.engine.going_back import (
    brought_rows,
    merged_into,
    moved_data,
    number_at,
    other_schemas,
    reverts_at,
)
from agentctl.engine.graph_data import place_of
from agentctl.engine.ledger import Head
from agentctl.engine.planning import Planned, make_plan
from agentctl.engine.prepare import ApplyRequest
from agentctl.engine.results import ApplyResult, PlanResult
from agentctl.engine.revisions import RollbackOf
from agentctl.graph.layout import MAIN
from agentctl.graph.port import GraphError
from agentctl.ids import branch_address, split_branch

HISTORY_MAX = 1000
"""How far back the ledger is searched for what an op recorded."""


class Undone(msgspec.Struct, frozen=True, kw_only=True):
    """What a rollback reaches, and what it undoes on the way."""

    of: RollbackOf
    also: tuple[str, ...] = ()
    """Other ops whose changes go too, newest first."""


class RollbackPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a rollback would do."""

    undone: Undone
    plan: PlanResult


class RollbackResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a rollback did."""

    undone: Undone
    applied: ApplyResult


async def undoing(
    cluster: Cluster,
    *,
    to: int | None,
    op: str | None,
    with_data: bool = False,
) -> Undone | Diagnostic:
    """Returns what a rollback to object *to*, or to before *op*, undoes.

    *with_data* brings graphs back too, to what they held before the op that is undone. What wrote
    rows, or took them back, is undone by its data alone: definitions stay as they are now.

    Raises:
        LedgerUnreadableError: the ledger cannot be trusted or understood.
        BackendError: the store failed.
    """
    history = await cluster.ledger.history(limit=HISTORY_MAX)
    if op is not None:
        found = await _before(cluster, op, history)
        if isinstance(found, Diagnostic):
            return found
        op, to, is_data = found
        with_data = with_data or is_data
        left = None if with_data else await _rows_left(cluster, op)
        if left is not None:
            return left
    assert to is not None, "a rollback goes to an object, or to before an op"
    moving = _moving(history, above=to)
    undone = op if op is not None else next(iter(reversed(moving)), None)
    if undone is not None and await cluster.journal.get(undone) is None:
        undone = None
    if with_data and undone is None:
        return error(
            "op_not_undoable",
            f"revision:{to}",
            "no op above that object is on record, so what graphs held then is not either",
            remedy="agentctl rollback --op ID, with an op of: agentctl ops log --graph",
        )
    return Undone(
        of=RollbackOf(seq=to, op=undone, with_data=with_data),
        also=tuple(other for other in moving if other != undone),
    )


async def plan_rollback(cluster: Cluster, caller: Caller, undone: Undone) -> Planned:
    """Returns what the rollback would do now; it writes nothing."""
    return await make_plan(cluster, caller, target=undone.of.target)


async def rollback(
    cluster: Cluster,
    caller: Caller,
    undone: Undone,
    request: ApplyRequest,
    on_event: OnEvent | None = None,
) -> RollbackResult:
    """Reaches an earlier revision again, as far as that is permitted now.

    *request* says how; its target and what it undoes are set here.

    Raises:
        As `apply`.
    """
    of = undone.of
    op = await cluster.journal.get(of.op) if of.with_data and of.op is not None else None
    wanted = msgspec.structs.replace(
        request,
        target=of.target,
        rollback=of,
        data_alone=op is not None and bool(moved_data(op)),
    )
    applied = await apply(cluster, caller, wanted, on_event)
    return RollbackResult(undone=undone, applied=applied)


async def _before(
    cluster: Cluster, op_id: str, history: tuple[Head, ...]
) -> tuple[str, int, bool] | Diagnostic:
    """Returns the op that *op_id* means, the object that is wanted again, and whether data alone moved."""
    ids = await cluster.journal.named(op_id)
    op = await cluster.journal.get(ids[0]) if len(ids) == 1 else None
    if op is None:
        why = f"{len(ids)} ops begin so" if len(ids) > 1 else "there is no op of that id"
        return error("op_not_found", op_id, why, remedy="agentctl ops log --graph")
    if op.status != "success":
        return _not_undoable(op, f"the op is {op.status}; only what succeeded can be undone")
    keys = moved_data(op)
    if keys and history:
        return await _before_write(cluster, op, keys, history[0])
    if op.action in GRAPH_ACTIONS and history:
        return _undone_otherwise(op)
    return await _before_moves(cluster, op, history)


async def _rows_left(cluster: Cluster, op_id: str) -> Diagnostic | None:
    """Returns why a rollback of definitions alone would leave half of what an op did."""
    op = await cluster.journal.get(op_id)
    assert op is not None, op_id
    merged = dict.fromkeys(graph for t in op.targets if (graph := merged_into(t)) is not None)
    graphs = [graph for graph in merged if await brought_rows(cluster, op, graph)]
    if not graphs:
        return None
    why = f"it brought rows of a sandbox into {', '.join(graphs)} besides what it defined"
    remedy = f"agentctl rollback --op {op.id} --with-data: its graphs go back to what they held"
    return _not_undoable(op, why, remedy)


async def _before_moves(
    cluster: Cluster, op: Op, history: tuple[Head, ...]
) -> tuple[str, int, bool] | Diagnostic:
    """What moved definitions is undone by the ledger object from which it had begun."""
    pre = await cluster.journal.pre(op.id)
    if not any(head.envelope.op == op.id and head.envelope.kind != "fence" for head in history):
        return _not_undoable(op, "no ledger object is its: it moved no definition")
    if pre is None or pre.seq is None:
        return _not_undoable(op, "there was no ledger before it")
    return op.id, pre.seq, False


async def _before_write(
    cluster: Cluster, op: Op, keys: tuple[str, ...], head: Head
) -> tuple[str, int, bool] | Diagnostic:
    """A write of rows moved data alone: what is defined now stays, if it is what the data of then has."""
    pre = await cluster.journal.pre(op.id)
    if not any([await brought_rows(cluster, op, key) for key in keys]):
        return _not_undoable(op, "it brought no rows")
    for key in keys:
        graph, branch = split_branch(key)
        reverts = () if pre is None else await reverts_at(cluster, pre, key)
        if not reverts:
            return _not_undoable(op, f"what its {_called(key)} held before is not on record")
        if other_schemas(reverts, recorded_digests(head.envelope.state)):
            return _not_undoable(op, f"graph {graph} has another schema since")
        if branch != MAIN:
            (revert,) = reverts
            refused = await _not_there(cluster, op, pre, key, revert)
            if refused is not None:
                return refused
    return op.id, head.seq, True


async def _not_there(
    cluster: Cluster, op: Op, pre: Snapshot | None, key: str, revert: Revert
) -> Diagnostic | None:
    """Returns why a branch beside `main` cannot go back; of `main` that is looked at when it does."""
    place = await place_of(cluster, revert.graph)
    try:
        await place.data.check_revertible(place.root, revert.commit, branch=revert.branch)
    except GraphError as failure:
        graph, branch = split_branch(key)
        number = None if pre is None else number_at(pre, key)
        assert number is not None, "the revert was made of it"
        why = f"{branch_address(graph, branch)} does not go back: {failure.diagnostic.message}"
        remedy = f"agentctl branch create {revert.graph} NAME --at {branch}:{number}"
        return _not_undoable(op, why, remedy)
    return None


def _called(key: str) -> str:
    return "graph" if split_branch(key)[1] == MAIN else "branch"


def _undone_otherwise(op: Op) -> Diagnostic:
    """Returns what to do in place of a rollback of what wrote no rows."""
    graph, branch = split_branch(op.component)
    why, remedy = {
        "branch_create": (
            "a branch that was cut is deleted",
            f"agentctl branch delete {graph} {branch}",
        ),
        "branch_delete": (
            "a deleted branch is cut again from a commit of another",
            f"agentctl branch create {graph} {branch} --at COMMIT",
        ),
        "graph_tag": ("a tag is taken away", f"agentctl graph tag {graph} TAG --delete"),
        "graph_untag": ("a tag is made again", f"agentctl graph tag {graph} TAG --at COMMIT"),
        "graph_optimize": ("it changed no row", f"agentctl graph show {graph}"),
        "graph_cleanup": ("what it let go of is gone", f"agentctl graph show {graph}"),
    }[op.action]
    return _not_undoable(op, why, remedy)


def _not_undoable(op: Op, why: str, remedy: str | None = None) -> Diagnostic:
    return error(
        "op_not_undoable",
        op.id,
        f"the {op.action} cannot be undone: {why}",
        remedy=remedy or "agentctl rollback --to SEQ, with an object of: agentctl ops log --graph",
    )


def _moving(history: tuple[Head, ...], *, above: int) -> tuple[str, ...]:
    """Returns the ops of the objects above a seq whose state differs from the one below, newest first."""
    by_seq = {head.seq: head for head in history}
    found: list[str] = []
    for head in history:
        below = by_seq.get(head.seq - 1)
        if head.seq <= above or head.envelope.op is None or head.envelope.kind == "fence":
            continue
        before = below.envelope.state.applied_revision if below is not None else None
        if before != head.envelope.state.applied_revision:
            found.append(head.envelope.op)
    return tuple(dict.fromkeys(found))
