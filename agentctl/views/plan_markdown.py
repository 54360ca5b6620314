"""A plan as Markdown, for a pull request or a chat: the same parts as the text.

Whatever is not our own wording stands in code spans, where Markdown reads nothing.
"""

from collections.abc import Iterable

from agentctl.domain.plan.model import Change
from agentctl.domain.plan.statement import Gate
from agentctl.domain.policy.simulate import Impact
from agentctl.views.markdown_words import code_span, markdown_words
from agentctl.views.plan_folding import Folded, folded
from agentctl.views.plan_parts import (
    NAMED_MAX,
    DriftPart,
    GatePart,
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
from agentctl.views.policy_impact import LINES_MAX, impact_lines, undecided_lines
from agentctl.views.shapes import PlanShown
from agentctl.views.wording import counted, paragraph, safe


def plan_markdown(plan: PlanShown, *, gates: Iterable[Gate] = ()) -> str:
    """Returns the plan as a section of Markdown; *gates* bring the row counts of what is lost."""
    errors = sum(d.severity == "error" for d in plan.diagnostics)
    if not plan.changes:
        told = "Nothing to do." if plan.ok else f"No plan: {counted(errors, 'error')}."
        return paragraph(["### Plan", "", told, *_drift(drift_parts(plan))])
    parts = plan_parts(plan, gates)
    lines = ["### Plan", "", f"**{markdown_words(verdict(plan, parts))}**", ""]
    lines.append(f"{parts.counts[0].upper()}{parts.counts[1:]}.")
    lines += [*_gates(parts), *_impact(plan.policy_impact)]
    lines += [*_held_back(parts), *_reading(parts), *_drift(parts.drift)]
    lines += [*_free(parts), *_next(parts)]
    if plan.plan_digest is not None:
        lines += ["", f"Plan digest {code_span(safe(plan.plan_digest))}"]
    return paragraph(lines)


def _gates(parts: PlanParts) -> list[str]:
    lines = ["", "#### Needs a human decision", ""] if parts.gates else []
    for part in parts.gates:
        lines += _gate(part)
    return lines


def _gate(part: GatePart) -> list[str]:
    lines = [
        f"- **{verb_of(part.change)}** {code_span(safe(part.change.resource))} ({gated(part.change)})"
    ]
    lines.append(f"  - {markdown_words(safe(part.need.reason, 200))}")
    lines += [f"  - {code_span(line)}" for line in (*part.effect, *change_notes(part.change))]
    if part.along:
        lines.append(f"  - with it: {', '.join(code_span(safe(c.resource)) for c in part.along)}")
    along = {c.resource for c in part.along}
    others = [code_span(safe(a)) for a in part.change.dependents if a not in along]
    if others:
        more = len(others) - NAMED_MAX
        told = f" and {more:,} more" if more > 0 else ""
        lines.append(f"  - depends on it: {', '.join(others[:NAMED_MAX])}{told}")
    if part.need.who is not None:
        lines.append(f"  - who decides: {markdown_words(safe(part.need.who, 200))}")
    lines.append(f"  - decision: {markdown_words(need_remark(part.need))}")
    return lines


def _impact(impact: Impact | None) -> list[str]:
    if impact is None:
        return []
    lines = impact_lines(impact)
    told = [f"- {markdown_words(line.text)}" for line in lines[:LINES_MAX]]
    more = len(lines) - LINES_MAX
    told += [f"- and {more:,} more"] if more > 0 else []
    told += [f"- {markdown_words(line)}" for line in undecided_lines(impact)]
    nothing = "Nothing: everybody may do what they may now."
    return ["", "#### What changes for whom", "", *(told or [nothing])]


def _held_back(parts: PlanParts) -> list[str]:
    if not parts.held_back:
        return []
    return ["", "#### Held back", "", *_list(parts.held_back)]


def _reading(parts: PlanParts) -> list[str]:
    if not parts.reading:
        return []
    listed = [f"- {code_span(p.where)} {p.name}: {code_span(p.text)}" for p in parts.reading]
    return ["", "#### Text that agents will read", "", *listed]


def _drift(drift: tuple[DriftPart, ...] | None) -> list[str]:
    if drift is None:
        return []
    if not drift:
        return ["", "No drift: what is there is what the ledger records."]
    listed = [f"- {code_span(part.address)}: {markdown_words(part.words)}" for part in drift]
    return ["", "#### Drift", "", *listed]


def _free(parts: PlanParts) -> list[str]:
    if not parts.free:
        return []
    title = counted(len(parts.free), "reversible change")
    shown = folded(parts.free, whole=False)
    return [
        "",
        f"<details><summary>{title}</summary>",
        "",
        *_list(shown),
        "",
        "</details>",
    ]


def _list(changes: Iterable[Change | Folded]) -> list[str]:
    lines: list[str] = []
    for change in changes:
        if isinstance(change, Folded):
            lines.append(f"- {change.operation} {markdown_words(change.words)}")
            continue
        remark = change_remark(change)
        lines.append(
            f"- {verb_of(change)} {code_span(safe(change.resource))}"
            + (f" ({markdown_words(remark)})" if remark else "")
        )
        lines += [f"  - {code_span(note)}" for note in change_notes(change)]
    return lines


def _next(parts: PlanParts) -> list[str]:
    if not parts.next_steps:
        return []
    return ["", "Next:", "", *(f"- {code_span(s.command)}: {s.why}" for s in parts.next_steps)]
