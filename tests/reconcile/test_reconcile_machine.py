"""The decision of a reconciler, as a table: an event in, an action out, and nothing done twice."""

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.domain.plan.inputs import StandingState
from agentctl.domain.plan.model import ApprovalNeed
from agentctl.domain.reconcile.events import (
    FAILURES,
    REASONS,
    Action,
    Applied,
    Apply,
    Ask,
    Asked,
    Began,
    End,
    Event,
    Failed,
    Found,
    Look,
    Loop,
    MakePlan,
    Mark,
    Mode,
    Phase,
    Planned,
    Reason,
    Saw,
    Sleep,
    Stopped,
    Woke,
)
from agentctl.domain.reconcile.machine import BACKOFF_MAX_S, TABLE, backoff_s, step
from agentctl.ids import Address

DAILY = Mode(interval_s=100.0, poll_s=2.0)
ONCE = Mode(once=True, interval_s=100.0)
LOOKS = Mode(dry_run=True, interval_s=100.0)
OLD = Mark(source="a", ledger=1, consent="x")
NEW = Mark(source="b", ledger=1, consent="x")


def gate(key: str = "k1", standing: StandingState = "none") -> ApprovalNeed:
    return ApprovalNeed(
        resource=Address(f"graph.{key}"),
        reason="its data is lost",
        satisfied=False,
        gate_key=key,
        standing=standing,
    )


def at(phase: Phase, mode: Mode = DAILY, **more: object) -> Loop:
    settled: dict[str, object] = {"again": False, "mark": OLD, "closely": False}
    if phase == "waiting":
        settled |= {"why": "converged", "due_s": 100.0}
    return msgspec.structs.replace(Loop(mode=mode, phase=phase), **(settled | more))


def planned(**found: object) -> Planned:
    return Planned(now_s=10.0, found=Found(**found), roll=1.0)  # type: ignore[arg-type]  # forwarded


class Row(NamedTuple):
    name: str
    loop: Loop
    event: Event
    action: Action
    phase: Phase
    why: Reason | None = None


def waits(seconds: float = 2.0) -> Sleep:
    return Sleep(seconds=seconds)


LOOKING = at("looking", why="converged", due_s=100.0)
BACKING_OFF = at("looking", why="storage_unavailable", due_s=20.0, failures=3)

