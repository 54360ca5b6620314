"""The states of a sandbox: one table, and the moves that it permits. Pure.

The table is data: what is not in it is illegal and leaves the state as it was. DESTROYED absorbs:
to destroy again changes nothing, and nothing else leads out. Source: sandboxes 4, States.
"""

from typing import Final, Literal

import msgspec

from agentctl.domain.sandbox.records import SandboxState

Event = Literal["start", "started", "stop", "resume", "fail", "destroy"]

STATES: Final[tuple[SandboxState, ...]] = (
    "CREATED",
    "STARTING",
    "RUNNING",
    "STOPPED",
    "ERROR",
    "DESTROYED",
)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table."""

    at: SandboxState
    event: Event
    to: SandboxState


TABLE: Final[tuple[Row, ...]] = (
    Row(at="CREATED", event="start", to="STARTING"),
    Row(at="STARTING", event="started", to="RUNNING"),
    Row(at="RUNNING", event="stop", to="STOPPED"),
    Row(at="STOPPED", event="resume", to="RUNNING"),
    Row(at="ERROR", event="start", to="STARTING"),
    Row(at="CREATED", event="fail", to="ERROR"),
    Row(at="STARTING", event="fail", to="ERROR"),
    Row(at="RUNNING", event="fail", to="ERROR"),
    Row(at="STOPPED", event="fail", to="ERROR"),
    *(Row(at=state, event="destroy", to="DESTROYED") for state in STATES),
)
_MOVES: Final = frozenset((row.at, row.to) for row in TABLE)
assert {row.to for row in TABLE if row.at == "DESTROYED"} == {"DESTROYED"}, "DESTROYED absorbs"


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """A move that means nothing where the sandbox stands."""

    at: SandboxState
    wanted: str
    """The state that was asked for."""


def move(state: SandboxState, to: SandboxState) -> SandboxState | Rejection:
    """Returns *to* where some event leads there from *state*."""
    return to if (state, to) in _MOVES else Rejection(at=state, wanted=to)
