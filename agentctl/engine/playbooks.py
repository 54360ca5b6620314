"""Runs of playbooks: written down step by step in the storage root, and gone on with after a death.

The order is a promise: a task's `begin` is there before its call is made, its outcome after it. Every
step is created once, under the run's lease. Whoever finds a task begun first ends what its process
left of ops, then makes the same call under the same key: what it did before it does not do again.
Source: sandboxes 4, Playbook.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, Literal, TypeVar

import msgspec

from agentctl.adapters.backends.drive import drive
from agentctl.diagnostics.bag import Bag
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.policy.caller import Caller
from agentctl.domain.sandbox.lending import sandbox_of
from agentctl.domain.sandbox.playbook_runs import (
    IllegalStep,
    PlaybookRun,
    RunState,
    RunStep,
    RunTask,
    StepKind,
    Wanted,
    fold,
    reduce,
)
from agentctl.domain.storage.numbered import Lost, append, read_all
from agentctl.domain.storage.protocol import CorruptError, ObjectStore
from agentctl.engine.cluster import Cluster
from agentctl.engine.leases import CLUSTER, Lease, LeaseLostError
from agentctl.engine.ready import settled_head
from agentctl.engine.sandboxed import inside
from agentctl.engine.world import mint_nonce, stamp_now

T = TypeVar("T")

ROOM: Final = "__cluster/playbooks/"
SETTLE_WAIT_S: Final = 30.0
"""How long a run waits for another command to end before it looks at what was left of its own."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One call to be made."""

    run: PlaybookRun
    task: RunTask
    position: int
    number: int
    """Counted from 1."""
    draft: str | None
    """The draft that the run works in; in a sandbox its own."""
    edits: int
    """How many edits the draft had before."""
    is_repeated: bool
    """Whether it was begun before, and nobody knows how it ended."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a call ended."""

    kind: Literal["succeed", "gate", "fail", "unknown"]
    """`unknown`: it may still be under way elsewhere, so that nothing is written down."""
    op: str | None = None
    summary: str = ""
    codes: tuple[str, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    draft: str | None = None
    """The draft that the run works in from here on."""
    wanted: tuple[Wanted, ...] = ()
    is_broken_off: bool = False
    """Of `fail`: it is what a dead process left, so that it is tried anew at once."""


class Preparation(msgspec.Struct, frozen=True, kw_only=True):
    """Where an attempt begins."""

    draft: str | None = None
    edits: int = 0


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """How calls are prepared and made; the door's side of a run."""

    prepare: Callable[[PlaybookRun, RunState], Awaitable[Preparation]]
    make: Callable[[Attempt], Awaitable[Outcome]]


class Carried(msgspec.Struct, frozen=True, kw_only=True):
    """How far a run was carried."""

    state: RunState
    steps: tuple[RunStep, ...]
    diagnostics: tuple[Diagnostic, ...] = ()
    """Of the task that stopped it."""


class KnownRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run, and how far it came."""

    run: PlaybookRun
    state: RunState
    steps: tuple[RunStep, ...]


def text_key(playbook: str) -> str:
    """Returns where a playbook's YAML is."""
    return f"{ROOM}{playbook}.yaml"


def run_key(playbook: str, run: str) -> str:
    """Returns where a run's record is."""
    return f"{ROOM}{playbook}/{run}.json"


async def write_text(cluster: Cluster, playbook: str, text: str) -> None:
    """Writes a playbook's YAML, in place of what was there."""
    await cluster.store.replace(text_key(playbook), text.encode())


async def remove_text(cluster: Cluster, playbook: str) -> None:
    """Takes a playbook's YAML away; its runs stay."""
    await cluster.store.delete(text_key(playbook))


async def begin_run(cluster: Cluster, run: PlaybookRun) -> None:
    """Writes down what a run is to do; doing it twice is harmless."""
    await cluster.store.create(run_key(run.playbook, run.run), msgspec.json.encode(run) + b"\n")


async def known_run(store: ObjectStore, playbook: str, run: str) -> KnownRun | None:
    """Returns a run of a playbook; None where there is none of that id.

    Raises:
        CorruptError: what is written of it is not what its format says.
    """
    found = await store.read(run_key(playbook, run))
    if found is None:
        return None
    record = _decoded(found.data, PlaybookRun, found.key)
    written = await drive(store, read_all(_steps(record)))
    steps = tuple(_decoded(data, RunStep, found.key) for _, data in written)
    state = fold(steps, tasks=len(record.tasks))
    if isinstance(state, IllegalStep):
        msg = f"the steps of the run {run} do not follow each other: {state.reason}"
        raise CorruptError(msg)
    return KnownRun(run=record, state=state, steps=steps)


async def known_runs(store: ObjectStore, playbook: str) -> tuple[KnownRun, ...]:
    """Returns the runs of a playbook, oldest first."""
    folder = f"{ROOM}{playbook}/"
    names = (key.removeprefix(folder) for key in await store.list(folder))
    ids = sorted(name.removesuffix(".json") for name in names if "/" not in name)
    found = [await known_run(store, playbook, one) for one in ids]
    return tuple(one for one in found if one is not None)


async def carry_on(cluster: Cluster, caller: Caller, run: PlaybookRun, way: Way) -> Carried:
    """Makes the calls that a run lacks, until all are made or one stops it.

    Raises:
        StateLockHeldError: another process is at it.
        LeaseLostError: another process took it over.
        BackendError: the storage failed; the run goes on from what is written.
    """
    async with cluster.leases.hold(
        f"playbook.{run.run}", principal=caller.id, operation="playbook_run"
    ) as lease:
        known = await known_run(cluster.store, run.playbook, run.run)
        assert known is not None, "a run is written down before it is carried on"
        return await _Walk(cluster, caller, way, lease, known).walk()


class _Walk:
    """One process's part of a run, under its lease."""

    def __init__(
        self, cluster: Cluster, caller: Caller, way: Way, lease: Lease, known: KnownRun
    ) -> None:
        self._cluster = cluster
        self._caller = caller
        self._way = way
        self._lease = lease
        self._run = known.run
        self._state = known.state
        self._steps = list(known.steps)

    async def walk(self) -> Carried:
        """Goes on until nothing is left to do, or something stops it."""
        if self._state.status == "begun":
            await _settle(self._cluster, self._caller, self._run.place)
        told: tuple[Diagnostic, ...] = ()
        while self._state.status != "done":
            outcome = await self._one()
            told = outcome.diagnostics
            if outcome.kind != "succeed" and not outcome.is_broken_off:
                break
        return Carried(state=self._state, steps=tuple(self._steps), diagnostics=told)

    async def _one(self) -> Outcome:
        """Begins the next task, makes its call, and writes down how that ended."""
        run, before = self._run, self._state
        is_repeated = before.status == "begun"
        if is_repeated and before.last is not None:
            at = Preparation(draft=before.last.draft, edits=before.last.edits)
        else:
            at = await self._way.prepare(run, before)
        await self._write("begin", draft=at.draft, edits=at.edits)
        attempt = Attempt(
            run=run,
            task=run.tasks[self._state.task],
            position=self._state.task,
            number=self._state.attempt,
            draft=at.draft,
            edits=at.edits,
            is_repeated=is_repeated,
        )
        outcome = await self._way.make(attempt)
        if outcome.kind != "unknown":
            await self._write(
                outcome.kind,
                draft=outcome.draft,
                op=outcome.op,
                summary=outcome.summary,
                codes=outcome.codes,
                wanted=outcome.wanted,
            )
        return outcome

    async def _write(self, kind: StepKind, **more: object) -> None:
        """Writes the next step down, and takes it.

        Raises:
            LeaseLostError: another process wrote it first.
        """
        state, world = self._state, self._cluster.world
        step = RunStep(
            n=state.steps + 1,
            kind=kind,
            task=state.task,
            attempt=state.next_attempt if kind == "begin" else state.attempt,
            at=stamp_now(world),
            nonce=mint_nonce(world),
            **more,  # type: ignore[arg-type]  # forwarded fields
        )
        after = reduce(state, step, tasks=len(self._run.tasks))
        assert isinstance(after, RunState), after
        await self._cluster.leases.check(self._lease)
        data = msgspec.json.encode(step) + b"\n"
        written = await drive(
            self._cluster.store, append(_steps(self._run), step.n, data, _nonce_of)
        )
        if isinstance(written, Lost):
            raise LeaseLostError(self._lease.resource, "another process goes on with the run")
        self._state = after
        self._steps.append(step)


async def _settle(cluster: Cluster, caller: Caller, place: str) -> None:
    """Ends the ops that a dead process left where a run is, as what they did says."""
    async with at_place(cluster, place) as where:
        lease = where.leases.hold(
            CLUSTER, principal=caller.id, operation="playbook_run", wait_s=SETTLE_WAIT_S
        )
        async with lease as held:
            await settled_head(where, held, Bag())


@asynccontextmanager
async def at_place(cluster: Cluster, place: str) -> AsyncIterator[Cluster]:
    """Gives the cluster that a run's place names: this one, or a sandbox's own.

    Raises:
        SandboxError: the sandbox is not open any more.
    """
    sandbox_id = sandbox_of(place)
    if sandbox_id is None:
        yield cluster
        return
    async with inside(cluster, sandbox_id) as inner:
        yield inner


def unknown_run(run: str) -> Diagnostic:
    """Returns what is told of a run that is not there."""
    return error(
        "playbook_run_not_found",
        f"playbook_run:{run}",
        f"there is no run {run} of this playbook",
        remedy="agentctl playbook show NAME",
    )


def _steps(run: PlaybookRun) -> str:
    return f"{ROOM}{run.playbook}/{run.run}"


def _decoded(data: bytes, kind: type[T], key: str) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeError) as failure:
        msg = f"{key} is not what its format says: {failure}"
        raise CorruptError(msg) from failure


def _nonce_of(data: bytes) -> str | None:
    try:
        return msgspec.json.decode(data, type=RunStep).nonce
    except (msgspec.DecodeError, UnicodeError):
        return None
