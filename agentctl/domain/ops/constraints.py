"""Gates before an op and actions after its failure: order, expansion, and what an outcome means.

Pure. The engine evaluates; here is decided in which order, over which resources, and what follows.
All gates are evaluated and reported, cheap ones first: a human sees the whole list. Source: ops 3.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from agentctl.domain.ops.lineage import ancestors
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
RETRIES_MAX: Final = 10
TIMEOUT_S_MAX: Final = 300
PARAMS: Final[Mapping[ConstraintKind, frozenset[str]]] = {
    "concurrent_lock": frozenset({"wait"}),
    "dry_run_check": frozenset({"max_age", "inputs_digest"}),
    "health_check": frozenset({"timeout", "retries", "probe"}),
    "backup": frozenset({"tool"}),
    "restore": frozenset({"snapshot"}),
}
"""The parameters that each kind reads. An action has those of its kind."""
_NUMBERS: Final = {"wait": 600, "max_age": 366 * 86_400, "timeout": TIMEOUT_S_MAX}
"""Seconds, and the most of them."""


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
    known = PARAMS[one.kind]
    for name, value in one.params.items():
        where = f"{path}.params.{name}"
        if name not in known:
            takes = ", ".join(sorted(known))
            found.append(Fault(path=where, message=f"{one.kind} takes: {takes}"))
        else:
            message = _value_fault(name, value)
            found += [Fault(path=where, message=message)] if message else []
    return found


def _value_fault(name: str, value: object) -> str | None:
    if name in _NUMBERS:
        good = isinstance(value, int | float) and not isinstance(value, bool)
        if good and isinstance(value, int | float) and 0 <= value <= _NUMBERS[name]:
            return None
        return f"it is a number of seconds up to {_NUMBERS[name]}"
    if name == "retries":
        whole = isinstance(value, int) and not isinstance(value, bool)
        if whole and isinstance(value, int) and 0 <= value <= RETRIES_MAX:
            return None
        return f"it is a whole number up to {RETRIES_MAX}"
    if name == "tool":
        return None if value in {"pin", "archive"} else "it is `pin` or `archive`"
    return None if isinstance(value, str) and value else "it is a text"


def _walk(start: str, edges: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        for target in edges.get(waiting.pop(), ()):
            if target not in found:
                found.add(target)
                waiting.append(target)
    return found