TABLE_OF_DECISIONS = (
    Row("it looks first", Loop(mode=DAILY), Began(now_s=0), Look(), "looking"),
    Row(
        "and plans from what it saw, closely",
        Loop(mode=DAILY),
        Saw(now_s=0, mark=OLD),
        MakePlan(closely=True),
        "planning",
    ),
    Row("a sleep ends with a look", at("waiting"), Woke(now_s=9), Look(), "looking", "converged"),
    Row(
        "nothing changed",
        LOOKING,
        Saw(now_s=9, mark=OLD),
        waits(),
        "waiting",
        "converged",
    ),
    Row(
        "something changed",
        LOOKING,
        Saw(now_s=9, mark=NEW),
        MakePlan(closely=False),
        "planning",
        "converged",
    ),
    Row(
        "the timer is over",
        LOOKING,
        Saw(now_s=100, mark=OLD),
        MakePlan(closely=True),
        "planning",
        "converged",
    ),
    Row(
        "a change does not shorten the wait after a failure",
        BACKING_OFF,
        Saw(now_s=9, mark=NEW),
        waits(11.0),
        "waiting",
        "storage_unavailable",
    ),
    Row(
        "but it ends",
        BACKING_OFF,
        Saw(now_s=20, mark=OLD),
        MakePlan(closely=True),
        "planning",
        "storage_unavailable",
    ),
    Row(
        "a thaw is a change that is heeded at once",
        at("looking", why="frozen", due_s=90.0, failures=9),
        Saw(now_s=9, mark=NEW),
        MakePlan(closely=True),
        "planning",
        "frozen",
    ),
    Row("all is well", at("planning"), planned(), waits(), "waiting", "converged"),
    Row(
        "a bad folder waits for an edit",
        at("planning"),
        planned(invalid=True),
        waits(),
        "waiting",
        "folder_invalid",
    ),
    Row("there is work", at("planning"), planned(free=2), Apply(closely=False), "applying"),
    Row(
        "work comes before questions",
        at("planning"),
        planned(free=1, gates=(gate(),)),
        Apply(closely=False),
        "applying",
    ),
    Row(
        "an interrupted step is settled",
        at("planning"),
        planned(unsettled=True),
        Apply(closely=False),
        "applying",
    ),
    Row(
        "drift is corrected",
        at("planning", closely=True),
        planned(drift=1),
        Apply(closely=True),
        "applying",
    ),
    Row(
        "a dry run does nothing about it",
        at("planning", LOOKS),
        planned(free=2),
        waits(),
        "waiting",
        "would_change",
    ),
    Row(
        "and asks nobody",
        at("planning", LOOKS),
        planned(gates=(gate(),)),
        waits(),
        "waiting",
        "needs_human",
    ),
    Row(
        "a gate is put to humans",
        at("planning"),
        planned(gates=(gate(),)),
        Ask(gate=gate()),
        "asking",
    ),
    Row(
        "one about which somebody is asked is not",
        at("planning"),
        planned(gates=(gate(standing="waiting"),)),
        waits(),
        "waiting",
        "needs_human",
    ),
    Row(
        "nor one that was denied",
        at("planning"),
        planned(gates=(gate(standing="denied"),)),
        waits(),
        "waiting",
        "needs_human",
    ),
    Row(
        "a stale decision is asked for anew",
        at("planning"),
        planned(gates=(gate(standing="stale"),)),
        Ask(gate=gate(standing="stale")),
        "asking",
    ),
    Row(
        "nobody is asked twice because a request is not seen yet",
        at("planning", asked=frozenset({"k1"})),
        planned(gates=(gate(),)),
        waits(),
        "waiting",
        "needs_human",
    ),
    Row(
        "what only an edit changes is waited for",
        at("planning"),
        planned(held=1),
        waits(),
        "waiting",
        "held_back",
    ),
    Row(
        "an apply is followed by a look",
        at("applying"),
        Applied(now_s=10, moved=True),
        Look(),
        "looking",
    ),
    Row(
        "and by a plan, whatever was seen",
        at("looking", again=True),
        Saw(now_s=10, mark=OLD),
        MakePlan(closely=False),
        "planning",
    ),
    Row(
        "an apply that did nothing is not repeated at once",
        at("planning", idle=True),
        planned(free=1),
        waits(),
        "waiting",
        "no_progress",
    ),
    Row(
        "the next gate",
        at("asking", to_ask=(gate("k2"),)),
        Asked(now_s=10, gate_key="k1"),
        Ask(gate=gate("k2")),
        "asking",
    ),
    Row(
        "the last gate",
        at("asking"),
        Asked(now_s=10, gate_key="k1"),
        waits(),
        "waiting",
        "needs_human",
    ),
    Row(
        "a run that is to end where it would wait ends",
        at("planning", ONCE),
        planned(gates=(gate(standing="waiting"),)),
        End(why="needs_human"),
        "ended",
        "needs_human",
    ),
    Row(
        "also where something failed",
        at("applying", ONCE),
        Failed(now_s=10, why="lease_held", roll=0),
        End(why="lease_held"),
        "ended",
        "lease_held",
    ),
)


@pytest.mark.parametrize("row", TABLE_OF_DECISIONS, ids=lambda row: row.name)
def test_the_decision(row: Row) -> None:
    after = step(row.loop, row.event)

    assert after.action == row.action
    assert after.loop.phase == row.phase
    assert after.loop.why == row.why


@pytest.mark.parametrize("why", sorted(FAILURES))
@pytest.mark.parametrize("phase", ["looking", "planning", "applying", "asking"])
def test_what_fails_is_tried_again_later_and_later(phase: Phase, why: Reason) -> None:
    loop = at(phase)
    due: list[float] = []
    for _ in range(3):
        loop = msgspec.structs.replace(
            step(loop, Failed(now_s=0, why=why, roll=1.0)).loop, phase=phase
        )
        due.append(loop.due_s)

    assert due == [2.0, 4.0, 8.0]
    assert loop.why == why


def test_what_works_again_forgets_the_failures() -> None:
    loop = at("planning", failures=7)

    after = step(loop, planned())

    assert after.loop.failures == 0


def test_an_apply_that_does_nothing_over_and_over_is_made_less_and_less_often() -> None:
    loop, waited = at("planning", idle=True), []
    for _ in range(4):
        after = step(loop, planned(free=1))
        waited.append(after.loop.due_s - 10.0)
        loop = msgspec.structs.replace(after.loop, phase="planning", idle=True)

    assert waited == [2.0, 4.0, 8.0, 16.0]


