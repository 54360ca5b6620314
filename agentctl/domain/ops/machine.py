"""The status machine of an Op: one table, one reducer over it. Source: ops 2.

The table is data: what is not in it is illegal, and an illegal event leaves the status as it was.
A finished op never moves; it is undone by another op.
"""

from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from agentctl.domain.ops.record import Op, OpStatus, Snapshots, StatusEvent

EventKind = Literal[
    "create",
    "cancel",
    "gate_refused",
    "start",
    "succeed",
    "fail",
    "crash",
    "recovered",
    "recovery_failed",
]
Guard = Literal["always", "effects", "no_effects", "actions", "no_actions"]
"""`effects`: something was changed already. `actions`: the op has recovery actions."""


class OpEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to an op."""

    kind: EventKind
    effects: bool = False
    """Of `cancel`: whether anything was changed already."""
    actions: bool = False
    """Of `fail` and `crash`: whether the op has recovery actions (`on_failure`)."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table."""

    at: OpStatus | None
    event: EventKind
    guard: Guard = "always"
    to: OpStatus


TABLE: Final[tuple[Row, ...]] = (
    Row(at=None, event="create", to="pending"),
    Row(at="pending", event="cancel", to="cancelled"),
    Row(at="pending", event="gate_refused", to="constraint_failed"),
    Row(at="pending", event="start", to="running"),
    Row(at="running", event="succeed", to="success"),
    Row(at="running", event="fail", guard="no_actions", to="failed"),
    Row(at="running", event="fail", guard="actions", to="recovering"),
    Row(at="running", event="cancel", guard="no_effects", to="cancelled"),
    Row(at="running", event="cancel", guard="effects", to="recovering"),
    Row(at="running", event="crash", guard="no_actions", to="failed"),
    Row(at="running", event="crash", guard="actions", to="recovering"),
    Row(at="recovering", event="recovered", to="rolled_back"),
    Row(at="recovering", event="recovery_failed", to="failed"),
)
TERMINAL: Final[frozenset[OpStatus]] = frozenset(
    {"constraint_failed", "success", "failed", "rolled_back", "cancelled"}
)
_MOVES: Final = frozenset((row.at, row.to) for row in TABLE if row.at is not None)
assert not {row.at for row in TABLE} & TERMINAL, "what is finished does not move"


class IllegalTransition(msgspec.Struct, frozen=True, kw_only=True, tag="illegal_transition"):
    """The rejection of an event or a move; the op stays as it was."""

    at: OpStatus | None
    wanted: str
    """The event, or the status, that was asked for."""


class Moved(msgspec.Struct, frozen=True, kw_only=True, tag="moved"):
    """The new status."""

    to: OpStatus


def reduce(at: OpStatus | None, event: OpEvent) -> Moved | IllegalTransition:
    """Returns the status after *event*; *at* is None before the op exists."""
    for row in TABLE:
        if row.at == at and row.event == event.kind and _holds(row.guard, event):
            return Moved(to=row.to)
    return IllegalTransition(at=at, wanted=event.kind)


def move(at: OpStatus, to: OpStatus) -> Moved | IllegalTransition:
    """Returns *to* where some event leads there from *at*."""
    return Moved(to=to) if (at, to) in _MOVES else IllegalTransition(at=at, wanted=to)


def materialise(op: Op, events: Iterable[StatusEvent]) -> Op | IllegalTransition:
    """Returns *op* as it stands after its status events, which decide over what `op.json` says.

    *op* gives all that never changes. A success names its post snapshot, which was durable before
    the event was written; a status that is illegal where it stands is the rejection.
    """
    now = msgspec.structs.replace(
        op,
        status="pending",
        reason=None,
        ended_at=None,
        snapshots=Snapshots(pre=op.snapshots.pre),
        gates=(),
        recovery=(),
        needs_human=False,
        archive=None,
    )
    for event in events:
        moved = move(now.status, event.status)
        if isinstance(moved, IllegalTransition):
            return moved
        finished = moved.to in TERMINAL
        now = msgspec.structs.replace(
            now,
            status=moved.to,
            reason=event.reason,
            ended_at=event.at if finished else None,
            gates=event.gates or now.gates,
            recovery=event.recovery or now.recovery,
            needs_human=event.needs_human,
            archive=event.archive if finished else None,
            snapshots=Snapshots(
                pre=op.snapshots.pre,
                post=post_key(op.id) if moved.to == "success" else None,
            ),
        )
    return now


def op_key(op_id: str) -> str:
    """Returns the key of the materialised record."""
    return f"ops/{op_id}/op.json"


def pre_key(op_id: str) -> str:
    """Returns the key of the snapshot before."""
    return f"ops/{op_id}/pre.json"


def post_key(op_id: str) -> str:
    """Returns the key of the snapshot after."""
    return f"ops/{op_id}/post.json"


def status_key(op_id: str, number: int) -> str:
    """Returns the key of status event *number*, from 1; creation is `op.json` itself."""
    assert 1 <= number <= 999, number
    return f"ops/{op_id}/status-{number:03d}.json"


def _holds(guard: Guard, event: OpEvent) -> bool:
    return {
        "always": True,
        "effects": event.effects,
        "no_effects": not event.effects,
        "actions": event.actions,
        "no_actions": not event.actions,
    }[guard]
