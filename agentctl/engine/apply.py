"""`apply`: makes the cluster what the folder, or a draft, declares. Source: control-plane 1.7, 3.5.

The order is a promise. Under the cluster's lease: what earlier commands left open is settled
(`ready`); sidecars are swept, the plan is made afresh and compared with the one that was asked for
(`prepare`); the Op begins; graphs are created, schemas moved, payloads written, approved deletions
carried out last (`execute`); the draft comes home, the ledger records it all by one object, and the
Op ends (`record`). A crash anywhere leaves what the next apply settles. An apply that finds nothing
to do writes nothing.
"""

from collections.abc import Callable
from contextlib import AsyncExitStack

import msgspec

from agentctl.diagnostics.bag import Bag, has_errors, sort_diagnostics
from agentctl.diagnostics.diagnostic import Diagnostic, error, warning
from agentctl.domain.ledger.codec import state_text
from agentctl.domain.ops.record import Lineage, OpVerb
from agentctl.domain.plan.dispositions import disposition_warnings
from agentctl.domain.plan.model import ApprovalNeed, Change, Plan
from agentctl.domain.policy.caller import Caller
from agentctl.engine.advance import has_converged, payloads_applied, waiting_recorded
from agentctl.engine.archiving import archive_pending
from agentctl.engine.bounded import CONCURRENCY_DEFAULT
from agentctl.engine.bracket import Begin, abandon_op, fail_op
from agentctl.engine.cluster import Cluster
from agentctl.engine.constraints import Gated, begin_gated, constraint_faults, spelled_out
from agentctl.engine.events import ApplyEvent, EventStream, OnEvent
from agentctl.engine.execute import carry_out, purge_at_once, steps_of
from agentctl.engine.interruption import interrupted, take_back, taken_back
from agentctl.engine.leases import CLUSTER, Lease
from agentctl.engine.ledger import Head
from agentctl.engine.observe import state_seen
from agentctl.engine.prepare import ApplyRequest as ApplyRequest  # noqa: PLC0414  # faces know it from here
from agentctl.engine.prepare import Preparation, Prepared
from agentctl.engine.ready import settled_head
from agentctl.engine.record import Recorded, record, source_moved
from agentctl.engine.replaying import keep_answer, replayed
from agentctl.engine.results import ApplyResult, DesiredRevision
from agentctl.engine.running import Running, Task
from agentctl.engine.sweep import due_purges, remove_settled
from agentctl.engine.withholding import withhold
from agentctl.engine.world import stamp_now


async def apply(
    cluster: Cluster,
    caller: Caller,
    request: ApplyRequest,
    on_event: OnEvent | None = None,
    is_interrupted: Callable[[], bool] = bool,
) -> ApplyResult:
    """Makes the cluster what the target declares, as far as that is permitted now.

    *is_interrupted* is asked before each step: once it says so no further step begins, and what was
    done is recorded, or taken back where the request says how.

    Raises:
        StateLockHeldError: another command holds the cluster's lease.
        LeaseLostError: the lease was taken over; the next apply settles what was begun.
        BackendError: the storage failed; the same holds.
    """
    events = EventStream(on_event)
    async with events.open():
        await events.tell(ApplyEvent(kind="apply_started", steps_done=0, steps_total=0))
        async with cluster.leases.hold(
            CLUSTER, principal=caller.id, operation="apply", wait_s=request.wait_s
        ) as lease:
            attempt = _Attempt(cluster, caller, request, lease, events)
            result = await attempt.run(is_interrupted)
        swept = await archive_pending(cluster)
        if swept.trouble is not None:
            told = sort_diagnostics((*result.diagnostics, swept.trouble))
            result = msgspec.structs.replace(result, diagnostics=told)
        steps = len(result.steps)
        finished = ApplyEvent(
            kind="apply_finished",
            steps_done=steps,
            steps_total=steps,
            op=result.op,
            converged=result.converged,
        )
        await events.tell(finished)
    return result


