"""What changes for whom, in lines that a person reads: a section of the plan, and `policy simulate`."""

from collections.abc import Iterable
from typing import Final

import msgspec

from agentctl.domain.policy.population import OTHER, STRANGERS
from agentctl.domain.policy.simulate import Impact, Shift
from agentctl.views.wording import safe

WHO_NAMED_MAX: Final = 6
EXCEPT_MAX: Final = 3
LINES_MAX: Final = 40
"""Of a section; `agentctl policy simulate --json` has all."""


class ImpactLine(msgspec.Struct, frozen=True, kw_only=True):
    """What some may do now, or may do no longer."""

    gained: bool
    who: str
    where: str
    actions: str

    @property
    def text(self) -> str:
        """The line without a mark of its own."""
        may = "may now" if self.gained else "may no longer"
        return f"{self.who} {may} {self.actions} on {self.where}"


def impact_lines(impact: Impact) -> tuple[ImpactLine, ...]:
    """Returns the gains, then the losses, those of the same people and place in one line."""
    everybody = frozenset(impact.everybody)
    return (
        *_lines(impact.gains, everybody, gained=True),
        *_lines(impact.losses, everybody, gained=False),
    )


def undecided_lines(impact: Impact) -> tuple[str, ...]:
    """Returns why some of it counts as widening though nobody is seen to gain."""
    return tuple(
        f"policy.{safe(name)}: not decided, so it counts as widening: {safe(why, 200)}"
        for name, why in impact.undecided.items()
    )


def impact_text(impact: Impact | None) -> list[str]:
    """Returns the section of a plan as text; nothing where no policy changes."""
    if impact is None:
        return []
    lines = impact_lines(impact)
    told = [f"  {'+' if line.gained else '-'} {line.text}" for line in lines[:LINES_MAX]]
    if len(lines) > LINES_MAX:
        told.append(f"  and {len(lines) - LINES_MAX:,} more: agentctl policy simulate --json")
    told += [f"  ? {line}" for line in undecided_lines(impact)]
    return [
        "What changes for whom",
        *(told or ["  nothing: everybody may do what they may now"]),
        "",
    ]


def _lines(shifts: Iterable[Shift], everybody: frozenset[str], *, gained: bool) -> list[ImpactLine]:
    found: dict[tuple[tuple[str, ...], str], list[str]] = {}
    for shift in _plain(tuple(shifts)):
        actions = found.setdefault((shift.who, _where(shift)), [])
        if shift.action not in actions:
            actions.append(shift.action)
    return [
        ImpactLine(
            gained=gained,
            who=_people(frozenset(who), everybody),
            where=where,
            actions=", ".join(sorted(actions)),
        )
        for (who, where), actions in found.items()
    ]


def _plain(shifts: tuple[Shift, ...]) -> list[Shift]:
    """Leaves out of a branch or a query what is so of its whole graph for the same people."""
    whole = {
        (s.action, s.resource, s.who) for s in shifts if s.branch is None and "@" not in s.resource
    }
    return [s for s in shifts if not any((s.action, at, s.who) in whole for at in _above(s))]


def _above(shift: Shift) -> tuple[str, ...]:
    kind, _, rest = shift.resource.partition(".")
    graph = f"graph.{rest.partition('@')[0].partition('.')[0]}"
    if kind == "query":
        others = f"{shift.resource.rpartition('.')[0]}.{OTHER}"
        return (graph, others) if others != shift.resource else (graph,)
    if kind == "graph" and (shift.branch is not None or "@" in shift.resource):
        return (graph,)
    return ()


def _where(shift: Shift) -> str:
    """Returns the place in words."""
    kind, _, rest = shift.resource.partition(".")
    if kind == "query":
        graph, _, name = rest.partition(".")
        if name == OTHER:
            return f"queries of {_graph(graph)}"
        return safe(shift.resource)
    if kind == "graph":
        graph, _, branch = rest.partition("@")
        branch = shift.branch or branch
        told = _graph(graph)
        if branch:
            return f"{told}, {'other branches' if branch == OTHER else 'branch ' + safe(branch)}"
        return told
    if shift.resource == "cluster":
        return "the cluster"
    kind, _, name = shift.resource.partition(":")
    return f"every {kind}" if name == OTHER else safe(shift.resource)


def _graph(graph: str) -> str:
    return "every other graph" if graph == OTHER else f"graph.{safe(graph)}"


def _people(who: frozenset[str], everybody: frozenset[str]) -> str:
    """Returns who it is; of nearly everybody, who is left out."""
    left = everybody - who
    if not left:
        return "everybody"
    if STRANGERS.keys() <= who | left and len(left) < len(who) and len(left) <= EXCEPT_MAX:
        return f"everybody but {_who(left)}"
    return _who(who)


def _who(ids: frozenset[str]) -> str:
    named = [safe(one, 60) for one in sorted(ids) if one not in STRANGERS]
    others = [words for one, words in STRANGERS.items() if one in ids]
    more = len(named) - WHO_NAMED_MAX
    listed = [*named[:WHO_NAMED_MAX], *([f"{more:,} more"] if more > 0 else []), *others]
    return listed[0] if len(listed) == 1 else f"{', '.join(listed[:-1])} and {listed[-1]}"
