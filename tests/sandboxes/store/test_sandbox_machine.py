"""The states of a sandbox, every state with every other. Source: sandboxes 4, States."""

from itertools import product

import pytest

from agentctl.domain.sandbox.machine import STATES, TABLE, Event, Rejection, move
from agentctl.domain.sandbox.records import SandboxState

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


def test_each_event_leads_where_the_spec_says_and_nowhere_else() -> None:
    assert {(row.at, row.event): row.to for row in TABLE} == LEGAL
    assert len(TABLE) == len(LEGAL)


@pytest.mark.parametrize(("state", "to"), list(product(STATES, STATES)))
def test_a_move_is_legal_where_some_event_makes_it(state: SandboxState, to: SandboxState) -> None:
    legal = {(at, after) for (at, _), after in LEGAL.items()}
    expected = to if (state, to) in legal else Rejection(at=state, wanted=to)

    assert move(state, to) == expected
