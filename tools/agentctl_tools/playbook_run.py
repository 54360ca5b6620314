"""`playbook_run`: makes the calls of a playbook one after another, each through the door.

Every call is the caller's own: policy decides it, the audit log records it, and a gate stops the run
as it would stop the caller. What a run adds is the place, the intent and a key for each attempt.
"""

from typing import Annotated, Any, Final

import msgspec

from agentctl.canonical import digest_of
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.ops.machine import TERMINAL
from agentctl.domain.ops.record import Op
from agentctl.domain.sandbox.lending import sandbox_of
from agentctl.domain.sandbox.playbook_runs import PlaybookRun, RunState, RunTask, Wanted, key_of
from agentctl.domain.sandbox.playbooks import parameters_missing
from agentctl.domain.sandbox.records import Playbook, PlaybookTask
from agentctl.engine.drafts import Draft
from agentctl.engine.keys_once import Conflicting
from agentctl.engine.playbooks import (
    Attempt,
    Carried,
    KnownRun,
    Outcome,
    Preparation,
    Way,
    at_place,
    begin_run,
    carry_on,
    known_run,
    unknown_run,
)
from agentctl.engine.world import mint_ulid, stamp_now
from agentctl_tools import insides
from agentctl_tools.envelopes import count, done, failed, refused
from agentctl_tools.fields import IdempotencyKey, Inside, Intent
from agentctl_tools.lookup import find_operation
from agentctl_tools.operation import Call, Envelope, Next, Operation
from agentctl_tools.playbook_tasks import EDIT, decoded_task, fields_of, task_fault
from agentctl_tools.playbooks import Name, RunShown, run_shown, store_of, tasks_of
from agentctl_tools.targets import resource_of
from agentctl_tools.tool_bounds import unoffered

