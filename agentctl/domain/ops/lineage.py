"""Walks over the DAG of ops. Edges are written once, at creation, to ops that existed: no cycles."""

from collections.abc import Mapping

from agentctl.domain.ops.record import Op


def ancestors(op_id: str, ops: Mapping[str, Op]) -> tuple[Op, ...]:
    """Returns the op and those it descends from, nearest first, each once.

    Ops that are not in *ops* (archived, or recorded inside a graph's commit) end their line.
    """
    found: dict[str, Op] = {}
    waiting = [op_id]
    while waiting:
        current = waiting.pop(0)
        op = ops.get(current)
        if op is None or current in found:
            continue
        found[current] = op
        waiting.extend(parents(op))
    return tuple(found.values())


def parents(op: Op) -> tuple[str, ...]:
    """Returns the ops that this one's state derives from: one, or two for a merge."""
    edges = (op.lineage.parent_op, op.lineage.merged_op)
    return tuple(edge for edge in edges if edge is not None)


def undone_by(op_id: str, ops: Mapping[str, Op]) -> str | None:
    """Returns the op that rolled this one back, where one succeeded: a view, no field of a record."""
    for op in ops.values():
        if op.lineage.rollback_of == op_id and op.status == "success":
            return op.id
    return None
