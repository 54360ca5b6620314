"""The status machine of an op is its table, and nothing else. Source: ops 2, 6."""

from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.domain.ops.lineage import ancestors, undone_by
from agentctl.domain.ops.machine import (
    TABLE,
    TERMINAL,
    IllegalTransition,
    Moved,
    OpEvent,
    materialise,
    move,
    reduce,
)
from agentctl.domain.ops.record import Lineage, Op, OpActor, OpStatus, Snapshots, StatusEvent
from agentctl.domain.ops.redaction import REDACTED, redact_params, redact_text

_STATUSES: tuple[OpStatus, ...] = get_args(OpStatus)
_EVENTS = st.builds(
    OpEvent,
    kind=st.sampled_from(sorted({row.event for row in TABLE})),
    effects=st.booleans(),
    actions=st.booleans(),
)


def _op(identifier: str = "abc:1", **fields: object) -> Op:
    op = Op(
        id=identifier,
        actor=OpActor(nid="local:sarah", identity="sarah"),
        intent="try",
        workspace="w",
        component="cluster",
        operation="update",
        action="apply",
        targets=(),
        snapshots=Snapshots(pre=f"ops/{identifier}/pre.json"),
        started_at="2026-11-21T03:30:00.000Z",
    )
    return msgspec.structs.replace(op, **fields)


@pytest.mark.parametrize(
    ("at", "event", "to"),
    [
        (None, OpEvent(kind="create"), "pending"),
        ("pending", OpEvent(kind="cancel"), "cancelled"),
        ("pending", OpEvent(kind="gate_refused"), "constraint_failed"),
        ("pending", OpEvent(kind="start"), "running"),
        ("running", OpEvent(kind="succeed"), "success"),
        ("running", OpEvent(kind="fail"), "failed"),
        ("running", OpEvent(kind="fail", actions=True), "recovering"),
        ("running", OpEvent(kind="cancel"), "cancelled"),
        ("running", OpEvent(kind="cancel", effects=True), "recovering"),
        ("running", OpEvent(kind="crash"), "failed"),
        ("running", OpEvent(kind="crash", actions=True), "recovering"),
        ("recovering", OpEvent(kind="recovered"), "rolled_back"),
        ("recovering", OpEvent(kind="recovery_failed"), "failed"),
    ],
)
def test_each_row_of_the_specification_holds(
    at: OpStatus | None, event: OpEvent, to: OpStatus
) -> None:
    assert reduce(at, event) == Moved(to=to)


@given(st.sampled_from([None, *_STATUSES]), _EVENTS)
def test_an_event_moves_along_a_row_or_is_rejected_with_its_name(
    at: OpStatus | None, event: OpEvent
) -> None:
    result = reduce(at, event)

    if isinstance(result, Moved):
        assert any((r.at, r.event, r.to) == (at, event.kind, result.to) for r in TABLE)
        assert at not in TERMINAL
        assert at is None or move(at, result.to) == result
    else:
        assert result == IllegalTransition(at=at, wanted=event.kind)


@given(st.sampled_from(sorted(TERMINAL)), st.sampled_from(_STATUSES))
def test_a_finished_op_never_moves(at: OpStatus, to: OpStatus) -> None:
    assert move(at, to) == IllegalTransition(at=at, wanted=to)


@given(st.lists(_EVENTS, max_size=12))
def test_whatever_happens_there_is_at_most_one_terminal_status(events: list[OpEvent]) -> None:
    status: OpStatus | None = None
    path: list[OpStatus] = []
    for event in events:
        result = reduce(status, event)
        if isinstance(result, Moved):
            status = result.to
            path.append(status)

    assert sum(s in TERMINAL for s in path) <= 1
    assert not path or path[0] == "pending"


@given(st.lists(st.sampled_from(_STATUSES), max_size=5))
def test_materialising_follows_the_events_and_forgets_what_the_copy_said(
    statuses: list[OpStatus],
) -> None:
    events = [StatusEvent(status=s, at=f"t{n}", epoch=1) for n, s in enumerate(statuses)]
    fresh, lying = (
        materialise(_op(), events),
        materialise(_op(status="failed", ended_at="x"), events),
    )

    assert fresh == lying
    if isinstance(fresh, Op) and statuses:
        assert fresh.status == statuses[-1]
        assert (fresh.ended_at is not None) == (statuses[-1] in TERMINAL)
        assert (fresh.snapshots.post is not None) == (statuses[-1] == "success")


def test_ancestors_are_walked_over_merges_once_and_nearest_first() -> None:
    ops = {
        op.id: op
        for op in (
            _op("a:1"),
            _op("a:2", lineage=Lineage(parent_op="a:1")),
            _op("a:3", lineage=Lineage(parent_op="a:1")),
            _op("a:4", lineage=Lineage(parent_op="a:3", merged_op="a:2")),
            _op("a:5", lineage=Lineage(parent_op="gone:0")),
        )
    }

    assert [op.id for op in ancestors("a:4", ops)] == ["a:4", "a:3", "a:2", "a:1"]
    assert [op.id for op in ancestors("a:5", ops)] == ["a:5"]
    assert ancestors("no:1", ops) == ()


def test_undone_by_is_a_view_of_a_rollback_that_succeeded() -> None:
    rollback = _op("a:2", lineage=Lineage(rollback_of="a:1"))

    assert undone_by("a:1", {"a:2": rollback}) is None
    done = msgspec.structs.replace(rollback, status="success")
    assert undone_by("a:1", {"a:2": done}) == "a:2"


def test_what_looks_like_a_secret_is_not_recorded() -> None:
    assert redact_params(
        {
            "api_key": "abc",
            "reference_token": "${NAME}",
            "timeout": 3,
            "nested": {"password": ["x", "y"], "note": "key sk-abcdefghijklmnopqrstuv end"},
            "author": "sarah",
        }
    ) == {
        "api_key": REDACTED,
        "reference_token": "${NAME}",
        "timeout": 3,
        "nested": {"password": [REDACTED, REDACTED], "note": f"key {REDACTED} end"},
        "author": "sarah",
    }
    assert redact_text("use ghp_0123456789abcdefghij0 at https://u:pw@host/x") == (
        f"use {REDACTED} at https://{REDACTED}@host/x"
    )
    assert redact_text("drop the authors graph, token by token") == (
        "drop the authors graph, token by token"
    )


@given(st.text(max_size=60))
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    assert redact_text(redact_text(text)) == redact_text(text)
