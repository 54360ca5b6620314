"""The DAG of ops as a log with lanes, newest first, and one op in full.

A lane is a line of descent: an op stands in the lane of the child that named it as parent. Where
two children share a parent, their lanes meet. Foreign words stand on lines of their own.
"""

from collections.abc import Sequence
from typing import Final

from agentctl.domain.ops.record import Op
from agentctl.foreign import Foreign, show
from agentctl.views.wording import counted, paragraph, safe

OPEN: Final = "~"
"""Ends a lane whose next op is older than what was listed."""
INTENT_CELLS_MAX: Final = 400
TARGETS_SHOWN: Final = 5


def ops_log(ops: Sequence[Op]) -> str:
    """Returns the log of *ops*, which are given newest first."""
    if not ops:
        return "No ops yet.\n"
    lanes: list[str] = []
    lines: list[str] = []
    for op in ops:
        lines += _entry(op, lanes)
    if lanes:
        lines.append(" ".join(OPEN for _ in lanes) + "  older")
    return paragraph(lines)


def op_text(op: Op, lineage: Sequence[Op] = ()) -> str:
    """Returns one op in full; *lineage* are its ancestors, nearest first."""
    facts = [
        ("op", op.id),
        ("status", op.status if op.reason is None else f"{op.status}: {op.reason}"),
        ("action", f"{op.action} ({op.operation})"),
        ("component", op.component),
        ("by", _who(op)),
        ("started", op.started_at),
        ("ended", op.ended_at or "not yet"),
        ("parent", op.lineage.parent_op or "none"),
    ]
    if op.lineage.rollback_of is not None:
        facts.append(("undoes", op.lineage.rollback_of))
    if op.lineage.merged_op is not None:
        facts.append(("merges", op.lineage.merged_op))
    lines = [f"{name:<10} {safe(value)}" for name, value in facts]
    lines.append(f"{'targets':<10} {counted(len(op.targets), 'resource')}")
    lines += [f"{'':<10} {safe(target)}" for target in op.targets]
    lines += ["", f"{safe(op.actor.identity, 40)} says:", *_words(op.intent)]
    if lineage:
        lines += ["", "comes from:", "", ops_log(lineage).rstrip("\n")]
    return paragraph(lines)


def _entry(op: Op, lanes: list[str]) -> list[str]:
    """Returns the lines of one op and moves *lanes*, the ids that are expected next, past it."""
    if op.id not in lanes:
        lanes.append(op.id)
    lane = lanes.index(op.id)
    lines = [f"{_bars(lanes, lane)} {safe(op.id)}  {op.status}"]
    beside = _bars(lanes, None)
    lines.append(f"{beside} {safe(op.action)} on {_about(op)}, {safe(op.started_at, 30)}")
    lines.append(f"{beside} {safe(_who(op))}")
    lines += [f"{beside} {line}" for line in _words(op.intent)]
    return lines + _advance(op, lanes, lane)


def _advance(op: Op, lanes: list[str], lane: int) -> list[str]:
    """Puts the parents of *op* in its place; returns the lines that show lanes part or meet."""
    lines: list[str] = []
    parent, merged = op.lineage.parent_op, op.lineage.merged_op
    if merged is not None and merged not in lanes:
        lines.append(_parting(len(lanes), lane))
        lanes.insert(lane + 1, merged)
    if parent is None:
        if lane < len(lanes) - 1:
            lines.append(_closing(len(lanes), lane))
        del lanes[lane]
    elif parent in lanes:
        left, right = sorted((lanes.index(parent), lane))
        lines.append(_meeting(len(lanes), left, right))
        lanes[left] = parent
        del lanes[right]
    else:
        lanes[lane] = parent
    if not lines:
        lines.append(" ".join("|" for _ in lanes))
    return lines


def _bars(lanes: Sequence[str], own: int | None) -> str:
    return " ".join("*" if i == own else "|" for i in range(len(lanes)))


def _drawn(width: int, marks: dict[int, str]) -> str:
    return "".join(marks.get(i, " ") for i in range(width))


def _parting(count: int, lane: int) -> str:
    r"""``|\``: a new lane begins at the right of *lane*, and those beyond it move over."""
    marks = {2 * i: "|" for i in range(lane + 1)}
    marks |= {2 * i + 1: "\\" for i in range(lane, count)}
    return _drawn(2 * count, marks)


def _closing(count: int, lane: int) -> str:
    """The lane ends, and those at its right move in."""
    marks = {2 * i: "|" for i in range(lane)}
    marks |= {2 * i - 1: "/" for i in range(lane + 1, count)}
    return _drawn(2 * count, marks)


def _meeting(count: int, left: int, right: int) -> str:
    """``|/``: lane *right* runs into lane *left*, and those beyond it move in."""
    marks = {2 * i: "|" for i in range(right)}
    marks |= {2 * i + 1: "_" for i in range(left, right - 1)}
    marks |= {2 * i - 1: "/" for i in range(right, count)}
    return _drawn(2 * count, marks)


def _who(op: Op) -> str:
    who = f"{op.actor.identity} ({op.actor.source})"
    return who if op.on_behalf_of is None else f"{who} for {op.on_behalf_of}"


def _about(op: Op) -> str:
    beyond = len(op.targets) - TARGETS_SHOWN
    listed = ", ".join(safe(target) for target in op.targets[:TARGETS_SHOWN])
    more = f" and {beyond} more" if beyond > 0 else ""
    return f"{listed}{more}" if listed else safe(op.component)


def _words(text: str) -> list[str]:
    shown = show(Foreign(text), limit=INTENT_CELLS_MAX, multiline=True)
    return [f"  \N{BOX DRAWINGS LIGHT VERTICAL} {line}" for line in shown.split("\n")]
