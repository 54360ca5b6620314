"""The decision of `agentctl reconcile`: an event in, the next state and one action out. Pure.

It looks for a change, plans, applies what needs no decision, asks humans about the rest, and waits
for the next change or the timer; what fails is tried again, each time later. Time and chance come
with the events. `TABLE` names which events each phase takes; any other is refused and changes
nothing. It never consents: nothing here can open a gate. Source: control-plane 3, axioms 7 and 8.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from agentctl.domain.plan.model import ApprovalNeed
from agentctl.domain.reconcile.events import (
    FAILURES,
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
    Phase,
    Planned,
    Reason,
    Saw,
    Sleep,
    Stopped,
    Woke,
)

BACKOFF_FIRST_S: Final = 2.0
BACKOFF_MAX_S: Final = 300.0
_REASKED: Final = frozenset({"none", "stale", "expired"})
"""Standings of a gate about which nobody is being asked; a denied one is not asked again."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What follows from an event."""

    loop: Loop
    action: Action | None
    """None exactly where the event was refused."""

    @property
    def refused(self) -> bool:
        """Whether the event means nothing in this phase."""
        return self.action is None


def step(loop: Loop, event: Event) -> Step:
    """Returns what is done about *event*; one that the phase does not take changes nothing."""
    decide = TABLE.get((loop.phase, type(event)))
    if decide is None:
        return Step(loop=loop, action=None)
    return decide(loop, event)


def backoff_s(failures: int, roll: float) -> float:
    """Returns how long to wait after so many failures in a row.

    Doubles from 2 s up to five minutes; the upper half of each step is left to *roll*, from 0 to 1,
    so that those who failed together do not come back together.
    """
    whole = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2.0 ** min(failures - 1, 16))
    return whole * (1.0 + roll) / 2.0


def _begin(loop: Loop, _: Event) -> Step:
    return Step(loop=loop, action=Look())


def _wake(loop: Loop, _: Event) -> Step:
    return Step(loop=_in(loop, "looking"), action=Look())


def _saw(loop: Loop, event: Event) -> Step:
    assert isinstance(event, Saw)
    changed = loop.mark is not None and event.mark != loop.mark
    due = event.now_s >= loop.due_s
    if loop.mark is None or loop.again:
        return _plan(loop, event.mark, closely=loop.closely)
    if _backs_off(loop) and not due:
        return _sleep(loop, event.now_s)
    if changed:
        return _plan(_changed(loop), event.mark, closely=loop.why in FAILURES)
    if due:
        anew = msgspec.structs.replace(loop, asked=frozenset())
        return _plan(anew, event.mark, closely=True)
    return _sleep(loop, event.now_s)


def _backs_off(loop: Loop) -> bool:
    """Returns whether it looks for nothing until its time has come; a thaw is heeded at once."""
    return loop.why in FAILURES and loop.why != "frozen"


def _changed(loop: Loop) -> Loop:
    return msgspec.structs.replace(loop, idle=False)


def _plan(loop: Loop, mark: Mark, *, closely: bool) -> Step:
    loop = msgspec.structs.replace(
        loop, phase="planning", mark=mark, closely=closely, again=False, to_ask=()
    )
    return Step(loop=loop, action=MakePlan(closely=closely))


def _planned(loop: Loop, event: Event) -> Step:
    assert isinstance(event, Planned)
    found = event.found
    still = {g.gate_key for g in found.gates if g.standing in _REASKED}
    loop = msgspec.structs.replace(loop, asked=loop.asked & still)
    if found.invalid:
        return _wait(loop, "folder_invalid", event.now_s)
    corrects = loop.closely and found.drift > 0
    if found.free or found.unsettled or corrects:
        return _would_apply(loop, event, closely=corrects)
    if loop.mode.dry_run or not _unasked(loop, found):
        return _wait(loop, _left(found), event.now_s)
    return _ask(msgspec.structs.replace(loop, to_ask=_unasked(loop, found)), event.now_s)


