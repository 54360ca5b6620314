"""Gates before an op and actions after its failure: order, expansion, and what an outcome means.

Pure. The engine evaluates; here is decided in which order, over which resources, and what follows.
All gates are evaluated and reported, cheap ones first: a human sees the whole list. Source: ops 3.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from agentctl.domain.ops.lineage import ancestors
from agentctl.domain.ops.params import Role, params_faults
from agentctl.domain.ops.record import (
    Constraint,
    ConstraintKind,
    Constraints,
    GateOutcome,
    Op,
    RecoveryAction,
    Snapshot,
)
from agentctl.instants import parse_instant

ORDER: Final[tuple[ConstraintKind, ...]] = (
    "concurrent_lock",
    "dry_run_check",
    "health_check",
    "backup",
    "restore",
)
"""Locks first, for a backup is taken under the lock; then from cheap to costly."""
DRY_RUN_LIFE: Final = timedelta(hours=24)
"""How old a dry run may be where nothing else is asked."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with a constraint as it was given."""

    path: str
    message: str


def faults(given: Constraints) -> tuple[Fault, ...]:
    """Returns every mistake in constraints that a caller gave."""
    found: list[Fault] = []
    named: tuple[tuple[str, Sequence[Constraint | RecoveryAction]], ...] = (
        ("pre", given.pre),
        ("on_failure", given.on_failure),
    )
    for where, constraints in named:
        for number, one in enumerate(constraints):
            found += _faults_of(one, f"{where}[{number}]")
    return tuple(found)


def in_order(constraints: Iterable[Constraint]) -> tuple[Constraint, ...]:
    """Returns the constraints as they are evaluated; those of one kind as they were given."""
    return tuple(sorted(constraints, key=lambda c: ORDER.index(c.kind)))


def expanded(
    constraints: Iterable[Constraint], edges: Iterable[tuple[str, str]]
) -> tuple[Constraint, ...]:
    """Returns the constraints with every `indirect` one spelled out, in the order of evaluation.

    An indirect one is over its resource, all that depends on it and all that it depends on. It is
    stored so: a later change of the references moves no gate.

    Args:
        constraints: as they were given.
        edges: what depends on what, ``(from, to)``.
    """
    below: dict[str, set[str]] = {}
    above: dict[str, set[str]] = {}
    for source, target in edges:
        below.setdefault(source, set()).add(target)
        above.setdefault(target, set()).add(source)
    spelled: list[Constraint] = []
    for one in constraints:
        reached: set[str] = set()
        if one.scope == "indirect":
            reached = _walk(one.resource, below) | _walk(one.resource, above)
        for resource in [one.resource, *sorted(reached - {one.resource})]:
            meant = msgspec.structs.replace(one, resource=resource)
            if meant not in spelled:
                spelled.append(meant)
    return in_order(spelled)


def refused(outcomes: Iterable[GateOutcome]) -> tuple[GateOutcome, ...]:
    """Returns the gates that said no."""
    return tuple(outcome for outcome in outcomes if not outcome.passed)


def report(outcomes: Iterable[GateOutcome]) -> str:
    """Returns one line for each gate that said no, as the record keeps it."""
    return "; ".join(f"{o.kind} {o.resource}: {o.reason}" for o in refused(outcomes))


def dry_run_reason(  # what a dry run has to match
    ops: Iterable[Op], wanted: Op, *, inputs: str, now: datetime, life: timedelta = DRY_RUN_LIFE
) -> str | None:
    """Returns why no dry run stands for *wanted*; None where one does.

    A dry run stands for the same workspace and component with the same inputs while it is young.
    """
    runs = [
        op
        for op in ops
        if op.operation == "dry_run"
        and op.status == "success"
        and (op.workspace, op.component) == (wanted.workspace, wanted.component)
    ]
    if not runs:
        return "no plan was kept for it"
    same = [op for op in runs if op.inputs_digest == inputs]
    if not same:
        return "what it would do has changed since the newest kept plan"
    if all(now - parse_instant(op.started_at) > life for op in same):
        return f"the kept plan is older than {int(life.total_seconds())} s"
    return None


def last_known_good(
    op: Op, ops: Mapping[str, Op], posts: Mapping[str, Snapshot], healthy: frozenset[str]
) -> Op | None:
    """Returns the newest ancestor that succeeded, has its end recorded and was healthy; None for none.

    Args:
        op: the op that failed; it is no ancestor of itself.
        ops: those that are known, by id.
        posts: how they ended, by id.
        healthy: ids of those whose state passes the health check.
    """
    for ancestor in ancestors(op.id, ops):
        if ancestor.id == op.id or ancestor.id not in posts:
            continue
        if ancestor.status == "success" and ancestor.id in healthy:
            return ancestor
    return None


def is_restored(pre: Snapshot, now: Snapshot) -> bool:
    """Returns whether what is recorded and what the graphs hold is again as *pre* says."""
    return (pre.resource_digests, pre.contents) == (now.resource_digests, now.contents)


def seconds(one: Constraint | RecoveryAction, name: str, default: float) -> float:
    """Returns a parameter that counts seconds."""
    value = one.params.get(name, default)
    return float(value) if isinstance(value, int | float) else default


def _faults_of(one: Constraint | RecoveryAction, path: str) -> list[Fault]:
    found: list[Fault] = []
    if not one.resource.strip():
        found.append(Fault(path=f"{path}.resource", message="it names no resource"))
    role: Role = "pre" if isinstance(one, Constraint) else "on_failure"
    for name, why in params_faults(role, one.kind, one.params):
        found.append(Fault(path=f"{path}.params.{name}", message=why))
    return found


def _walk(start: str, edges: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        for target in edges.get(waiting.pop(), ()):
            if target not in found:
                found.add(target)
                waiting.append(target)
    return found
