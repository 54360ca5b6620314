"""The decision page as lines of text, 80 columns, facts first. Source: terminal 1.

Lines carry a style by name, never a colour: the terminal maps names to colours, plain output and
a monochrome terminal lose nothing.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

from agentctl.domain.approval.facts import DecisionFacts, TrialTold
from agentctl.domain.plan.merges import sandbox_of
from agentctl.domain.plan.trials import Trial
from agentctl.foreign import Foreign, cells, show
from agentctl.instants import parse_instant
from agentctl.views.migration_text import step_text
from agentctl.views.plan_parts import change_notes

Style = Literal["header", "title", "fact", "risk", "rule", "foreign", "check", "keys"]
WIDTH = 79
INTENT_LINES_MAX = 4
INTENT_CHARACTERS_MAX = 400
NAME_CELLS_MAX = 130
"""Of a resource's name, which a person must be able to read whole to type it."""
_REASON_CELLS_MAX = 200
_ENDED: Final = {"done": "applied", "not_done": "failed", "unknown": "nobody knows how it ended"}
_UNTRIED: Final[Mapping[TrialTold, str]] = {
    "history": "not tried in a sandbox",
    "request": "not tried in a sandbox",
    "nowhere": "nobody knows here whether it was tried in a sandbox",
}
_TOLD: Final[Mapping[TrialTold, str]] = {
    "history": "says the history, unsigned",
    "request": "so it was said when asked, unsigned",
    "nowhere": "",
}
INDENT = 12
"""Where facts stand behind their labels."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a page; `text` has been made safe to show."""

    text: str
    style: Style


def decision_page(facts: DecisionFacts) -> tuple[Line, ...]:
    """Returns the page, top to bottom, without the line of keys, which the face knows."""
    return (
        _header(facts),
        *_title(facts),
        *_facts(facts),
        *_words_of_the_asker(facts),
        *_proof(facts),
    )


def page_text(lines: Iterable[Line]) -> str:
    """Returns the page for a stream without styles."""
    return "\n".join(line.text for line in lines) + "\n"


def safe(text: str, limit: int = 60) -> str:
    """Returns foreign text as one line that is safe to show."""
    return show(Foreign(text), limit=limit)


def place_line(cluster_name: str, trust_column: str, right: str = "") -> Line:
    """Returns the header of every screen: which cluster, and the column of the trust table."""
    left = f" {safe(cluster_name, 30)} · column {trust_column}"
    return Line(text=_sides(left, right), style="header")


def _sides(left: str, right: str) -> str:
    gap = WIDTH - cells(left) - cells(right)
    return f"{left}{' ' * max(gap, 2)}{right}"


def _wrapped(text: str, width: int) -> list[str]:
    """Returns *text*, made safe before, in lines of at most *width* cells; words stay whole."""
    lines = [""]
    for word in text.split(" "):
        rest = word
        while rest:
            gap = " " if lines[-1] else ""
            if cells(lines[-1] + gap + rest) <= width:
                lines[-1] += gap + rest
                break
            if lines[-1]:
                lines.append("")
                continue
            fitting = _fitting(rest, width)
            lines[-1], rest = rest[:fitting], rest[fitting:]
            lines.append("")
    return lines if lines[-1] or len(lines) == 1 else lines[:-1]


def _fitting(text: str, width: int) -> int:
    """Returns how many code points of *text*, at least one, fit into *width* cells."""
    count = 1
    while count < len(text) and cells(text[: count + 1]) <= width:
        count += 1
    return count


def _header(facts: DecisionFacts) -> Line:
    if facts.standing == "waiting":
        place = f"{facts.waiting_index} of {facts.waiting_count} waiting"
    else:
        place = facts.standing
    right = f"{place}   {facts.now[11:16]} UTC "
    return place_line(facts.cluster_name, facts.trust_column, right)


def _title(facts: DecisionFacts) -> list[Line]:
    statement = facts.request.statement
    kind, _, name = statement.resource.partition(".")
    left = f" {statement.operation.upper()} {kind.upper()} {safe(name, NAME_CELLS_MAX)}"
    right = _undo(facts) + " "
    if cells(left) + cells(right) + 2 <= WIDTH:
        return [Line(text=_sides(left, right), style="title")]
    lines = [f" {line}" for line in _wrapped(left.strip(), WIDTH - 1)]
    return [Line(text=line, style="title") for line in (*lines, _sides("", right))]


def _undo(facts: DecisionFacts) -> str:
    if "irreversible" in facts.request.statement.classes:
        if facts.restore_until is None:
            return "cannot be undone"
        return f"cannot be undone after {_day(facts.restore_until)}"
    if "authority" in facts.request.statement.classes:
        return "changes who may do what"
    return "narrows what is accepted"


