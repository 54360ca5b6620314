"""Ops as a log, with lanes where they are asked for, and one op in full.

Newest first. Foreign words stand on lines of their own, except in the short form, where they are
cut to one line at its end.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from agentctl.domain.ops.lineage import parents
from agentctl.domain.ops.record import Op
from agentctl.foreign import Foreign, show
from agentctl.views.ops_lanes import OPEN as OPEN  # noqa: PLC0414  # part of what a reader of the log sees
from agentctl.views.ops_lanes import Lanes
from agentctl.views.wording import counted, paragraph, safe

INTENT_CELLS_MAX: Final = 400
ONELINE_CELLS_MAX: Final = 80
TARGETS_SHOWN: Final = 5
_NOTHING: Final[Mapping[str, str]] = {}
_NO_SEQS: Final[Mapping[str, int]] = {}


def ops_log(
    ops: Sequence[Op],
    *,
    seqs: Mapping[str, int] = _NO_SEQS,
    undone: Mapping[str, str] = _NOTHING,
    drawn: bool = True,
    oneline: bool = False,
) -> str:
    """Returns the log of *ops*, which are given newest first.

    Args:
        ops: newest first.
        seqs: the ledger object that each op wrote, by op.
        undone: the op that undid each, by op.
        drawn: whether lanes are drawn.
        oneline: whether each op is one line.
    """
    if not ops:
        return "No ops yet.\n"
    lanes, lines = Lanes(), list[str]()
    for number, op in enumerate(ops):
        entry = _line(op, seqs, undone) if oneline else _entry(op, seqs, undone)
        between = lanes.advance(parents(ops[number - 1])) if drawn and number else []
        if number and not oneline and not between:
            between = [lanes.between()] if drawn else [""]
        lines += between
        if drawn:
            first, beside = lanes.node(op.id)
            entry = [f"{beside if i else first} {line}" for i, line in enumerate(entry)]
        lines += entry
    if drawn:
        below = lanes.advance(parents(ops[-1]))
        open_end = lanes.end()
        lines += below or ([lanes.between()] if not oneline and open_end is not None else [])
        lines += [f"{open_end}  older"] if open_end is not None else []
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
    named = (("commit", op.config_commit), ("jj change", op.jj_change), ("radicle", op.radicle_rid))
    facts += [(name, value) for name, value in named if value is not None]
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


def _entry(op: Op, seqs: Mapping[str, int], undone: Mapping[str, str]) -> list[str]:
    return [
        f"{safe(op.id)}  {op.status}{_remarks(op, seqs, undone)}",
        f"{safe(op.action)} on {_about(op)}, {safe(op.started_at, 30)}",
        safe(_who(op)),
        *_words(op.intent),
    ]


def _line(op: Op, seqs: Mapping[str, int], undone: Mapping[str, str]) -> list[str]:
    words = show(Foreign(op.intent), limit=ONELINE_CELLS_MAX)
    about = f"{safe(op.action)}, {safe(op.actor.identity, 40)}: {words}"
    return [f"{safe(op.id)}  {op.status}{_remarks(op, seqs, undone)}  {about}"]


def _remarks(op: Op, seqs: Mapping[str, int], undone: Mapping[str, str]) -> str:
    told = f"  object {seqs[op.id]}" if op.id in seqs else ""
    if op.lineage.rollback_of is not None:
        told += f"  undoes {safe(op.lineage.rollback_of)}"
    if op.id in undone:
        told += f"  undone by {safe(undone[op.id])}"
    return told


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