NAME: Final = "playbook_run"
CLUSTER: Final = "cluster"
IN_DRAFTS: Final = frozenset(
    {EDIT, "apply", "plan", "validate", "lint", "deps", "request_approval"}
)
"""What is about the run's draft, where it has one; the rest is about the cluster."""


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `playbook_run` takes."""

    name: Name
    within: Inside = msgspec.field(default=CLUSTER, name="in")
    intent: Intent
    resume: (
        Annotated[str, msgspec.Meta(description="A run to go on with.", max_length=26)] | None
    ) = None
    idempotency_key: IdempotencyKey = None


async def _handle(call: Call) -> Envelope:
    store = await store_of(call)
    playbook = await store.get_playbook_by_name(call.arguments.name)
    if call.arguments.resume is None:
        known = await _begun(call, playbook, await tasks_of(store, playbook))
    else:
        known = await _resumed(call, playbook, call.arguments.resume)
    if isinstance(known, Envelope):
        return known
    unmakable = _unmakable(call, known)
    if unmakable:
        return failed(unmakable, summary="No task was begun.")
    way = _Way(call)
    carried = await carry_on(
        call.cluster, call.caller, known.run, Way(prepare=way.prepare, make=way.make)
    )
    return _told(known.run, carried)


async def _begun(
    call: Call, playbook: Playbook, tasks: tuple[PlaybookTask, ...]
) -> KnownRun | Envelope:
    """Returns a new run; the same where the same was asked for before, unless that one stopped."""
    cluster, caller, given = call.cluster, call.caller, call.arguments
    barred = await _barred(call, given.within) or _unready(call, playbook, tasks)
    if barred is not None:
        return barred
    run_id = mint_ulid(cluster.world)
    if given.idempotency_key is not None:
        claimed = await cluster.keys.claim(
            principal=caller.id,
            operation=NAME,
            key=given.idempotency_key,
            request_digest=digest_of(given),
            op=run_id,
        )
        if isinstance(claimed, Conflicting):
            return failed((claimed.diagnostic,))
        run_id = claimed.op
        known = await known_run(cluster.store, playbook.id, run_id)
        if known is not None:
            return _again(known)
    run = PlaybookRun(
        run=run_id,
        playbook=playbook.id,
        name=playbook.name,
        place=given.within,
        by=caller.id,
        intent=given.intent,
        at=stamp_now(cluster.world),
        tasks=tuple(
            RunTask(id=t.id, name=t.name, module=t.module, params=dict(t.params)) for t in tasks
        ),
    )
    await begin_run(cluster, run)
    return KnownRun(run=run, state=RunState(), steps=())


def _again(known: KnownRun) -> KnownRun | Envelope:
    """Goes on with a run whose process died; one that ended or stopped is told as it stands."""
    if known.state.status in {"ready", "begun"}:
        return known
    return _told(known.run, Carried(state=known.state, steps=known.steps))


async def _resumed(call: Call, playbook: Playbook, run_id: str) -> KnownRun | Envelope:
    """Returns the run that a call goes on with, or why it does not."""
    known = await known_run(call.cluster.store, playbook.id, run_id)
    if known is None:
        return failed((unknown_run(run_id),))
    if known.run.by != call.caller.id:
        why = "whoever began a run goes on with it: its calls are theirs"
        remedy = "Begin a run of your own, without `resume`."
        return refused("playbook_not_yours", f"playbook_run:{run_id}", why, remedy=remedy)
    if call.arguments.within not in {CLUSTER, known.run.place}:
        why = f"the run is in {known.run.place}"
        return refused("invalid_arguments", "$.in", why, remedy="Leave out `in`.")
    if known.state.status == "done":
        why = "all tasks of the run are done"
        return refused("playbook_run_over", f"playbook_run:{run_id}", why)
    return await _barred(call, known.run.place) or known


async def _barred(call: Call, place: str) -> Envelope | None:
    """Returns why the caller does not use a place; None where it is one that they may use."""
    if place == CLUSTER:
        return None
    sandbox_id = sandbox_of(place)
    if sandbox_id is None:
        why = "a playbook runs in `cluster` or in a sandbox, named as `sandbox:ID`"
        return refused("invalid_arguments", "$.in", why, remedy="Name one of the two.")
    admitted = await insides.admitted(call, sandbox_id)
    return admitted if isinstance(admitted, Envelope) else None


def _unready(call: Call, playbook: Playbook, tasks: tuple[PlaybookTask, ...]) -> Envelope | None:
    """Returns why no task of a playbook is begun; None where all could be."""
    place = call.arguments.within
    if playbook.hosts == "sandbox" and place == CLUSTER:
        why = "the playbook is for sandboxes, and does not run for real"
        return refused("playbook_task_refused", "$.in", why, remedy="Name a sandbox in `in`.")
    if not tasks:
        why = "the playbook has no task"
        return refused("playbook_task_refused", f"playbook:{playbook.id}", why)
    faults: list[Diagnostic] = []
    for task in tasks:
        fault = task_fault(call.caller, task.module, task.params) or _misplaced(task, place)
        missing = parameters_missing(task.params)
        if missing:
            fault = _needs(task, missing)
        faults += [] if fault is None else [fault]
    return failed(faults, summary="No task was begun.") if faults else None


def _needs(task: PlaybookTask, missing: tuple[str, ...]) -> Diagnostic:
    return error(
        "playbook_needs_parameter",
        f"task:{task.position}",
        f"a secret's token stands at {', '.join(missing[:3])} of the task {task.id}",
        remedy="Edit the task: name a variable in the secret's place.",
    )


def _misplaced(task: PlaybookTask, place: str) -> Diagnostic | None:
    operation = find_operation(task.module)
    if place == CLUSTER or operation is None or operation.inside or operation.enters:
        return None
    why = f"`{task.module}` is about the cluster itself, and not done in a sandbox"
    return error("not_in_a_sandbox", f"task:{task.position}", why)


def _unmakable(call: Call, known: KnownRun) -> tuple[Diagnostic, ...]:
    """Returns why the caller's face does not make what is left of a run, which another may have begun."""
    left = ((find_operation(t.module), t.params) for t in known.run.tasks[known.state.task :])
    found = (unoffered(call.caller, o, params) for o, params in left if o is not None)
    return tuple(fault for fault in found if fault is not None)


class _Way:
    """How one run's calls are made."""

    def __init__(self, call: Call) -> None:
        self._call = call

    async def prepare(self, run: PlaybookRun, state: RunState) -> Preparation:
        """Returns where the next task begins; for an edit for real there is a draft then."""
        drafts = self._call.cluster.drafts
        if run.tasks[state.task].module != EDIT:
            return Preparation(draft=state.draft)
        sandbox_id = sandbox_of(run.place)
        draft = sandbox_id or state.draft
        if draft is None:
            draft = (await drafts.open(self._call.caller.id)).id
        found = await drafts.show(draft)
        edits = len(found.edits) if isinstance(found, Draft) else 0
        return Preparation(draft=None if sandbox_id else draft, edits=edits)

    async def make(self, attempt: Attempt) -> Outcome:
        """Makes one call through the door, and returns how it ended."""
        from agentctl_tools.door import call

        if attempt.is_repeated and await self._was_edited(attempt):
            return Outcome(
                kind="succeed", summary="It was done before.", draft=_draft_after(attempt)
            )
        operation = find_operation(attempt.task.module)
        assert operation is not None, "a run begins with tasks that the registry has"
        decoded = _bound(operation, attempt)
        if isinstance(decoded, Diagnostic):
            return _failure(attempt, "Refused.", (decoded,))
        envelope = await call(self._call.cluster, self._call.caller, attempt.task.module, decoded)
        return await self._outcome(attempt, envelope)

    async def _outcome(self, attempt: Attempt, envelope: Envelope) -> Outcome:
        wanted = _open_gates(envelope)
        if wanted is not None:
            return Outcome(
                kind="gate",
                op=_op_of(envelope.data),
                summary=envelope.summary,
                draft=attempt.draft,
                wanted=wanted,
            )
        if envelope.ok:
            return Outcome(
                kind="succeed",
                op=_op_of(envelope.data),
                summary=envelope.summary,
                draft=_draft_after(attempt),
            )
        left = next((d for d in envelope.diagnostics if d.code == "idempotency_conflict"), None)
        outcome = _failure(attempt, envelope.summary, envelope.diagnostics)
        if left is None or not attempt.is_repeated:
            return outcome
        async with at_place(self._call.cluster, attempt.run.place) as where:
            op = await where.journal.get(left.path)
        if op is None or op.status not in TERMINAL:
            return msgspec.structs.replace(outcome, kind="unknown")
        return msgspec.structs.replace(outcome, is_broken_off=True)

    async def _was_edited(self, attempt: Attempt) -> bool:
        """Returns whether an edit that was begun before is in the draft already."""
        draft = sandbox_of(attempt.run.place) or attempt.draft
        if attempt.task.module != EDIT or draft is None:
            return False
        found = await self._call.cluster.drafts.show(draft)
        if not isinstance(found, Draft):
            return False
        path = attempt.task.params.get("path")
        return any(edit.path == path for edit in found.edits[attempt.edits :])


