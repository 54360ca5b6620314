"""A run of a playbook: its tasks one after another, as a table of states and a reducer over it. Pure.

A run is what its playbook was when it began, and steps that are each written once. A task is begun
before it is called and its outcome is written after it, so that a run whose process died is seen to
have begun a task whose outcome nobody wrote: then the same call is made again under the same key.
Source: sandboxes 4, Playbook.
"""

from collections.abc import Iterable
from typing import Any, Final, Literal

import msgspec

RunStatus = Literal["ready", "begun", "waiting", "failed", "done"]
StepKind = Literal["begin", "succeed", "gate", "fail"]

TABLE: Final[dict[tuple[RunStatus, StepKind], RunStatus]] = {
    ("ready", "begin"): "begun",
    ("begun", "begin"): "begun",
    ("begun", "succeed"): "ready",
    ("begun", "gate"): "waiting",
    ("begun", "fail"): "failed",
    ("waiting", "begin"): "begun",
    ("failed", "begin"): "begun",
}
"""What is not here is illegal. After the last task `succeed` leads to `done`, where nothing follows."""


class RunTask(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A task as it was when the run began."""

    id: str
    name: str
    module: str
    params: dict[str, Any]


class PlaybookRun(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``__cluster/playbooks/<playbook>/<run>/run.json``, create-only: what is to be done."""

    version: Literal[1] = 1
    run: str
    playbook: str
    name: str
    place: str
    """``cluster``, or ``sandbox:<id>``."""
    by: str
    """The principal as whom every task is called."""
    intent: str
    at: str
    tasks: tuple[RunTask, ...]


class Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A call that brings a run forward."""

    tool: str
    arguments: dict[str, Any]
    why: str


class RunStep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``__cluster/playbooks/<playbook>/<run>/<n>.json``, create-only: one thing that happened."""

    version: Literal[1] = 1
    n: int
    kind: StepKind
    task: int
    """Counted from 0."""
    attempt: int
    """Counted from 1; each has a key of its own, and a call that is repeated has its attempt's."""
    at: str
    nonce: str
    """By which a writer knows its own step again."""
    op: str | None = None
    """What the call was recorded as."""
    summary: str = ""
    codes: tuple[str, ...] = ()
    draft: str | None = None
    """The draft that the run works in from here on; None for none."""
    edits: int = 0
    """Of `begin`: how many edits the place had before."""
    wanted: tuple[Wanted, ...] = ()
    """Of `gate`: what to do now."""


class RunState(msgspec.Struct, frozen=True, kw_only=True):
    """How far a run came."""

    status: RunStatus = "ready"
    task: int = 0
    """The next task, or the one that was begun; how many there are, where all are done."""
    attempt: int = 0
    """Of that task; 0 before it is begun."""
    steps: int = 0
    draft: str | None = None
    last: RunStep | None = None

    @property
    def next_attempt(self) -> int:
        """The number of the next attempt: the same as the last, where nobody knows how that ended."""
        return self.attempt if self.status == "begun" else self.attempt + 1


class IllegalStep(msgspec.Struct, frozen=True, kw_only=True, tag="illegal_step"):
    """The rejection of a step; the state stays as it was."""

    at: RunStatus
    kind: StepKind
    reason: str


def reduce(state: RunState, step: RunStep, *, tasks: int) -> RunState | IllegalStep:
    """Returns the state after *step* of a run of so many *tasks*, or why it cannot follow."""
    to = TABLE.get((state.status, step.kind))
    if to is None:
        return _illegal(state, step, f"a run that is {state.status} takes no {step.kind}")
    if step.n != state.steps + 1:
        return _illegal(state, step, f"it is step {step.n}, and {state.steps + 1} is next")
    if step.task != state.task:
        return _illegal(state, step, f"it is of task {step.task}, and {state.task} is next")
    wanted = state.next_attempt if step.kind == "begin" else state.attempt
    if step.attempt != wanted:
        return _illegal(state, step, f"it is of attempt {step.attempt}, and not of {wanted}")
    task, attempt = state.task, step.attempt
    if step.kind == "succeed":
        task, attempt = task + 1, 0
        to = "done" if task == tasks else "ready"
    return RunState(
        status=to, task=task, attempt=attempt, steps=step.n, draft=step.draft, last=step
    )


def fold(steps: Iterable[RunStep], *, tasks: int) -> RunState | IllegalStep:
    """Returns how far a run of so many *tasks* came by its steps, oldest first."""
    state = RunState()
    for step in steps:
        after = reduce(state, step, tasks=tasks)
        if isinstance(after, IllegalStep):
            return after
        state = after
    return state


def key_of(run: str, task: int, attempt: int) -> str:
    """Returns the idempotency key of one attempt at a task."""
    return f"playbook:{run}:{task}:{attempt}"


def _illegal(state: RunState, step: RunStep, reason: str) -> IllegalStep:
    return IllegalStep(at=state.status, kind=step.kind, reason=reason)