def test_a_request_that_expired_unanswered_is_filed_again_and_so_is_one_that_was_refused() -> None:
    asked = at("planning", asked=frozenset({"k1"}))
    seen = step(asked, planned(gates=(gate(standing="waiting"),))).loop
    expired = step(
        msgspec.structs.replace(seen, phase="planning"), planned(gates=(gate(standing="expired"),))
    )
    timer = step(msgspec.structs.replace(asked, phase="looking"), Saw(now_s=999, mark=OLD)).loop

    assert expired.action == Ask(gate=gate(standing="expired"))
    assert timer.asked == frozenset()


def events() -> Iterator[Event]:
    yield from (Began(now_s=1), Woke(now_s=1), Saw(now_s=1, mark=NEW), planned(free=1))
    yield from (Applied(now_s=1, moved=True), Asked(now_s=1, gate_key="k1"), Stopped())
    yield Failed(now_s=1, why="failed", roll=0.5)


@pytest.mark.parametrize(
    ("phase", "event"), list(product(get_args(Phase), events())), ids=lambda x: str(x)[:12]
)
def test_an_event_out_of_its_phase_is_refused_and_changes_nothing(
    phase: Phase, event: Event
) -> None:
    loop = at(phase)

    after = step(loop, event)

    assert after.refused == ((phase, type(event)) not in TABLE)
    assert after.loop == loop or not after.refused


@pytest.mark.parametrize("phase", ["looking", "planning", "applying", "asking", "waiting"])
def test_it_stops_from_anywhere(phase: Phase) -> None:
    assert step(at(phase), Stopped()).action == End(why="stopped")


def test_every_reason_has_its_words() -> None:
    assert set(REASONS) == set(get_args(Reason))


@given(failures=st.integers(1, 10_000), roll=st.floats(0, 1))
def test_a_wait_after_failures_is_bounded_and_never_none(failures: int, roll: float) -> None:
    assert 1.0 <= backoff_s(failures, roll) <= BACKOFF_MAX_S


FOUNDS = st.builds(
    Found,
    invalid=st.booleans(),
    free=st.integers(0, 1),
    unsettled=st.booleans(),
    drift=st.integers(0, 1),
    held=st.integers(0, 1),
    gates=st.lists(
        st.builds(gate, st.sampled_from(["k1", "k2"]), st.sampled_from(get_args(StandingState))),
        max_size=2,
        unique_by=lambda g: g.gate_key,
    ).map(tuple),
)
MARKS = st.builds(
    Mark,
    source=st.sampled_from(["a", "b", None]),
    ledger=st.integers(1, 3),
    consent=st.just("x"),
)


@given(
    mode=st.builds(Mode, once=st.booleans(), dry_run=st.booleans()),
    founds=st.lists(FOUNDS, min_size=1, max_size=20),
    marks=st.lists(MARKS, min_size=1, max_size=20),
    fails=st.lists(st.none() | st.sampled_from(sorted(FAILURES)), min_size=1, max_size=20),
    moved=st.lists(st.booleans(), min_size=1, max_size=20),
)
def test_whatever_the_world_answers_it_goes_on_and_a_dry_run_never_acts(
    mode: Mode,
    founds: list[Found],
    marks: list[Mark],
    fails: list[Reason | None],
    moved: list[bool],
) -> None:
    """Plays the machine against a world that answers anything, and counts what it does."""
    loop, now = Loop(mode=mode), 0.0
    event: Event = Began(now_s=now)
    idle = 0
    for turn in range(120):
        after = step(loop, event)
        assert not after.refused, (loop.phase, event)
        loop, action = after.loop, after.action
        why = fails[turn % len(fails)]
        match action:
            case Look():
                event = Saw(now_s=now, mark=marks[turn % len(marks)])
            case MakePlan():
                event = Planned(now_s=now, found=founds[turn % len(founds)], roll=0.5)
            case Apply():
                assert not mode.dry_run
                assert idle == 0, "an apply that did nothing is not repeated without a wait"
                event = Applied(now_s=now, moved=moved[turn % len(moved)])
                idle += not event.moved
            case Ask():
                assert not mode.dry_run
                event = Asked(now_s=now, gate_key=action.gate.gate_key)
            case Sleep():
                assert not mode.once
                patient = loop.why in FAILURES and loop.why != "frozen"
                assert action.seconds <= (BACKOFF_MAX_S if patient else mode.poll_s)
                idle = 0
                now += max(action.seconds, 0.01)
                event = Woke(now_s=now)
            case _:
                assert isinstance(action, End)
                assert mode.once
                return
        if why is not None and not isinstance(action, Sleep):
            event = Failed(now_s=now, why=why, roll=0.5)
