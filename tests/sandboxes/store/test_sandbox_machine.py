"""The states of a sandbox, every state with every event. Source: sandboxes 4, States."""

from itertools import product

import pytest

from agentctl.domain.sandbox.machine import STATES, Event, Rejection, move, step
from agentctl.domain.sandbox.records import SandboxState

EVENTS: tuple[Event, ...] = ("start", "started", "stop", "resume", "fail", "destroy")
LEGAL: dict[tuple[SandboxState, Event], SandboxState] = {
    ("CREATED", "start"): "STARTING",
    ("CREATED", "fail"): "ERROR",
    ("CREATED", "destroy"): "DESTROYED",
    ("STARTING", "started"): "RUNNING",
    ("STARTING", "fail"): "ERROR",
    ("STARTING", "destroy"): "DESTROYED",
    ("RUNNING", "stop"): "STOPPED",
    ("RUNNING", "fail"): "ERROR",
    ("RUNNING", "destroy"): "DESTROYED",
    ("STOPPED", "resume"): "RUNNING",
    ("STOPPED", "fail"): "ERROR",
    ("STOPPED", "destroy"): "DESTROYED",
    ("ERROR", "start"): "STARTING",
    ("ERROR", "destroy"): "DESTROYED",
    ("DESTROYED", "destroy"): "DESTROYED",
}


@pytest.mark.parametrize(("state", "event"), list(product(STATES, EVENTS)))
def test_an_event_leads_where_the_table_says_and_nowhere_else(
    state: SandboxState, event: Event
) -> None:
    expected = LEGAL.get((state, event), Rejection(at=state, wanted=event))

    assert step(state, event) == expected


@pytest.mark.parametrize(("state", "to"), list(product(STATES, STATES)))
def test_a_move_is_legal_where_some_event_makes_it(state: SandboxState, to: SandboxState) -> None:
    legal = {(at, after) for (at, _), after in LEGAL.items()}
    expected = to if (state, to) in legal else Rejection(at=state, wanted=to)

    assert move(state, to) == expected