class _Attempt:
    """One apply under its lease."""

    def __init__(
        self,
        cluster: Cluster,
        caller: Caller,
        request: ApplyRequest,
        lease: Lease,
        events: EventStream,
    ) -> None:
        self._cluster = cluster
        self._caller = caller
        self._request = request
        self._lease = lease
        self._events = events
        self._told = Bag()
        self._preparation = Preparation(cluster, caller, request, self._told)

    async def run(self, is_interrupted: Callable[[], bool]) -> ApplyResult:
        """Prepares, and carries out what there is to do."""
        if not self._request.intent.strip():
            self._told.add(
                error("intent_required", "intent", "a change needs an intent: why it is wanted")
            )
            return await self._refusal(await self._cluster.ledger.head())
        self._told.add(*constraint_faults(self._request.constraints))
        if has_errors(self._told):
            return await self._refusal(await self._cluster.ledger.head())
        head = await settled_head(self._cluster, self._lease, self._told)
        if head is None:
            return await self._refusal(None)
        prepared = await self._preparation.run(head)
        if prepared is None:
            return await self._refusal(head)
        self._told.add(*disposition_warnings(prepared.plan.changes))
        if await self._is_idle(prepared, head):
            return await self._idle(prepared, head)
        return await self._carry_out(prepared, head, is_interrupted)

    async def _is_idle(self, prepared: Prepared, head: Head) -> bool:
        """Returns whether nothing is to be done: it was done before, gates bar it, or nothing is left."""
        if prepared.earlier is not None:
            return True
        if not self._request.without_gated and open_gates(prepared.plan):
            self._told.add(_gates_are_open(prepared.plan))
            return True
        if self._has_work(prepared, head):
            return False
        self._told.add(*await remove_settled(self._cluster, prepared.swept.settled))
        return True

    def _has_work(self, prepared: Prepared, head: Head) -> bool:
        """Returns whether anything would be done or recorded."""
        desired, state = prepared.desired, prepared.swept.state
        if any(c.disposition == "applied" for c in prepared.plan.changes):
            return True
        if due_purges(state, stamp_now(self._cluster.world)):
            return True
        state = waiting_recorded(state, prepared.plan.changes, desired)
        if state_text(state) != head.state_text:
            return True
        if prepared.plan.changes or not has_converged(state, desired):
            return False
        reached = state.applied_revision.config_digest == desired.config_digest
        return not reached or source_moved(head, prepared.target)

    async def _carry_out(
        self, prepared: Prepared, head: Head, is_interrupted: Callable[[], bool]
    ) -> ApplyResult:
        edges = ((edge.source, edge.target) for edge in prepared.plan.dependencies)
        begin = Begin(
            action=self._request.action,
            verb=_verb(prepared.plan.changes, self._request),
            intent=self._request.intent,
            targets=_targets(prepared.plan.changes),
            op_id=prepared.op_id,
            lineage=_lineage(head, self._request),
            constraints=spelled_out(self._request.constraints, edges, self._lease),
            inputs_digest=prepared.plan.digest,
        )
        async with AsyncExitStack() as stack:
            gated = await begin_gated(
                self._cluster,
                self._caller,
                begin,
                lease=self._lease,
                head=head,
                live=prepared.inputs.live,
                stack=stack,
            )
            if gated.refusal is not None:
                self._told.add(gated.refusal)
                refused = await self._answer(head, prepared.plan.changes)
                return msgspec.structs.replace(refused, op=gated.op.id)
            return await self._execute(prepared, head, gated, is_interrupted)

    async def _execute(
        self, prepared: Prepared, head: Head, gated: Gated, is_interrupted: Callable[[], bool]
    ) -> ApplyResult:
        cluster, desired, op = self._cluster, prepared.desired, gated.op
        task = Task(
            cluster=cluster,
            caller=self._caller,
            op=op,
            lease=self._lease,
            intent=self._request.intent,
            graph_wait_s=self._request.graph_wait_s,
            desired=desired,
            inputs=prepared.inputs,
            plan=prepared.plan,
            steps_total=len(steps_of(prepared.plan.changes)),
            concurrency=prepared.inputs.settings.concurrency or CONCURRENCY_DEFAULT,
            held=gated.held,
            is_interrupted=is_interrupted,
        )
        running = Running(task, prepared.swept.state, self._events)
        running.used.extend(prepared.swept.used)
        recorded: Recorded | None = None
        try:
            carried = await carry_out(running)
            if not carried or (running.failed and op.constraints.on_failure):
                why = "a step failed" if carried else "a payload could not be written"
                await fail_op(cluster, op, self._lease, why, held=gated.held)
            elif taken_back(running, prepared.swept.state):
                running.told.add(await take_back(running, prepared.swept.state))
            else:
                swept = withhold(running, prepared.swept, head.envelope.state)
                await purge_at_once(running, prepared.swept.state)
                running.state = payloads_applied(running.state, running.changes, desired)
                running.state = waiting_recorded(running.state, running.changes, desired)
                recorded = await record(running, head, swept, prepared.target)
                running.told.add(*interrupted(running))
        except Exception as failure:
            await abandon_op(cluster, op, self._lease, str(failure), held=gated.held)
            raise
        self._told.add(*running.told, *(recorded.diagnostics if recorded is not None else ()))
        result = await self._done(prepared, running, head, recorded)
        if _is_told(recorded) and not (running.fell_short or running.interrupted):
            await keep_answer(cluster, self._caller, self._request, result)
        return result

    async def _done(
        self, prepared: Prepared, running: Running, head: Head, recorded: Recorded | None
    ) -> ApplyResult:
        waits = {c.gate for c in running.changes if c.disposition == "blocked" and c.gate}
        result = await self._answer(
            recorded.head if recorded is not None else head, running.changes
        )
        return msgspec.structs.replace(
            result,
            applied_count=_count(running.changes, "applied") if _is_told(recorded) else 0,
            converged=recorded is not None and recorded.converged,
            state_written=recorded is not None and recorded.written,
            op=running.task.op.id,
            steps=running.in_order(steps_of(prepared.plan.changes)),
            approvals_required=tuple(
                n for n in prepared.plan.approvals_required if n.gate_key in waits
            ),
        )

    async def _idle(self, prepared: Prepared, head: Head) -> ApplyResult:
        """Returns the answer of an apply that did nothing."""
        state = prepared.swept.state
        result = await self._answer(head, prepared.plan.changes)
        result = msgspec.structs.replace(
            result,
            converged=not prepared.plan.changes and has_converged(state, prepared.desired),
            op=prepared.earlier.id if prepared.earlier is not None else None,
            approvals_required=open_gates(prepared.plan),
        )
        return await replayed(self._cluster, self._caller, self._request, result)

    async def _refusal(self, head: Head | None) -> ApplyResult:
        return await self._answer(head, ())

    async def _answer(self, head: Head | None, changes: tuple[Change, ...]) -> ApplyResult:
        target, plan = self._preparation.target, self._preparation.plan
        desired = target.desired if target is not None else None
        return ApplyResult(
            ok=not has_errors(self._told),
            config_dir=self._cluster.config_dir,
            desired_revision=DesiredRevision(
                config_digest=desired.config_digest if desired is not None else None
            ),
            state_observations=await state_seen(self._cluster, head, lease=self._lease),
            actor=self._caller.id,
            changes=changes,
            deferred_count=_count(changes, "deferred") + _count(changes, "blocked"),
            resource_statuses=head.envelope.state.resource_statuses if head is not None else {},
            diagnostics=sort_diagnostics(self._told),
            plan_digest=plan.digest if plan is not None else None,
        )


