"""What becomes of an apply that somebody interrupted. Source: ops 2, the rows of `cancel`.

Steps that had begun are finished. One that did nothing is cancelled, and the ledger hears nothing
of it. Where recovery actions were given, what was done is taken back, as after a failure; where
none were, it stays, is recorded, and the next apply does the rest.
"""

from agentctl.diagnostics.diagnostic import Diagnostic, warning
from agentctl.domain.ledger.state import State
from agentctl.domain.ops.record import Op
from agentctl.engine.bracket import interrupt_op
from agentctl.engine.running import Running


def taken_back(running: Running, before: State) -> bool:
    """Returns whether nothing of an interrupted run is to be recorded; *before* is where it began."""
    if not running.interrupted:
        return False
    return bool(running.task.op.constraints.on_failure) or not running.has_effects(before)


async def take_back(running: Running, before: State) -> Diagnostic:
    """Ends the op of a run of which nothing is recorded; returns what to tell of it."""
    task = running.task
    effects = running.has_effects(before)
    op = await interrupt_op(
        task.cluster, task.op, task.lease, effects=effects, recorded=False, held=task.held
    )
    return _told(op, _WORDS.get(op.status, "what it had done could not be taken back"))


def interrupted(running: Running) -> tuple[Diagnostic, ...]:
    """Returns what to tell of a run that was interrupted and recorded; nothing of any other."""
    if not running.interrupted:
        return ()
    return (_told(running.task.op, "steps that had begun were finished and recorded"),)


_WORDS = {
    "cancelled": "nothing had been done",
    "rolled_back": "what it had done was taken back",
    "recovering": "what it had done is taken back by the next command",
}


def _told(op: Op, what: str) -> Diagnostic:
    remedy = f"agentctl ops show {op.id}" if op.needs_human else "agentctl apply"
    return warning("interrupted", "apply", f"the apply was interrupted: {what}", remedy=remedy)
