"""The decision page as lines of text, 80 columns, facts first. Source: terminal 1.

Lines carry a style by name, never a colour: the terminal maps names to colours, plain output and
a monochrome terminal lose nothing.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from agentctl.domain.approval.facts import DecisionFacts
from agentctl.foreign import Foreign, show
from agentctl.instants import parse_instant

Style = Literal["header", "title", "fact", "risk", "rule", "foreign", "check", "keys"]
WIDTH = 79
INTENT_LINES_MAX = 4
INTENT_CHARACTERS_MAX = 400


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a page; `text` has been made safe to show."""

    text: str
    style: Style


def decision_page(facts: DecisionFacts) -> tuple[Line, ...]:
    """Returns the page, top to bottom, without the line of keys, which the face knows."""
    return (
        _header(facts),
        Line(text=_title(facts), style="title"),
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


def _sides(left: str, right: str) -> str:
    gap = WIDTH - len(left) - len(right)
    return f"{left}{' ' * gap}{right}" if gap >= 2 else f"{left[: WIDTH - len(right) - 2]}  {right}"


def _header(facts: DecisionFacts) -> Line:
    left = f" {safe(facts.cluster_name, 30)} · column {facts.trust_column}"
    if facts.standing == "waiting":
        place = f"{facts.waiting_index} of {facts.waiting_count} waiting"
    else:
        place = facts.standing
    return Line(text=_sides(left, f"{place}   {facts.now[11:16]} UTC "), style="header")


def _title(facts: DecisionFacts) -> str:
    statement = facts.request.statement
    kind, _, name = statement.resource.partition(".")
    left = f" {statement.operation.upper()} {kind.upper()} {safe(name, 40)}"
    return _sides(left, _undo(facts) + " ")


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
    if facts.request.statement.incarnation is not None:
        lines.append(_fact("loses", _loses(facts)))
        lines.append(_use(facts))
        lines.append(_way_back(facts))
    lines.append(_asks(facts))
    tried = "not tried in a sandbox"
    if not facts.source_in_folder:
        tried += " · asked from a draft, not in the folder"
    lines.append(_fact("tried", tried, risk=True))
    lines.append(
        _fact(
            "also",
            f"{_count(facts.other_reversible, 'reversible change')}, "
            f"{_count(facts.other_gated, 'other gate')}",
        )
    )
    return lines


def _fact(label: str, text: str, *, risk: bool = False) -> Line:
    mark = "!" if risk else " "
    return Line(text=f" {mark} {label:<8} {text}"[:WIDTH], style="risk" if risk else "fact")


def _loses(facts: DecisionFacts) -> str:
    nodes = sum(n for t, n in facts.rows_now.items() if t in facts.node_types)
    edges = sum(n for t, n in facts.rows_now.items() if t not in facts.node_types)
    incarnation = facts.request.statement.incarnation or ""
    return (
        f"{_count(nodes, 'node')} · {_count(edges, 'edge')} · {_size(facts.bytes_now)}"
        f" · incarnation {incarnation[:10]}…"
    )


def _use(facts: DecisionFacts) -> Line:
    written = "never written"
    age: timedelta | None = None
    if facts.last_write is not None:
        age = parse_instant(facts.now) - parse_instant(facts.last_write)
        written = f"last write {_age(age)} ago"
    broken = f"{_count(len(facts.queries), 'stored query', 'stored queries')} break"
    recent = age is not None and age < timedelta(days=1)
    return _fact("in use", f"{written} · {broken}", risk=recent or bool(facts.queries))


def _way_back(facts: DecisionFacts) -> Line:
    archive = "archive: none" if not facts.archives else f"archive: {len(facts.archives)}"
    if facts.restore_until is None:
        return _fact("way back", f"{archive} · nothing restores it", risk=True)
    until = f"restore until {_minute(facts.restore_until)}: agentctl graph restore"
    return _fact("way back", f"{archive} · {until}", risk=not facts.archives)


def _asks(facts: DecisionFacts) -> Line:
    request = facts.request
    who = f"{safe(request.requester, 24)} ({request.requester_kind})"
    if request.on_behalf_of is not None:
        who += f" for {safe(request.on_behalf_of, 20)}"
    verb = request.statement.operation
    before = facts.deletes_asked_before
    history = f"first {verb} it ever asked for" if before == 0 else f"asked for {before} before"
    return _fact("asks", f"{who} · {history}", risk=not facts.requester_enrolled)


def _words_of_the_asker(facts: DecisionFacts) -> list[Line]:
    head = f" ── {safe(facts.request.requester, 24)} says, unverified "
    lines = [Line(text=head + "─" * (WIDTH - len(head)), style="rule")]
    text = show(Foreign(facts.request.intent), limit=INTENT_CHARACTERS_MAX)
    width = WIDTH - 4
    chunks = [text[i : i + width] for i in range(0, max(len(text), 1), width)]
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


def _size(size_bytes: int) -> str:
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
