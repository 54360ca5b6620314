"""A plan as a reader wants it: gates first, then what is held back, then the rest; and what to do next.

The text, the Markdown and the terminal's list are renderings of these parts.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from agentctl.domain.ledger.drift import Drift
from agentctl.domain.ledger.peeks import Peek
from agentctl.domain.plan.merges import MERGE
from agentctl.domain.plan.model import GATED, ApprovalNeed, Change, SettingsChange
from agentctl.domain.plan.statement import Gate
from agentctl.domain.plan.unheld import stopping
from agentctl.views.migration_text import step_text
from agentctl.views.shapes import PlanShown
from agentctl.views.wording import argument, counted, reason_words, safe, short_digest

VERDICTS: Final = {
    "irreversible": "cannot be undone",
    "authority": "of authority",
    "narrowing": "narrowing",
}
"""Classes in the order in which a reader must see them, in words."""
NAMED_MAX: Final = 8
"""How many of what goes along with a gate, or depends on it, are named."""
READING_CELLS_MAX: Final = 400
READING_QUERIES_MAX: Final = 20
"""Of so many queries, what is told to agents is shown; those that change before new ones."""
NEEDED_MAX: Final = 2
NEEDS_HELD: Final = "dependency_not_applied"
_WORDS_STEPS: Final = frozenset({"update_type_metadata", "update_property_metadata"})
SYMBOLS: Final = {"create": "+", "update": "~", "delete": "-"}


class GatePart(msgspec.Struct, frozen=True, kw_only=True):
    """One gate with the changes behind it."""

    need: ApprovalNeed
    change: Change
    """Of the gate's own resource."""
    along: tuple[Change, ...]
    """Changes that go with it."""
    effect: tuple[str, ...]
    """What is lost, a line each; empty where the gate is not known here or nothing is."""


class ReadingPart(msgspec.Struct, frozen=True, kw_only=True):
    """Words of a schema or a query that agents are given, as they will be."""

    where: str
    """``schema.g Type``, ``schema.g Type.property`` or ``query.g.name``."""
    name: str
    """``@description`` or ``@instruction``."""
    text: str
    """Shown safely; ``none`` where there are none any more."""


class DriftPart(msgspec.Struct, frozen=True, kw_only=True):
    """One resource that is not as it is recorded."""

    address: str
    words: str
    """What is so, and what was recorded and found, in one line."""


class NextStep(msgspec.Struct, frozen=True, kw_only=True):
    """A command that would be sensible now."""

    command: str
    why: str


class PlanParts(msgspec.Struct, frozen=True, kw_only=True):
    """All of a plan, each change in exactly one part."""

    gates: tuple[GatePart, ...]
    """Irreversible ones first, then authority, then by address."""
    held_back: tuple[Change, ...]
    """Blocked or deferred for another reason than a gate of their own."""
    free: tuple[Change, ...]
    """What an apply makes without asking anyone."""
    reading: tuple[ReadingPart, ...]
    """What is told to agents, where that changes."""
    drift: tuple[DriftPart, ...] | None
    """None where the plan did not look."""
    counts: str
    next_steps: tuple[NextStep, ...]


def plan_parts(plan: PlanShown, gates: Iterable[Gate] = ()) -> PlanParts:
    """Returns the parts of *plan*; *gates* bring the measured effects, where they are at hand."""
    effects = {gate.key: _effect(gate) for gate in gates}
    parts = [_gate_part(need, plan.changes, effects) for need in plan.approvals_required]
    known = {need.gate_key for need in plan.approvals_required}
    rest = [c for c in plan.changes if c.gate is None or c.gate not in known]
    return PlanParts(
        gates=tuple(sorted((p for p in parts if p is not None), key=_weight)),
        held_back=tuple(c for c in rest if c.disposition in {"blocked", "deferred"}),
        free=tuple(c for c in rest if c.disposition not in {"blocked", "deferred"}),
        reading=_all_reading(plan.changes),
        drift=drift_parts(plan),
        counts=_counts(plan),
        next_steps=_next_steps(plan),
    )


def drift_parts(plan: PlanShown) -> tuple[DriftPart, ...] | None:
    """Returns what drifted, a line each; None where the plan did not look."""
    if plan.drift is None:
        return None
    return tuple(DriftPart(address=safe(d.address), words=_drift(d)) for d in plan.drift)


def verdict(plan: PlanShown, parts: PlanParts) -> str:
    """Returns what a reader needs first: what cannot be undone, what gives power, and the rest."""
    told: list[str] = []
    for class_, words in VERDICTS.items():
        gates = [p for p in parts.gates if class_ in p.change.classes]
        if gates:
            open_ = sum(not p.need.satisfied for p in gates)
            waits = (
                "decided"
                if not open_
                else f"{open_} of them undecided"
                if open_ < len(gates)
                else "undecided"
            )
            told.append(f"{counted(len(gates), 'change')} {words} ({waits})")
    if parts.held_back:
        told.append(f"{len(parts.held_back):,} held back")
    free = sum(c.disposition != "derived" for c in parts.free)
    if free or not told:
        told.append(f"{free:,} reversible")
    errors = len(stopping(plan.diagnostics))
    if errors:
        told.insert(0, f"cannot be applied: {counted(errors, 'error')}")
    if parts.drift:
        told.append(f"{counted(len(parts.drift), 'resource')} drifted")
    text = "; ".join(told)
    return f"{text[0].upper()}{text[1:]}."


