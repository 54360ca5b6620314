"""`reconcile`: drives the pure machine of `agentctl.domain.reconcile` against a cluster.

The machine decides; here its actions are carried out, one at a time, through `Acts`, which a face
gives: each plan, apply and request is a call through the door like any other, decided by policy and
recorded. Whoever wants it to end is heard between two actions and while it sleeps; an apply that has
begun is told, and ends at its next step. Time and chance come from the world.
"""

from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import msgspec

from agentctl.domain.plan.model import ApprovalNeed
from agentctl.domain.reconcile.events import (
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
    Planned,
    Reason,
    Saw,
    Sleep,
    Stopped,
    Woke,
)
from agentctl.domain.reconcile.machine import step
from agentctl.domain.reconcile.telling import Told, Transition
from agentctl.engine.world import World, stamp_now

NAP_S: Final = 0.25
"""How long it sleeps at most before it asks again whether it is to end."""


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """What an action came to."""

    told: Told = Told()
    found: Found = Found()
    """Of a plan."""
    moved: bool = False
    """Of an apply: whether it did or recorded anything."""


class ActFailedError(Exception):
    """An action did not work, for a reason after which it is tried again."""

    def __init__(self, why: Reason, told: Told) -> None:
        super().__init__(why)
        self.why = why
        self.told = told


class Acts(Protocol):
    """What a reconciler does to the world; each raises `ActFailedError` where it does not work."""

    async def look(self) -> Mark:
        """Returns what a plan would depend on now, as far as that is cheaply told."""
        ...

    async def plan(self, *, closely: bool) -> Looked:
        """Makes a plan."""
        ...

    async def apply(self, *, closely: bool) -> Looked:
        """Applies what needs no decision."""
        ...

    async def ask(self, gate: ApprovalNeed) -> Looked:
        """Puts a gate to humans."""
        ...


OnTransition = Callable[[Transition], Awaitable[None]]


async def reconcile(  # what a loop is given
    acts: Acts,
    mode: Mode,
    *,
    world: World,
    sleep: Callable[[float], Awaitable[None]],
    tell: OnTransition,
    is_interrupted: Callable[[], bool],
) -> Transition:
    """Runs until it is told to stop, or with `mode.once` until it would wait; returns the last line."""
    return await _Driver(acts, mode, world, sleep, tell, is_interrupted).run()


class _Driver:
    """One run."""

    def __init__(  # what a loop is given
        self,
        acts: Acts,
        mode: Mode,
        world: World,
        sleep: Callable[[float], Awaitable[None]],
        tell: OnTransition,
        is_interrupted: Callable[[], bool],
    ) -> None:
        self._acts = acts
        self._world = world
        self._sleep = sleep
        self._tell = tell
        self._is_interrupted = is_interrupted
        self._loop = Loop(mode=mode)
        self._told = Told()
        self._last: Transition | None = None

    async def run(self) -> Transition:
        event: Event = Began(now_s=self._world.monotonic())
        while True:
            after = step(self._loop, event)
            assert after.action is not None, "the driver sends only what the phase takes"
            before, self._loop = self._loop, after.loop
            await self._report(before, after.action)
            if isinstance(after.action, End):
                assert self._last is not None, "an end is told"
                return self._last
            event = await self._heard(after.action)
            if isinstance(event, Stopped):
                self._told = Told()

    async def _heard(self, action: Action) -> Event:
        """Carries an action out; returns what came of it."""
        if self._is_interrupted():
            return Stopped()
        try:
            event = await self._act(action)
        except ActFailedError as failure:
            self._told = failure.told
            return Failed(now_s=self._now(), why=failure.why, roll=self._roll())
        return event

    async def _act(self, action: Action) -> Event:
        match action:
            case Look():
                return Saw(mark=await self._acts.look(), now_s=self._now())
            case MakePlan():
                planned = await self._acts.plan(closely=action.closely)
                self._told = planned.told
                return Planned(now_s=self._now(), found=planned.found, roll=self._roll())
            case Apply():
                applied = await self._acts.apply(closely=action.closely)
                self._told = applied.told
                return Applied(now_s=self._now(), moved=applied.moved)
            case Ask():
                self._told = (await self._acts.ask(action.gate)).told
                return Asked(now_s=self._now(), gate_key=action.gate.gate_key)
            case Sleep() | End():
                assert isinstance(action, Sleep), "an end is not carried out"
                return await self._slept(action.seconds)

    async def _slept(self, seconds: float) -> Event:
        until = self._now() + seconds
        while (left := until - self._now()) > 0:
            if self._is_interrupted():
                return Stopped()
            await self._sleep(min(left, NAP_S))
        return Woke(now_s=self._now())

    async def _report(self, before: Loop, action: Action) -> None:
        """Tells what is new: a look and a sleep that only go on are not."""
        transition = self._transition(before, action)
        if transition is None:
            return
        same = self._last is not None and (self._last.phase, self._last.why) == (
            transition.phase,
            transition.why,
        )
        if isinstance(action, Sleep) and same and before.phase in {"looking", "waiting"}:
            return
        self._last = transition
        await self._tell(transition)

    def _transition(self, before: Loop, action: Action) -> Transition | None:
        loop, told = self._loop, self._told
        at = stamp_now(self._world)
        match action:
            case Look():
                if before.phase != "applying":
                    return None
                return Transition(at=at, phase=loop.phase, message="applied", told=told)
            case MakePlan():
                about = "planning, with a look at what is live" if action.closely else "planning"
                return Transition(at=at, phase=loop.phase, message=about)
            case Apply():
                about = "applying what needs no decision"
                if action.closely:
                    about += ", drift included"
                drift = Told(plan=told.plan, drifted=told.drifted)
                return Transition(at=at, phase=loop.phase, message=about, told=drift)
            case Ask():
                about = "asking for a human decision"
                gate = action.gate.resource
                return Transition(at=at, phase=loop.phase, message=about, gate=gate)
            case Sleep() | End():
                assert loop.why is not None, "who waits or ends knows why"
                left = max(0.0, loop.due_s - self._now())
                return Transition(
                    at=at,
                    phase=loop.phase,
                    why=loop.why,
                    message=REASONS[loop.why],
                    retry_in_s=round(left, 1) if isinstance(action, Sleep) else None,
                    told=told,
                )

    def _now(self) -> float:
        return self._world.monotonic()

    def _roll(self) -> float:
        """Returns chance from 0 to 1."""
        return int.from_bytes(self._world.entropy(4)) / 0xFFFFFFFF