def _would_apply(loop: Loop, event: Planned, *, closely: bool) -> Step:
    if loop.mode.dry_run:
        return _wait(loop, "would_change", event.now_s)
    if loop.idle:
        return _fail(loop, "no_progress", event.now_s, event.roll)
    return Step(loop=_in(loop, "applying"), action=Apply(closely=closely))


def _unasked(loop: Loop, found: Found) -> tuple[ApprovalNeed, ...]:
    return tuple(g for g in found.gates if g.standing in _REASKED and g.gate_key not in loop.asked)


def _left(found: Found) -> Reason:
    if found.gates:
        return "needs_human"
    return "held_back" if found.held else "converged"


def _applied(loop: Loop, event: Event) -> Step:
    """Looks again and plans anew: what was gated is asked about from a plan of what is now."""
    assert isinstance(event, Applied)
    loop = msgspec.structs.replace(
        loop, phase="looking", again=True, closely=False, idle=not event.moved
    )
    return Step(loop=loop, action=Look())


def _ask(loop: Loop, now_s: float) -> Step:
    if not loop.to_ask:
        return _wait(loop, "needs_human", now_s)
    first, *rest = loop.to_ask
    loop = msgspec.structs.replace(loop, phase="asking", to_ask=tuple(rest))
    return Step(loop=loop, action=Ask(gate=first))


def _asked(loop: Loop, event: Event) -> Step:
    assert isinstance(event, Asked)
    loop = msgspec.structs.replace(loop, asked=loop.asked | {event.gate_key})
    return _ask(loop, event.now_s)


def _failed(loop: Loop, event: Event) -> Step:
    assert isinstance(event, Failed)
    assert event.why in FAILURES, "a failure is one that is tried again"
    return _fail(loop, event.why, event.now_s, event.roll)


def _fail(loop: Loop, why: Reason, now_s: float, roll: float) -> Step:
    failures = loop.failures + 1
    due = now_s + backoff_s(failures, roll)
    loop = msgspec.structs.replace(loop, failures=failures, due_s=due, again=False, idle=False)
    return _settle(loop, why, now_s)


def _wait(loop: Loop, why: Reason, now_s: float) -> Step:
    due = now_s + loop.mode.interval_s
    loop = msgspec.structs.replace(loop, failures=0, due_s=due, idle=False)
    return _settle(loop, why, now_s)


def _settle(loop: Loop, why: Reason, now_s: float) -> Step:
    loop = msgspec.structs.replace(loop, why=why)
    if loop.mode.once:
        return Step(loop=_in(loop, "ended"), action=End(why=why))
    return _sleep(loop, now_s)


def _sleep(loop: Loop, now_s: float) -> Step:
    seconds = max(0.0, loop.due_s - now_s)
    if not _backs_off(loop):
        seconds = min(loop.mode.poll_s, seconds)
    return Step(loop=_in(loop, "waiting"), action=Sleep(seconds=seconds))


def _stop(loop: Loop, _: Event) -> Step:
    loop = msgspec.structs.replace(loop, phase="ended", why="stopped")
    return Step(loop=loop, action=End(why="stopped"))


def _in(loop: Loop, phase: Phase) -> Loop:
    return msgspec.structs.replace(loop, phase=phase)


_Decide = Callable[[Loop, Event], Step]

TABLE: Final[Mapping[tuple[Phase, type[Event]], _Decide]] = MappingProxyType(
    {
        ("looking", Began): _begin,
        ("looking", Saw): _saw,
        ("looking", Failed): _failed,
        ("looking", Stopped): _stop,
        ("planning", Planned): _planned,
        ("planning", Failed): _failed,
        ("planning", Stopped): _stop,
        ("applying", Applied): _applied,
        ("applying", Failed): _failed,
        ("applying", Stopped): _stop,
        ("asking", Asked): _asked,
        ("asking", Failed): _failed,
        ("asking", Stopped): _stop,
        ("waiting", Woke): _wake,
        ("waiting", Stopped): _stop,
    }
)
"""Who takes which event."""