def _facts(facts: DecisionFacts) -> list[Line]:
    lines: list[Line] = []
    statement = facts.request.statement
    lossy = "irreversible" in statement.classes
    if not lossy or statement.incarnation is None:
        lines += _effect(facts)
    if statement.incarnation is not None:
        lines += _fact("loses" if lossy else "holds", _rows(facts))
        lines += _use(facts)
        lines += _way_back(facts) if lossy else []
    elif facts.queries:
        lines += _fact("in use", _broken(facts), risk=True)
    lines += _asks(facts)
    lines += _rules(facts)
    lines += _tried(facts)
    also = (
        f"{_count(facts.other_reversible, 'reversible change')}, "
        f"{_count(facts.other_gated, 'other gate')}"
    )
    return lines + _fact("also", also)


def _tried(facts: DecisionFacts) -> list[Line]:
    """Returns whether it was tried in a sandbox, how that ended, and who says so: no signature does."""
    sandbox = sandbox_of(facts.request.statement.resource)
    if sandbox is not None:
        return _fact("tried", f"the rows are those of sandbox {safe(sandbox, 30)}")
    trial = facts.tried
    told = [_trial(facts, trial)] if trial is not None else [_UNTRIED[facts.tried_told]]
    is_good = trial is not None and trial.ending == "done" and trial.same_before
    if trial is not None and not trial.same_before:
        told.append(f"the {_kind(facts)} was another then")
    if trial is not None or facts.tried_told == "request":
        told.append(_TOLD[facts.tried_told])
    if not facts.source_in_folder:
        told.append("asked from a draft, not in the folder")
    risk = not (is_good and facts.tried_told == "history" and facts.source_in_folder)
    return _fact("tried", " · ".join(told), risk=risk)


def _trial(facts: DecisionFacts, trial: Trial) -> str:
    by = "" if trial.by == facts.request.requester else f" by {safe(trial.by, 24)}"
    why = f": {safe(trial.code, 40)}" if trial.code is not None else ""
    ended = f"{_ENDED[trial.ending]}{why}"
    return f"tried in sandbox {safe(trial.name, 30)}{by}, {_minute(trial.at)}: {ended}"


def _kind(facts: DecisionFacts) -> str:
    kind = facts.request.statement.resource.partition(".")[0]
    return kind.replace("_", " ")


def _fact(label: str, text: str, *, risk: bool = False) -> list[Line]:
    """Returns one fact; what does not fit on its line goes on below, nothing is cropped."""
    first, *more = _wrapped(text, WIDTH - INDENT)
    style: Style = "risk" if risk else "fact"
    head = Line(text=f" {'!' if risk else ' '} {label:<8} {first}", style=style)
    return [head, *(Line(text=" " * INDENT + line, style=style) for line in more)]


def _effect(facts: DecisionFacts) -> list[Line]:
    """Returns why it is gated and what it changes; of a migration each step that permits less."""
    if facts.change is None:
        return []
    lines = _fact("changes", safe(facts.why or "", _REASON_CELLS_MAX))
    migration = facts.change.migration
    if migration is None:
        told = change_notes(facts.change)
    else:
        less = [step for step in migration.steps if step.get("class") != "reversible"]
        more = len(migration.steps) - len(less)
        told = tuple(step_text(step) for step in less)
        told += (f"and {_count(more, 'reversible step')}",) if more else ()
    for note in told:
        lines += _fact("", note)
    return lines


def _rows(facts: DecisionFacts) -> str:
    if facts.rows_now and not facts.node_types:
        return _rows_as_signed(facts)
    nodes = sum(n for t, n in facts.rows_now.items() if t in facts.node_types)
    edges = sum(n for t, n in facts.rows_now.items() if t not in facts.node_types)
    incarnation = facts.request.statement.incarnation or ""
    return (
        f"{_count(nodes, 'node')} · {_count(edges, 'edge')} · {size_text(facts.bytes_now)}"
        f" · incarnation {incarnation[:10]}…"
    )


def _rows_as_signed(facts: DecisionFacts) -> str:
    """Returns the rows by type, where nobody knows for sure which types are nodes."""
    by_type = ", ".join(f"{safe(name, 40)} {n:,}" for name, n in sorted(facts.rows_now.items()))
    incarnation = facts.request.statement.incarnation or ""
    return f"{by_type} · {size_text(facts.bytes_now)} · incarnation {incarnation[:10]}…"


def _use(facts: DecisionFacts) -> list[Line]:
    written = "never written"
    age: timedelta | None = None
    if facts.last_write is not None:
        age = parse_instant(facts.now) - parse_instant(facts.last_write)
        written = f"last write {_age(age)} ago"
    recent = age is not None and age < timedelta(days=1)
    return _fact("in use", f"{written} · {_broken(facts)}", risk=recent or bool(facts.queries))