def _bound(operation: Operation, attempt: Attempt) -> msgspec.Struct | Diagnostic:
    """Returns a task's arguments with what the run gives: place, intent and key."""
    run, params = attempt.run, dict(attempt.task.params)
    place = run.place
    if place == CLUSTER and attempt.draft is not None and operation.name in IN_DRAFTS:
        place = attempt.draft
    if "without_gated" in fields_of(operation):
        # A run stops at a gate before anything of that apply is done, and not in its middle.
        params.setdefault("without_gated", False)
    key = key_of(run.run, attempt.position, attempt.number)
    return decoded_task(operation, params, place=place, intent=run.intent, key=key)


def _draft_after(attempt: Attempt) -> str | None:
    """Returns the draft that the next task works in: none once it was applied."""
    return None if attempt.task.module == "apply" else attempt.draft


def _failure(attempt: Attempt, summary: str, diagnostics: tuple[Diagnostic, ...]) -> Outcome:
    return Outcome(
        kind="fail",
        summary=summary,
        codes=tuple(d.code for d in diagnostics if d.severity == "error"),
        diagnostics=diagnostics,
        draft=attempt.draft,
    )


def _open_gates(envelope: Envelope) -> tuple[Wanted, ...] | None:
    """Returns the calls that bring open gates forward; None where none is open."""
    needs: tuple[Any, ...] = getattr(envelope.data, "approvals_required", ())
    if all(need.satisfied for need in needs):
        return None
    return tuple(
        Wanted(tool=one.tool, arguments=dict(one.arguments), why=one.why) for one in envelope.next
    )


def _op_of(data: object) -> str | None:
    op = getattr(data, "op", None)
    return op.id if isinstance(op, Op) else op if isinstance(op, str) else None


def _told(run: PlaybookRun, carried: Carried) -> Envelope:
    """Returns the envelope of a run as far as it came."""
    state, number = carried.state, carried.state.task + 1
    data = run_shown(run, state, carried.steps)
    resume = Next(
        tool=NAME,
        arguments={"name": run.name, "resume": run.run, "intent": run.intent},
        why="Goes on with the run.",
    )
    if state.status == "done":
        return done(f"{count(len(run.tasks), 'task')} done.", data=data)
    if state.status == "waiting":
        asked = tuple(
            Next(tool=one.tool, arguments=one.arguments, why=one.why) for one in data.wanted
        )
        why = f"Task {number} waits for a human's decision; {count(state.task, 'task')} done."
        return done(why, data=data, next_calls=(*asked, resume))
    summary = f"Task {number} failed; {count(state.task, 'task')} done."
    envelope = failed(carried.diagnostics or _before(state), summary=summary, data=data)
    return msgspec.structs.replace(envelope, next=(*envelope.next, resume))


def _before(state: RunState) -> tuple[Diagnostic, ...]:
    """Returns what stopped a run in an earlier call: its codes, without their words."""
    if state.last is None:
        return ()
    where, said = f"task:{state.task}", state.last.summary or "it failed"
    return tuple(error(code, where, said) for code in state.last.codes)


OPERATION = Operation(
    name=NAME,
    operation_class="write",
    action="draft_edit",
    arguments=Arguments,
    handler=_handle,
    describe=(
        "Real. Runs a playbook in a sandbox or for real, each call as your own. Stops at a gate "
        "or a failure; with `resume` it goes on."
    ),
    resource=lambda given: resource_of(given.within),
    context=lambda given: {"sandbox": given.within != CLUSTER},
    result=RunShown,
    enters=True,
    mcp_tool=NAME,
    toolset="playbooks",
    destructive=True,
)