def change_notes(change: Change) -> tuple[str, ...]:
    """Returns what a change does beyond its digests: bindings, settings, migration steps."""
    notes: list[str] = []
    bindings = change.bindings
    if bindings is not None and bindings.before != bindings.after:
        notes.append(f"applies to: {_scopes(bindings.before)} -> {_scopes(bindings.after)}")
    if change.settings is not None:
        notes.extend(_settings_notes(change.settings))
    if change.metadata_change == "moved":
        notes.append(f"takes over what is recorded as {safe(change.moved_from or '')}")
    if change.migration is not None:
        notes.extend(step_text(step) for step in change.migration.steps)
        if not change.migration.steps:
            notes.append("stores the new text; no type or property changes")
    notes.extend(peek_text(peek) for peek in change.peeks)
    return tuple(notes)


def peek_text(peek: Peek) -> str:
    """Returns the answer of the rows in a line."""
    where = safe(peek.where)
    seen = "" if peek.whole else f" (of {peek.looked_at:,} looked at)"
    if peek.need == "are_dropped":
        return f"peek {where}: {counted(peek.looked_at - peek.nulls, 'value')} would go{seen}"
    told = f"{peek.broken:,} of {counted(peek.rows, 'row')} break it{seen}"
    nulls = f", {peek.nulls:,} without a value" if peek.nulls else ""
    return f"peek {where}: {told}{nulls}"


def verb_of(change: Change) -> str:
    """Returns what is done: what leaves the ledger alone is forgotten, and not deleted."""
    if change.metadata_change == "forget":
        return "forget"
    if change.metadata_change == MERGE:
        return "merge"
    return "move" if change.metadata_change == "moved" else change.operation


def change_remark(change: Change) -> str:
    """Returns why a change is not simply made; empty where it is."""
    if change.disposition == "derived":
        return "follows from its parts"
    if change.disposition in {"blocked", "deferred"}:
        needed = (
            f" ({_named(change.needs)})" if change.reason == NEEDS_HELD and change.needs else ""
        )
        return f"{change.disposition}: {reason_words(change.reason)}{needed}"
    return ""


def _named(addresses: tuple[str, ...]) -> str:
    more = len(addresses) - NEEDED_MAX
    told = ", ".join(safe(a) for a in addresses[:NEEDED_MAX])
    return f"{told} and {more:,} more" if more > 0 else told


def need_remark(need: ApprovalNeed) -> str:
    """Returns how the decision stands."""
    request = safe(need.request_id or "", 40)
    match need.standing:
        case "none":
            return "nobody was asked yet"
        case "waiting":
            return f"request {request} waits for a human"
        case "approved":
            return f"approved by request {request}"
        case "denied":
            return f"denied by request {request}"
        case "stale":
            return f"the decision of request {request} no longer holds"
        case "expired":
            return f"request {request} expired"


def _all_reading(changes: tuple[Change, ...]) -> tuple[ReadingPart, ...]:
    """Schemas and what changes first; of many new queries no more than a person reads."""
    schemas = [part for change in changes for part in _reading(change)]
    queries = sorted((c for c in changes if c.told), key=lambda c: c.operation == "create")
    shown = queries[:READING_QUERIES_MAX]
    parts = [*schemas, *(part for change in shown for part in _told(change))]
    more = len(queries) - len(shown)
    if more:
        told = counted(more, "more query", "more queries")
        parts.append(ReadingPart(where=told, name="", text="agentctl plan --json tells all"))
    return tuple(parts)


def _told(change: Change) -> Iterator[ReadingPart]:
    for name in sorted(change.told):
        text = safe(change.told[name], READING_CELLS_MAX)
        yield ReadingPart(where=safe(change.resource), name=f"@{safe(name)}", text=text)


def _reading(change: Change) -> Iterator[ReadingPart]:
    for step in change.migration.steps if change.migration is not None else ():
        if step.get("kind") not in _WORDS_STEPS:
            continue
        name = step.get("property_name")
        of = str(step.get("name") or step.get("type_name"))
        where = f"{safe(change.resource)} {safe(of)}" + (f".{safe(str(name))}" if name else "")
        words = _annotations(step)
        for word in words:
            text = safe(str(word.get("value")), READING_CELLS_MAX)
            yield ReadingPart(where=where, name=f"@{safe(str(word.get('name')))}", text=text)
        if not words:
            yield ReadingPart(where=where, name="@description", text="none any more")


def _annotations(step: Mapping[str, object]) -> list[Mapping[str, object]]:
    listed = step.get("annotations")
    return [a for a in listed if isinstance(a, Mapping)] if isinstance(listed, list | tuple) else []