def _broken(facts: DecisionFacts) -> str:
    lost = facts.request.statement.operation == "delete"
    one, more, none = ("breaks", "break", "breaks") if lost else ("reads it", "read it", "reads it")
    if not facts.queries:
        return f"no stored query {none}"
    if len(facts.queries) == 1:
        return f"1 stored query {one}: {safe(facts.queries[0])}"
    return f"{_count(len(facts.queries), 'stored query', 'stored queries')} {more}"


def _way_back(facts: DecisionFacts) -> list[Line]:
    archive = "archive: none" if not facts.archives else f"archive: {len(facts.archives)}"
    if facts.restore_until is None:
        return _fact("way back", f"{archive} · nothing restores it", risk=True)
    until = f"restore until {_minute(facts.restore_until)}: agentctl graph restore"
    return _fact("way back", f"{archive} · {until}", risk=not facts.archives)


def _asks(facts: DecisionFacts) -> list[Line]:
    request = facts.request
    who = f"{safe(request.requester, 24)} ({request.requester_kind})"
    if request.on_behalf_of is not None:
        who += f" for {safe(request.on_behalf_of, 20)}"
    verb = request.statement.operation
    before = facts.deletes_asked_before
    if before is not None:
        who += " · " + (
            f"first {verb} it ever asked for" if before == 0 else f"asked for {before} before"
        )
    return _fact("asks", who, risk=not facts.requester_enrolled)


def _rules(facts: DecisionFacts) -> list[Line]:
    """Returns what the applied approval rules ask, where any is about it, and who approved so far."""
    asked = facts.asked
    if not asked.rules:
        return []
    parts = [_count(asked.count, "person", "people")]
    parts += [f"each of {' or '.join(safe(n, 20) for n in names)}" for names in asked.roles]
    parts += ["not who asked"] if asked.separate else []
    parts += [f"key at least {asked.assurance}"] if asked.assurance != "file" else []
    parts.append(f"by {', '.join(safe(rule, 40) for rule in asked.rules)}")
    lines = _fact("needs", " · ".join(parts), risk=asked.unmet is not None)
    if facts.approvers:
        lines += _fact("", f"approved by {', '.join(safe(who, 24) for who in facts.approvers)}")
    if facts.unfit is not None:
        lines += _fact("", safe(facts.unfit, _REASON_CELLS_MAX), risk=True)
    return lines


def _words_of_the_asker(facts: DecisionFacts) -> list[Line]:
    head = f" ── {safe(facts.request.requester, 24)} says, unverified "
    lines = [Line(text=head + "─" * (WIDTH - cells(head)), style="rule")]
    text = show(Foreign(facts.request.intent), limit=INTENT_CHARACTERS_MAX)
    chunks = _wrapped(text, WIDTH - 4)
    shown = chunks[:INTENT_LINES_MAX]
    lines += [Line(text=f" │ {chunk}", style="foreign") for chunk in shown]
    if len(chunks) > INTENT_LINES_MAX:
        lines.append(Line(text=f" │ … {len(chunks) - INTENT_LINES_MAX} more lines", style="rule"))
    lines.append(Line(text=" " + "─" * (WIDTH - 1), style="rule"))
    return lines


def _proof(facts: DecisionFacts) -> list[Line]:
    checks = " · ".join(f"{c.what} {'ok' if c.ok else 'DIFFERS'}" for c in facts.checks)
    needs = facts.request.needs.count
    lines = [
        Line(
            text=f" checked on this machine: {checks} · {facts.approvals_so_far} of {needs}",
            style="check" if all(c.ok for c in facts.checks) else "risk",
        )
    ]
    lines += [
        Line(text=f" ! {c.what}: {safe(c.why or '', 60)}", style="risk")
        for c in facts.checks
        if not c.ok
    ]
    lines += [Line(text=f" ! stale: {safe(why, 66)}", style="risk") for why in facts.standing_why]
    left = parse_instant(facts.request.expires_at) - parse_instant(facts.now)
    life = f"expires in {_age(left)}" if left > timedelta(0) else "expired"
    lines.append(
        Line(text=_sides(f" compare: {' '.join(facts.compare)}", f"{life} "), style="check")
    )
    return lines


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def size_text(size_bytes: int) -> str:
    """Returns a size in the unit that tells most."""
    size = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def _age(age: timedelta) -> str:
    minutes = int(age.total_seconds() // 60)
    if minutes < 1:
        return "under 1 min"
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} days"


def _when(text: str) -> datetime:
    return parse_instant(text)


def _day(text: str) -> str:
    when = _when(text)
    return f"{when.day} {when:%b}"


def _minute(text: str) -> str:
    when = _when(text)
    return f"{when.day} {when:%b %H:%M}"
