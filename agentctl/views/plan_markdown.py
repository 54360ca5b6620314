"""A plan as Markdown, for a pull request or a chat: the same parts as the text.

Whatever is not our own wording stands in code spans, where Markdown reads nothing.
"""

from collections.abc import Iterable
from typing import Final

from agentctl.domain.plan.model import Change
from agentctl.domain.plan.statement import Gate
from agentctl.domain.policy.simulate import Impact
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

_ACTING: Final = frozenset("\\`*_[]<>#|~!&")


def plan_markdown(plan: PlanShown, *, gates: Iterable[Gate] = ()) -> str:
    """Returns the plan as a section of Markdown; *gates* bring the row counts of what is lost."""
    errors = sum(d.severity == "error" for d in plan.diagnostics)
    if not plan.changes:
        told = "Nothing to do." if plan.ok else f"No plan: {counted(errors, 'error')}."
        return paragraph(["### Plan", "", told, *_drift(drift_parts(plan))])
    parts = plan_parts(plan, gates)
    lines = ["### Plan", "", f"**{_words(verdict(plan, parts))}**", ""]
    lines.append(f"{parts.counts[0].upper()}{parts.counts[1:]}.")
    lines += [*_gates(parts), *_impact(plan.policy_impact)]
    lines += [*_held_back(parts), *_reading(parts), *_drift(parts.drift)]
    lines += [*_free(parts), *_next(parts)]
    if plan.plan_digest is not None:
        lines += ["", f"Plan digest {_code(safe(plan.plan_digest))}"]
    return paragraph(lines)


def _gates(parts: PlanParts) -> list[str]:
    lines = ["", "#### Needs a human decision", ""] if parts.gates else []
    for part in parts.gates:
        lines += _gate(part)
    return lines


def _gate(part: GatePart) -> list[str]:
    lines = [
        f"- **{verb_of(part.change)}** {_code(safe(part.change.resource))} ({gated(part.change)})"
    ]
    lines.append(f"  - {_words(safe(part.need.reason, 200))}")
    lines += [f"  - {_code(line)}" for line in (*part.effect, *change_notes(part.change))]
    if part.along:
        lines.append(f"  - with it: {', '.join(_code(safe(c.resource)) for c in part.along)}")
    along = {c.resource for c in part.along}
    others = [_code(safe(a)) for a in part.change.dependents if a not in along]
    if others:
        more = len(others) - NAMED_MAX
        told = f" and {more:,} more" if more > 0 else ""
        lines.append(f"  - depends on it: {', '.join(others[:NAMED_MAX])}{told}")
    if part.need.who is not None:
        lines.append(f"  - who decides: {_words(safe(part.need.who, 200))}")
    lines.append(f"  - decision: {_words(need_remark(part.need))}")
    return lines


def _impact(impact: Impact | None) -> list[str]:
    if impact is None:
        return []
    lines = impact_lines(impact)
    told = [f"- {_words(line.text)}" for line in lines[:LINES_MAX]]
    more = len(lines) - LINES_MAX
    told += [f"- and {more:,} more"] if more > 0 else []
    told += [f"- {_words(line)}" for line in undecided_lines(impact)]
    nothing = "Nothing: everybody may do what they may now."
    return ["", "#### What changes for whom", "", *(told or [nothing])]


def _held_back(parts: PlanParts) -> list[str]:
    if not parts.held_back:
        return []
    return ["", "#### Held back", "", *_list(parts.held_back)]


def _reading(parts: PlanParts) -> list[str]:
    if not parts.reading:
        return []
    listed = [f"- {_code(p.where)} {p.name}: {_code(p.text)}" for p in parts.reading]
    return ["", "#### Text that agents will read", "", *listed]


def _drift(drift: tuple[DriftPart, ...] | None) -> list[str]:
    if drift is None:
        return []
    if not drift:
        return ["", "No drift: what is there is what the ledger records."]
    listed = [f"- {_code(part.address)}: {_words(part.words)}" for part in drift]
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
            lines.append(f"- {change.operation} {_words(change.words)}")
            continue
        remark = change_remark(change)
        lines.append(
            f"- {verb_of(change)} {_code(safe(change.resource))}"
            + (f" ({_words(remark)})" if remark else "")
        )
        lines += [f"  - {_code(note)}" for note in change_notes(change)]
    return lines


def _next(parts: PlanParts) -> list[str]:
    if not parts.next_steps:
        return []
    return ["", "Next:", "", *(f"- {_code(s.command)}: {s.why}" for s in parts.next_steps)]


def _words(text: str) -> str:
    """Words that are safe for a terminal, as running text in which Markdown reads nothing."""
    return "".join(f"\\{c}" if c in _ACTING else c for c in text)


def _code(shown: str) -> str:
    """A code span of *shown*, which cannot end it: its fence is longer than any run inside."""
    longest = max((len(run) for run in _runs(shown)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def _runs(text: str) -> list[str]:
    return "".join(c if c == "`" else " " for c in text).split()