def _drift(drift: Drift) -> str:
    if drift.why is not None:
        return f"{drift.words}: {safe(drift.why)}"
    sides = [f"{name} {_side(at)}" for name, at in _sides(drift) if at is not None]
    return f"{drift.words} ({', '.join(sides)})" if sides else drift.words


def _sides(drift: Drift) -> tuple[tuple[str, str | None], ...]:
    return (("recorded", drift.recorded), ("live", drift.live))


def _side(at: str) -> str:
    """Returns a commit as it is, a digest in short."""
    return safe(at) if at.startswith("main:") else short_digest(at)


def _gate_part(
    need: ApprovalNeed, changes: tuple[Change, ...], effects: Mapping[str, tuple[str, ...]]
) -> GatePart | None:
    behind = [c for c in changes if c.gate == need.gate_key]
    own = next((c for c in behind if c.resource == need.resource), None)
    if own is None:
        return None
    return GatePart(
        need=need,
        change=own,
        along=tuple(c for c in behind if c is not own),
        effect=effects.get(need.gate_key, ()),
    )


def _weight(part: GatePart) -> tuple[int, str]:
    classes = part.change.classes
    weight = next((n for n, class_ in enumerate(VERDICTS) if class_ in classes), len(VERDICTS))
    return (weight, part.change.resource)


def _effect(gate: Gate) -> tuple[str, ...]:
    rows = [
        f"{safe(name, 40)}: {counted(n, 'row')}" for name, n in sorted(gate.effect.rows.items())
    ]
    if gate.effect.last_write is not None:
        rows.append(f"last write {safe(gate.effect.last_write, 30)}")
    return tuple(rows)


def _counts(plan: PlanShown) -> str:
    told = [
        f"{n} to {verb}"
        for verb in ("create", "update", "merge", "move", "forget", "delete")
        if (n := sum(verb_of(c) == verb and c.disposition != "derived" for c in plan.changes))
    ]
    waiting = sum(c.reason == "approval_required" for c in plan.changes)
    held = sum(
        c.disposition in {"blocked", "deferred"} and c.reason != "approval_required"
        for c in plan.changes
    )
    text = ", ".join(told) or "nothing to do"
    if waiting:
        text += f"; {waiting} of them {'waits' if waiting == 1 else 'wait'} for a decision"
    if held:
        text += f"; {held} held back"
    return text


def _next_steps(plan: PlanShown) -> tuple[NextStep, ...]:
    kind, _, name = plan.target.partition(":")
    option = f" --draft {argument(name, 'ID')}" if kind == "draft" else ""
    if kind == "sandbox":
        option = f" --in {argument(name, 'ID')}"
    verb = "apply"
    if kind == "revision":
        verb, option = "rollback", f" --to {argument(name.partition('@')[0], 'SEQ')}"
        option = f" --in {argument(plan.target, 'TARGET')}" if "@" in name else option
    if stopping(plan.diagnostics):
        return (
            NextStep(
                command=f"agentctl {'plan' if kind != 'revision' else verb}{option}",
                why="once the errors are gone",
            ),
        )
    steps: list[NextStep] = []
    if plan.drift and verb == "apply":
        option = f"{option} --refresh"
    if any(c.disposition == "applied" for c in plan.changes):
        waits = any(not n.satisfied for n in plan.approvals_required)
        whole = "makes all of it" if plan.ok else "makes what is not held back"
        why = "makes what waits for nobody" if waits else whole
        steps.append(NextStep(command=f"agentctl {verb}{option}", why=why))
    steps += [
        _ask(need, option.removesuffix(" --refresh"))
        for need in plan.approvals_required
        if not need.satisfied
    ]
    return tuple(steps)


def _ask(need: ApprovalNeed, option: str) -> NextStep:
    if need.standing == "waiting" and need.request_id is not None:
        command = f"agentctl approve {argument(need.request_id, 'ID')}"
        return NextStep(command=command, why="a human looks at the facts and decides")
    again = "" if need.standing == "none" else " again"
    return NextStep(
        command=f"agentctl approvals request {argument(need.resource, 'RESOURCE')}{option}",
        why=f"asks a human{again}",
    )


def _settings_notes(change: SettingsChange) -> list[str]:
    before, after = change.before or {}, change.after or {}
    return [
        f"{safe(name)}: {_setting(before.get(name))} -> {_setting(after.get(name))}"
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]


def _setting(value: object) -> str:
    """Returns a setting in short; of a policy for external blobs what it allows."""
    if isinstance(value, Mapping):
        bases = value.get("bases")
        listed = bases if isinstance(bases, list | tuple) else ()
        places = [f"{b.get('uri')} ({b.get('scope')})" for b in listed if isinstance(b, Mapping)]
        return safe(", ".join(places) or "none")
    if isinstance(value, list | tuple):
        return safe(", ".join(str(item) for item in value) or "none")
    return "none" if value is None else safe(str(value))


def _scopes(applies_to: tuple[str, ...] | None) -> str:
    return "nothing" if applies_to is None else ", ".join(safe(scope) for scope in applies_to)


def gated(change: Change) -> str:
    """Returns the classes for which a change is gated, e.g. ``irreversible``."""
    return ", ".join(c for c in change.classes if c in GATED)
