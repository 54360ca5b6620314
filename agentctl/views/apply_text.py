"""What an apply did, and its progress while it runs: a line for each step, then what still waits."""

from collections.abc import Iterable
from typing import Final

from agentctl.domain.plan.model import ApprovalNeed
from agentctl.views.plan_parts import need_remark
from agentctl.views.shapes import ApplyShown, EventShown, StepShown
from agentctl.views.wording import argument, counted, paragraph, reason_words, safe

REASON_CELLS_MAX: Final = 200
MARKS: Final = {"done": "done", "not_done": "not done", "unknown": "UNKNOWN", "waiting": "waits"}
MARK_WIDTH: Final = max(len(mark) for mark in MARKS.values())


def apply_text(result: ApplyShown) -> str:
    """Returns the result of an apply; success is told only of what the ledger recorded."""
    lines = [step_line(step) for step in result.steps]
    if lines:
        lines.append("")
    lines.append(_summary(result))
    if any(step.outcome == "unknown" for step in result.steps):
        lines.append("What is unknown was started and could not be observed: agentctl refresh")
    if result.op is not None:
        lines.append(f"Op: {safe(result.op)}")
    waiting = [need for need in result.approvals_required if not need.satisfied]
    return paragraph([*lines, *_waiting(waiting)])


def step_line(step: StepShown) -> str:
    """Returns one step: its outcome first, so that a column of them can be read down."""
    mark = MARKS.get(step.outcome, safe(step.outcome))
    reason = f" ({reason_words(step.reason)})" if step.reason else ""
    return f"  {mark:<{MARK_WIDTH}}  {safe(step.operation)} {safe(step.resource)}{reason}"


def event_line(event: EventShown) -> str | None:
    """Returns one event of a running apply as a plain line; None where it says nothing to a person."""
    place = f"[{event.steps_done}/{event.steps_total}] " if event.steps_total else ""
    what = f"{safe(event.operation or '')} {safe(event.resource or '')}"
    match event.kind:
        case "apply_started":
            return "Applying..."
        case "step_started":
            return f"{place}{what}..."
        case "step_progress":
            return _progress(event, place, what)
        case "step_finished":
            mark = MARKS.get(event.outcome or "", safe(event.outcome or ""))
            reason = f" ({reason_words(event.reason)})" if event.reason else ""
            return f"{place}{what}: {mark}{reason}"
        case _:
            return None


def _progress(event: EventShown, place: str, what: str) -> str | None:
    if event.rows_done is None:
        return None
    of = f" of {event.rows_total:,}" if event.rows_total is not None else ""
    phase = f", {safe(event.phase)}" if event.phase else ""
    return f"{place}{what}{phase}: {event.rows_done:,}{of} rows"


def _summary(result: ApplyShown) -> str:
    if not result.ok and not result.state_written:
        errors = sum(d.severity == "error" for d in result.diagnostics)
        return f"Nothing was recorded: {counted(errors, 'error')}."
    if not result.changes:
        return "Nothing to do: the cluster is what the configuration says."
    made = f"{counted(result.applied_count, 'change')} made"
    if result.state_written:
        recorded = f"recorded as revision {result.state_observations.state_revision}"
        made += (
            f" and {recorded}" if result.applied_count else f"; what holds them back is {recorded}"
        )
    if result.converged:
        return f"{made}. The cluster is what the configuration says."
    return f"{made}. The cluster is not yet what the configuration says."


def _waiting(needs: Iterable[ApprovalNeed]) -> list[str]:
    lines: list[str] = []
    for need in needs:
        lines.append(f"  {safe(need.resource)}: {safe(need.reason, REASON_CELLS_MAX)}")
        lines.append(f"      {need_remark(need)}")
        if need.standing == "waiting" and need.request_id is not None:
            lines.append(f"      agentctl approve {argument(need.request_id, 'ID')}")
        else:
            lines.append(f"      agentctl approvals request {argument(need.resource, 'RESOURCE')}")
    return ["", "Waits for a human decision", *lines] if lines else []
