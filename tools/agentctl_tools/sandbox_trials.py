"""What an apply in a sandbox changed, as its command keeps it, so that a human hears of it later."""

from agentctl.domain.plan.model import Change
from agentctl.domain.plan.trials import TRIED_MAX, Ending, TriedChange, tried_change
from agentctl.engine.results import ApplyResult
from agentctl_tools.apply import endings
from agentctl_tools.operation import Envelope


def tried_changes(envelope: Envelope) -> tuple[TriedChange, ...]:
    """Returns what was changed, or tried, where *envelope* answers an apply that began its steps.

    One that was told again under its key, and one that was refused before its first step, tried
    nothing.
    """
    result = envelope.data
    if not isinstance(result, ApplyResult) or not result.steps:
        return ()
    tried = zip(result.changes, endings(result), strict=True)
    return tuple(
        tried_change(change, _ending(result, heading), _code(result, change, reason))
        for change, (heading, reason) in tried
    )[:TRIED_MAX]


def _ending(result: ApplyResult, heading: str) -> Ending:
    """What was done and is in no ledger may be there or not."""
    if heading == "done":
        return "done" if result.state_written else "unknown"
    return "unknown" if heading == "unknown" else "not_done"


def _code(result: ApplyResult, change: Change, reason: str | None) -> str | None:
    """Returns why a change was not done: what is told of it, else its step's reason, else any error."""
    errors = [d for d in result.diagnostics if d.severity == "error"]
    about = [d.code for d in errors if d.path == change.resource]
    return next(iter(about), reason or next((d.code for d in errors), None))
