"""`apply`: carries out what needs no decision, and what a human has decided."""

from collections.abc import Iterator, Mapping
from typing import Annotated

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.plan.codec import KeptPlan
from agentctl.domain.plan.model import ApprovalNeed, Change
from agentctl.engine import apply as engine
from agentctl.engine import planning
from agentctl.engine.moving import GRAPH_WAIT_S
from agentctl.engine.results import ApplyResult
from agentctl.ids import parse_address
from agentctl_tools.envelopes import answer, count, failed, refused
from agentctl_tools.fields import IdempotencyKey, In, Intent
from agentctl_tools.gates import Gates, constraints_of
from agentctl_tools.operation import Call, Envelope, Next, Operation
from agentctl_tools.policies import plan_denied, refused_beside
from agentctl_tools.targets import FOLDER, refusal_of, resource_of, shown, target_of

WAIT_S_MAX = 600.0


_WIRES = frozenset({"mcp", "http"})
"""Where the caller sees no folder: what to apply is always said."""


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `apply` takes."""

    intent: Intent
    plan_id: str | None = None
    """A kept plan: the apply goes on only if a fresh plan has the same effects."""
    plan_file: str | None = None
    """The text that `plan --out` wrote, in place of the id of a kept plan."""
    within: In | None = msgspec.field(default=None, name="in")
    """Where the plan is from by default; else the folder."""
    exact: bool = False
    without_gated: bool | None = None
    """Over a wire open gates stop everything by default; at a terminal they only wait."""
    refresh: bool = False
    """Looks at payloads and live graphs first, and corrects drift as well."""
    idempotency_key: IdempotencyKey = None
    gates: Gates = ()
    on_failure: Gates = ()
    wait_s: Annotated[float, msgspec.Meta(ge=0, le=WAIT_S_MAX)] = 0.0


class StepBrief(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One change and why it ended so."""

    resource: str
    operation: str
    reason: str | None = None


class ApplyBrief(msgspec.Struct, frozen=True, kw_only=True):
    """An apply as an agent needs it: every change is under exactly one heading."""

    op: str | None
    plan_id: str | None
    converged: bool
    done: tuple[StepBrief, ...]
    waiting: tuple[StepBrief, ...]
    not_done: tuple[StepBrief, ...]
    unknown: tuple[StepBrief, ...]
    gates: tuple[ApprovalNeed, ...]
    """Those that still wait for a human."""


async def _handle(call: Call) -> Envelope:
    given = call.arguments
    kept = await _kept(call)
    if isinstance(kept, Diagnostic):
        return failed((kept,))
    target = _target(given, kept)
    if isinstance(target, Diagnostic):
        return failed((target,))
    if call.caller.via in _WIRES and kept is None and given.within is None:
        return refused(
            "invalid_arguments",
            "$.plan_id",
            "there is no plan to apply: `plan_id` is missing or null",
            remedy="Call `plan`, mend what it says, and give the `plan_id` that it returns.",
        )
    constraints = constraints_of(given.gates, given.on_failure)
    if isinstance(constraints, Diagnostic):
        return failed((constraints,))
    refusal = await _refused(call, target)
    if refusal is not None:
        return refusal
    without_gated = given.without_gated
    if without_gated is None:
        without_gated = call.caller.via not in _WIRES
    result = await engine.apply(
        call.cluster,
        call.caller,
        engine.ApplyRequest(
            target=target,
            intent=given.intent,
            constraints=constraints,
            plan_id=kept.digest if kept is not None else None,
            plan=kept if given.plan_file is not None else None,
            exact=given.exact,
            without_gated=without_gated,
            refresh=given.refresh,
            idempotency_key=given.idempotency_key,
            wait_s=given.wait_s,
            graph_wait_s=given.wait_s or GRAPH_WAIT_S,
            admits=lambda plan: plan_denied(call, OPERATION.action, resource_of(target), plan),
        ),
        on_event=call.notify,
        is_interrupted=call.is_interrupted,
    )
    waiting = tuple(n for n in result.approvals_required if not n.satisfied)
    return answer(
        result,
        _summary(result, len(waiting)),
        next_calls=_stale_call(result, target)
        or tuple(waiting_call(need, target) for need in waiting[:3]),
        more=f"agentctl://op/{result.op}" if result.op else None,
    )


async def _refused(call: Call, target: str) -> Envelope | None:
    """Returns why the caller may not apply *target*, which a plan's id does not tell the door."""
    refusal = await refusal_of(call.cluster, call.caller, target)
    if refusal is not None:
        return failed((refusal,))
    about = resource_of(target)
    if about == OPERATION.resource(call.arguments):
        return None
    return await refused_beside(call, OPERATION.action, about)


