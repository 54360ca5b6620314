"""`plan`: what an apply would do now, as one value. Over MCP it is kept, and `plan_id` names it."""

from collections.abc import Mapping

import msgspec

from agentctl.domain.plan.model import ApprovalNeed, Change, Plan
from agentctl.domain.plan.statement import Gate
from agentctl.engine import planning
from agentctl.engine.results import PlanResult
from agentctl_tools.envelopes import count, failed
from agentctl_tools.fields import In
from agentctl_tools.operation import Call, Envelope, Next, Operation
from agentctl_tools.targets import refusal_of, resource_of, shown, target_of

CHANGES_SHOWN = 10
"""Of a plan over a wire. Source: access-and-faces 3.3."""


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `plan` takes."""

    within: In = msgspec.field(default="cluster", name="in")
    keep: bool = False
    """Keeps the plan under its id. What comes over a wire always is."""
    refresh: bool = False
    """Looks at payloads and live graphs first, and shows drift."""
    peek: bool = False
    """Counts the rows that a wanted schema would not permit."""


class PlanAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The result, and the plan itself for whoever writes it to a file."""

    result: PlanResult
    plan: Plan | None
    class_counts: Mapping[str, int]
    """Changes by class; a change of two classes counts under both."""
    gates: tuple[Gate, ...] = ()
    """The gates with what they would lose."""


class PlanBrief(msgspec.Struct, frozen=True, kw_only=True):
    """A plan as an agent needs it; the whole is behind the link."""

    plan_id: str | None
    target: str
    class_counts: Mapping[str, int]
    gates: tuple[ApprovalNeed, ...]
    changes: tuple[Change, ...]
    """The first of them."""
    changes_total: int


async def _handle(call: Call) -> Envelope:
    target = target_of(call.arguments.within)
    refusal = await refusal_of(call.cluster, call.caller, target, revisions=True)
    if refusal is not None:
        return failed((refusal,))
    keep = call.arguments.keep or call.caller.via in {"mcp", "http"}
    look = planning.Look(refresh=call.arguments.refresh, peek=call.arguments.peek)
    planned = await planning.make_plan(
        call.cluster, call.caller, target=target, keep=keep, look=look
    )
    result = planned.result
    counts: dict[str, int] = {}
    for change in result.changes:
        for effect in change.classes:
            counts[effect] = counts.get(effect, 0) + 1
    waiting = [n for n in result.approvals_required if not n.satisfied]
    data = PlanAnswer(result=result, plan=planned.plan, class_counts=counts, gates=planned.gates)
    return Envelope(
        ok=result.ok,
        summary=_summary(result, len(waiting)),
        next=_next(result, target) if keep else (),
        data=data,
        diagnostics=result.diagnostics,
        more=f"agentctl://plan/{result.plan_digest}" if keep and result.plan_digest else None,
    )


def _summary(result: PlanResult, waiting: int) -> str:
    if not result.ok:
        return "No plan: the configuration or the ledger has errors."
    if not result.changes:
        return "Nothing to do: the cluster is what the configuration says."
    told = count(len(result.changes), "change")
    if waiting:
        gates = count(waiting, "gate waits", "gates wait")
        return f"{told}; {gates} for a human decision."
    return f"{told}; nothing waits for a decision."


def _next(result: PlanResult, target: str) -> tuple[Next, ...]:
    if not result.ok or not result.changes or result.plan_digest is None:
        return ()
    calls: list[Next] = []
    waiting = [n for n in result.approvals_required if not n.satisfied]
    if any(c.disposition == "applied" for c in result.changes):
        arguments: dict[str, object] = {"plan_id": result.plan_digest}
        if waiting:
            arguments["without_gated"] = True
        calls.append(
            Next(
                tool="apply",
                arguments=arguments,
                why="Does what needs no decision; add your intent and a new idempotency_key.",
            )
        )
    calls += [
        Next(
            tool="approve",
            arguments={"gate": need.resource, "in": shown(target)},
            why="Asks a human; add your intent and a new idempotency_key.",
        )
        for need in waiting
        if need.request_id is None
    ]
    calls += [
        Next(
            tool="approval_wait",
            arguments={"id": need.request_id},
            why="It was asked for already; a human has not decided.",
        )
        for need in waiting
        if need.request_id is not None and need.standing == "waiting"
    ]
    return tuple(calls[:5])


def _brief(answer: PlanAnswer) -> PlanBrief:
    result = answer.result
    return PlanBrief(
        plan_id=result.plan_digest,
        target=shown(result.target),
        class_counts=answer.class_counts,
        gates=result.approvals_required,
        changes=result.changes[:CHANGES_SHOWN],
        changes_total=len(result.changes),
    )


OPERATION = Operation(
    name="plan",
    operation_class="read",
    action="cluster_plan",
    arguments=Arguments,
    handler=_handle,
    describe=(
        "Look. Compares configuration and cluster, says what apply would do: changes "
        "by class, gates that need a human, at most 10 changes, the rest by link. Gives plan_id."
    ),
    resource=lambda given: resource_of(given.within),
    result=PlanAnswer,
    brief=_brief,
    brief_result=PlanBrief,
    inside=True,
    mcp_tool="plan",
    idempotent=True,
)
