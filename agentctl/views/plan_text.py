"""A plan for a terminal: what cannot be undone first, the rest in a line each, then what to do.

Nothing is said by colour, diagnostics are printed beside it by the face.
"""

from collections.abc import Iterable, Sequence
from textwrap import wrap
from typing import Final

from agentctl.domain.plan.model import Change
from agentctl.domain.plan.statement import Gate
from agentctl.domain.plan.unheld import stopping
from agentctl.foreign import cells
from agentctl.views.plan_folding import Folded, folded
from agentctl.views.plan_parts import (
    NAMED_MAX,
    SYMBOLS,
    DriftPart,
    GatePart,
    NextStep,
    PlanParts,
    change_notes,
    change_remark,
    drift_parts,
    gated,
    need_remark,
    plan_parts,
    verb_of,
    verdict,
)
from agentctl.views.policy_impact import impact_text
from agentctl.views.shapes import PlanShown
from agentctl.views.wording import counted, paragraph, safe

REASON_CELLS_MAX: Final = 200
WIDTH: Final = 80
"""Of the verdict: a narrow terminal would break it in the middle of a word."""
REMARK_COLUMN: Final = 56
"""Where what is said about a change begins, where its address leaves room."""


def plan_text(plan: PlanShown, *, gates: Iterable[Gate] = (), whole: bool = False) -> str:
    """Returns the plan; *gates* bring the row counts of what would be lost.

    Where there are many reversible changes, like ones are folded, unless the *whole* is wanted.
    """
    if not plan.changes:
        drift = _drift(drift_parts(plan))
        return paragraph([*drift, *_nothing(plan)])
    parts = plan_parts(plan, gates)
    lines = [
        _heading(plan),
        *wrap(verdict(plan, parts), WIDTH),
        "",
        *_gates(parts),
        *impact_text(plan.policy_impact),
        *_held_back(parts),
        *_reading(parts),
        *_drift(parts.drift),
    ]
    lines += _free(parts, whole=whole)
    lines.append(f"Plan: {parts.counts}.")
    errors = stopping(plan.diagnostics)
    if errors:
        lines.append(f"It cannot be applied: {counted(len(errors), 'error')}.")
    if plan.plan_digest is not None:
        lines.append(f"Digest: {safe(plan.plan_digest)}")
    return paragraph([*lines, *_next(parts.next_steps)])


def change_line(change: Change, *, remark: str = "", indent: str = "  ") -> str:
    """Returns one change on one line, with a remark at its right."""
    text = f"{indent}{SYMBOLS[change.operation]} {verb_of(change)} {safe(change.resource)}"
    if not remark:
        return text
    return f"{text}{' ' * max(2, REMARK_COLUMN - cells(text))}{remark}"


def _nothing(plan: PlanShown) -> list[str]:
    if plan.ok:
        return ["Nothing to do: the cluster is what the configuration says."]
    errors = sum(d.severity == "error" for d in plan.diagnostics)
    return [f"No plan: {counted(errors, 'error')}."]


def _reading(parts: PlanParts) -> list[str]:
    """Words that steer agents are shown whole, for a person to judge."""
    if not parts.reading:
        return []
    lines = ["Text that agents will read"]
    for part in parts.reading:
        lines += [f"  {part.where} {part.name}", f"      {part.text}"]
    return [*lines, ""]


def _drift(drift: tuple[DriftPart, ...] | None) -> list[str]:
    """What drifted is a section of its own, also where there is nothing to do about it."""
    if drift is None:
        return []
    if not drift:
        return ["No drift: what is there is what the ledger records.", ""]
    lines = [f"Drift ({len(drift)})"]
    for part in drift:
        lines += [f"  {part.address}", f"      {part.words}"]
    return [*lines, ""]


def _heading(plan: PlanShown) -> str:
    seen = plan.state_observations
    since = f"revision {seen.state_revision}" if seen.state_found else "an empty ledger"
    return f"Plan of {_target(plan.target)} against {since}"


def _target(target: str) -> str:
    if target == "folder":
        return "the folder"
    kind, _, name = target.partition(":")
    return f"{safe(kind)} {safe(name)}"


def _gates(parts: PlanParts) -> list[str]:
    if not parts.gates:
        return []
    lines = ["Needs a human decision"]
    for part in parts.gates:
        lines += [*_gate(part), ""]
    return lines


def _gate(part: GatePart) -> list[str]:
    lines = [
        change_line(part.change, remark=gated(part.change)),
        f"      {safe(part.need.reason, REASON_CELLS_MAX)}",
    ]
    lines += [f"      {line}" for line in part.effect]
    lines += [f"      {note}" for note in change_notes(part.change)]
    if part.along:
        lines.append(f"      with it: {_few([c.resource for c in part.along])}")
    along = {c.resource for c in part.along}
    others = [a for a in part.change.dependents if a not in along]
    if others:
        lines.append(f"      depends on it: {_few(others)}")
    if part.need.who is not None:
        lines.append(f"      who decides: {safe(part.need.who, REASON_CELLS_MAX)}")
    lines.append(f"      decision: {need_remark(part.need)}")
    if part.need.satisfied and part.change.disposition == "blocked":
        lines.append(f"      {change_remark(part.change)}")
    return lines


def _few(addresses: Sequence[str]) -> str:
    named = ", ".join(safe(a) for a in addresses[:NAMED_MAX])
    more = len(addresses) - NAMED_MAX
    return f"{named} and {more:,} more" if more > 0 else named


def _held_back(parts: PlanParts) -> list[str]:
    if not parts.held_back:
        return []
    lines = ["Held back"]
    for change in parts.held_back:
        lines.append(change_line(change, remark=change_remark(change)))
        lines += [f"      {note}" for note in change_notes(change)]
    return [*lines, ""]


def _free(parts: PlanParts, *, whole: bool) -> list[str]:
    if not parts.free:
        return []
    own = sum(change.disposition != "derived" for change in parts.free)
    lines = [f"Reversible ({own:,})" if own else "Reversible"]
    for change in folded(parts.free, whole=whole):
        if isinstance(change, Folded):
            lines.append(f"  {SYMBOLS[change.operation]} {change.operation} {change.words}")
            continue
        lines.append(change_line(change, remark=change_remark(change)))
        lines += [f"      {note}" for note in change_notes(change)]
    return [*lines, ""]


def _next(steps: Iterable[NextStep]) -> list[str]:
    listed = list(steps)
    if not listed:
        return []
    width = max(cells(step.command) for step in listed)
    return [
        "",
        "Next",
        *(f"  {s.command}{' ' * (width - cells(s.command))}   {s.why}" for s in listed),
    ]