def _is_told(recorded: Recorded | None) -> bool:
    """Returns whether the ledger has what was done: only then it may be told as done."""
    return recorded is not None and not has_errors(recorded.diagnostics)


def open_gates(plan: Plan) -> tuple[ApprovalNeed, ...]:
    """Returns the gates of *plan* that no decision opens."""
    return tuple(need for need in plan.approvals_required if not need.satisfied)


def _gates_are_open(plan: Plan) -> Diagnostic:
    waiting = ", ".join(need.resource for need in open_gates(plan))
    return warning(
        "approval_required",
        "cluster",
        f"nothing was done: gates are open ({waiting})",
        remedy="agentctl approve RESOURCE, or apply without what is gated",
    )


def _count(changes: tuple[Change, ...], disposition: str) -> int:
    return sum(c.disposition == disposition for c in changes)


def _verb(changes: tuple[Change, ...], request: ApplyRequest) -> OpVerb:
    if request.rollback is not None:
        return "rollback"
    operations = {c.operation for c in changes if c.disposition == "applied"}
    if operations == {"create"}:
        return "install"
    return "delete" if operations == {"delete"} else "update"


def _lineage(head: Head, request: ApplyRequest) -> Lineage | None:
    """Returns the edges of a rollback's op; any other descends from the newest ledger object alone."""
    if request.rollback is None:
        return None
    return Lineage(parent_op=head.envelope.op, rollback_of=request.rollback.op)


def _targets(changes: tuple[Change, ...]) -> tuple[str, ...]:
    return tuple(c.resource for c in changes if c.disposition == "applied")