async def _kept(call: Call) -> KeptPlan | Diagnostic | None:
    """Returns the plan that the call names, by its id or as a file."""
    given = call.arguments
    if given.plan_file is None:
        if given.plan_id is None:
            return None
        return await planning.plan_for(call.cluster, call.caller, given.plan_id)
    return await planning.plan_of_file(call.cluster, given.plan_file.encode(), path="FILE")


def _target(given: Arguments, kept: KeptPlan | None) -> str | Diagnostic:
    """Returns what to apply: what the plan is of, which `in` may repeat and not contradict."""
    written = target_of(given.within) if given.within is not None else None
    if kept is None:
        return written or FOLDER
    if written is not None and written != kept.plan.target:
        return error(
            "invalid_arguments",
            "$.in",
            f"the plan is of {shown(kept.plan.target)}",
            remedy="Leave out `in`, or make a plan of what you mean.",
        )
    return kept.plan.target


def waiting_call(need: ApprovalNeed, target: str) -> Next:
    """Returns the call that brings a waiting gate forward."""
    if need.request_id is not None and need.standing == "waiting":
        return Next(
            tool="approval_wait",
            arguments={"id": need.request_id},
            why="A human was asked and has not decided.",
        )
    return Next(
        tool="approve",
        arguments={"gate": need.resource, "in": shown(target)},
        why="Asks a human to decide; add your intent and a new idempotency_key.",
    )


def _stale_call(result: ApplyResult, target: str) -> tuple[Next, ...]:
    """Returns the call for a fresh plan of the same target, where the given one is stale."""
    if not _is_stale(result):
        return ()
    return (Next(tool="plan", arguments={"in": shown(target)}, why="The plan given is stale."),)


def _is_stale(result: ApplyResult) -> bool:
    return any(d.code == "plan_stale" for d in result.diagnostics)


def _summary(result: ApplyResult, waiting: int) -> str:
    if _is_stale(result):
        return "The plan is stale; nothing was done. Make a fresh one."
    if result.ok and result.op is not None and not result.steps and not result.state_written:
        return f"Nothing was done now: op {result.op} did it before, under the same key."
    if not result.ok:
        return "The apply did not finish: see the diagnostics for what happened and what did not."
    done = result.applied_count
    if result.converged:
        return f"Applied {count(done, 'change')}; the cluster is what the configuration says."
    if waiting:
        gates = count(waiting, "gate waits", "gates wait")
        return f"Applied {count(done, 'change')}; {gates} for a human decision."
    return f"Applied {count(done, 'change')}; the cluster has not converged."


def _brief(result: ApplyResult) -> ApplyBrief:
    ended: dict[str, list[StepBrief]] = {}
    for change, (heading, reason) in zip(result.changes, endings(result), strict=True):
        brief = StepBrief(resource=change.resource, operation=change.operation, reason=reason)
        ended.setdefault(heading, []).append(brief)
    return ApplyBrief(
        op=result.op,
        plan_id=result.plan_digest,
        converged=result.converged,
        done=tuple(ended.get("done", ())),
        waiting=tuple(ended.get("waiting", ())),
        not_done=tuple(ended.get("not_done", ())),
        unknown=tuple(ended.get("unknown", ())),
        gates=tuple(n for n in result.approvals_required if not n.satisfied),
    )


def endings(result: ApplyResult) -> Iterator[tuple[str, str | None]]:
    """Gives how each change of an apply ended, in the order of its changes, and why so."""
    outcomes = {step.resource: (step.outcome, step.reason) for step in result.steps}
    for change in result.changes:
        yield outcomes.get(change.resource) or _without_step(change, outcomes)


def _without_step(
    change: Change, outcomes: Mapping[str, tuple[str, str | None]]
) -> tuple[str, str | None]:
    """Returns how a change ended that has no step of its own: as its graph did, or as it was held."""
    if change.reason == "approval_required":
        return "waiting", change.reason
    if change.disposition in {"blocked", "deferred"}:
        return "not_done", change.reason
    parsed = parse_address(change.resource)
    graph = parsed.graph if parsed is not None else None
    for carrier in (f"graph.{graph}", f"schema.{graph}"):
        if carrier in outcomes:
            return outcomes[carrier]
    return ("done" if outcomes else "not_done"), change.reason


OPERATION = Operation(
    name="apply",
    operation_class="write",
    action="cluster_apply",
    arguments=Arguments,
    handler=_handle,
    describe=(
        "Real. Carries out a plan: what is reversible or a human approved. Says done, waiting, "
        "not_done. With open gates it does nothing unless without_gated is true."
    ),
    resource=lambda given: resource_of(given.within or FOLDER),
    result=ApplyResult,
    brief=_brief,
    brief_result=ApplyBrief,
    inside=True,
    mcp_tool="apply",
    idempotent=True,
    destructive=True,
)
