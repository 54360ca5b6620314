r"""Draws a DAG as lanes beside lines of text, newest first, the way `git log --graph` does.

A lane is a line of descent: a node stands in the lane of the child that named it first. Where two
children share a parent their lanes meet (``|/``); where a node has a second parent a lane parts
(``|\``) or the edge crosses over to the lane that is there already. Ids of nodes only; what is
written beside them is the caller's.
"""

from collections.abc import Sequence
from typing import Final

OPEN: Final = "~"
"""Ends a lane whose next node is older than what was listed."""


class Lanes:
    """The lanes below the nodes that were drawn so far."""

    def __init__(self) -> None:
        self._lanes: list[str] = []
        """The ids that are expected next, from left to right."""
        self._own = 0

    def node(self, identifier: str) -> tuple[str, str]:
        """Returns the drawing before the first line of a node, and before each further one."""
        if identifier not in self._lanes:
            self._lanes.append(identifier)
        self._own = self._lanes.index(identifier)
        return self._bars(self._own), self._bars(None)

    def advance(self, parents: Sequence[str]) -> list[str]:
        """Puts the parents of the node just drawn in its place; returns the lines between."""
        lanes, own = self._lanes, self._own
        parent = parents[0] if parents else None
        lines = [self._to(other) for other in parents[1:] if other != parent]
        if parent is None:
            last = own == len(lanes) - 1
            closing = _closing(len(lanes), own)
            del lanes[own]
            lines.append(self.between() if last else closing)
        elif parent in lanes and lanes.index(parent) != own:
            left, right = sorted((lanes.index(parent), own))
            lines.append(_meeting(len(lanes), left, right))
            lanes[left] = parent
            del lanes[right]
        else:
            lanes[own] = parent
        return lines

    def between(self) -> str:
        """Returns the lanes alone, for a line that parts two nodes."""
        return " ".join("|" for _ in self._lanes)

    def end(self) -> str | None:
        """Returns what stands below the last node; None where every lane came to its root."""
        return " ".join(OPEN for _ in self._lanes) if self._lanes else None

    def _to(self, other: str) -> str:
        if other in self._lanes:
            return _crossing(len(self._lanes), self._own, self._lanes.index(other))
        line = _parting(len(self._lanes), self._own)
        self._lanes.insert(self._own + 1, other)
        return line

    def _bars(self, own: int | None) -> str:
        return " ".join("*" if i == own else "|" for i in range(len(self._lanes)))


def _drawn(width: int, marks: dict[int, str]) -> str:
    return "".join(marks.get(i, " ") for i in range(width)).rstrip()


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


def _crossing(count: int, lane: int, other: int) -> str:
    r"""``|\|``: an edge runs from *lane* to *other*, and every lane stays where it is."""
    left, right = sorted((lane, other))
    marks = {2 * i: "|" for i in range(count)}
    marks |= {2 * i + 1: "_" for i in range(left, right)}
    marks[2 * left + 1 if lane < other else 2 * right - 1] = "\\" if lane < other else "/"
    return _drawn(2 * count, marks)
