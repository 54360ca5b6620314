"""A rollback for a terminal: what is undone, then the plan or what came of it."""

from typing import Final, Protocol

from agentctl.domain.plan.model import ApprovalNeed
from agentctl.views.apply_text import step_line
from agentctl.views.plan_parts import need_remark
from agentctl.views.plan_text import plan_text
from agentctl.views.shapes import ApplyShown, PlanShown
from agentctl.views.wording import argument, counted, paragraph, safe

ALSO_SHOWN: Final = 10
REASON_CELLS_MAX: Final = 200


class GoalShown(Protocol):
    """Where a rollback goes."""

    @property
    def seq(self) -> int:
        """The ledger object that is reached again."""
        ...

    @property
    def op(self) -> str | None:
        """The op that is undone by name."""
        ...

    @property
    def with_data(self) -> bool:
        """Whether graphs go back too."""
        ...

    @property
    def target(self) -> str:
        """As a plan names it."""
        ...


class UndoneShown(Protocol):
    """What a rollback undoes."""

    @property
    def of(self) -> GoalShown:
        """Where it goes."""
        ...

    @property
    def also(self) -> tuple[str, ...]:
        """Other ops whose changes go too."""
        ...


def rollback_plan_text(undone: UndoneShown, plan: PlanShown) -> str:
    """Returns what a rollback would do."""
    if plan.ok and not plan.changes:
        return f"Nothing to do: the cluster is what ledger object {undone.of.seq} records.\n"
    return f"{paragraph([*_heading(undone, 'Undoes'), ''])}{plan_text(plan)}"


def rollback_text(undone: UndoneShown, applied: ApplyShown) -> str:
    """Returns what a rollback did; success is told only of what the ledger recorded."""
    lines = _heading(undone, "Undone" if applied.converged else "To be undone")
    lines += [step_line(step) for step in applied.steps]
    lines += ["", _summary(undone, applied)]
    if any(step.outcome == "unknown" for step in applied.steps):
        lines.append("What is unknown was started and could not be observed: agentctl refresh")
    if applied.op is not None:
        lines.append(f"Op: {safe(applied.op)}")
    waiting = [need for need in applied.approvals_required if not need.satisfied]
    for need in waiting:
        lines += ["", *_waiting(undone, need)]
    return paragraph(lines)


def _heading(undone: UndoneShown, word: str) -> list[str]:
    if undone.of.op is None and not undone.also:
        return []
    first = undone.of.op or undone.also[0]
    others = [op for op in undone.also if op != first]
    lines = [f"{word}: {safe(first)}"]
    lines += [f"  and with it {safe(op)}" for op in others[:ALSO_SHOWN]]
    if len(others) > ALSO_SHOWN:
        lines.append(f"  and {len(others) - ALSO_SHOWN} more")
    return lines


def _summary(undone: UndoneShown, applied: ApplyShown) -> str:
    goal = f"ledger object {undone.of.seq}"
    if not applied.ok and not applied.state_written:
        errors = sum(d.severity == "error" for d in applied.diagnostics)
        return f"Nothing was recorded: {counted(errors, 'error')}."
    if not applied.changes:
        return f"Nothing to do: the cluster is what {goal} records."
    made = f"{counted(applied.applied_count, 'change')} taken back"
    if applied.state_written:
        made += f" and recorded as revision {applied.state_observations.state_revision}"
    if applied.converged:
        return f"{made}. The cluster is what {goal} records; the folder is as it was."
    return f"{made}. The cluster is not yet what {goal} records."


def _waiting(undone: UndoneShown, need: ApprovalNeed) -> list[str]:
    resource = argument(need.resource, "RESOURCE")
    ask = f"agentctl approvals request {resource} --to {undone.of.seq}"
    if undone.of.with_data:
        ask = f"agentctl approvals request {resource} --in {argument(undone.of.target, 'TARGET')}"
    if need.standing == "waiting" and need.request_id is not None:
        ask = f"agentctl approve {argument(need.request_id, 'ID')}"
    reason = safe(need.reason, REASON_CELLS_MAX)
    return [
        f"  {safe(need.resource)} waits for a human decision: {reason}",
        f"      {need_remark(need)}",
        f"      {ask}",
    ]
