"""What depends on what: a part of the graph of resources, as a tree for people or as DOT.

Pure over addresses and edges; an edge goes from the resource that depends to the one it needs.
"""

from collections.abc import Iterable, Mapping

import msgspec

from agentctl.domain.config.model import Dependency
from agentctl.views.wording import paragraph, safe

_BRANCH, _LAST, _PIPE, _BLANK = "├─ ", "└─ ", "│  ", "   "


class DependencyGraph(msgspec.Struct, frozen=True, kw_only=True):
    """Resources and the edges among them."""

    addresses: tuple[str, ...]
    """Sorted."""
    edges: tuple[Dependency, ...]
    """Sorted; both ends are among the addresses."""
    root: str | None = None
    """The address that was asked about; None for everything."""
    reverse: bool = False
    """Whether the edges lead to what depends on the root."""


def part_of(
    addresses: Iterable[str], edges: Iterable[Dependency], root: str, *, reverse: bool
) -> DependencyGraph:
    """Returns *root*, everything that it needs (or, in *reverse*, that needs it), and their edges."""
    every = tuple(edges)
    onward = _neighbours(every, reverse=reverse)
    reached = {root}
    waiting = [root]
    while waiting:
        for address in onward.get(waiting.pop(), ()):
            if address not in reached:
                reached.add(address)
                waiting.append(address)
    return DependencyGraph(
        addresses=tuple(sorted(reached & {*addresses, root})),
        edges=tuple(sorted(e for e in every if e.source in reached and e.target in reached)),
        root=root,
        reverse=reverse,
    )


def deps_text(graph: DependencyGraph) -> str:
    """Returns the graph as trees: under each resource what it needs, or, in reverse, who needs it.

    What was shown above is named again without its own branches, and marked.
    """
    onward = _neighbours(graph.edges, reverse=graph.reverse)
    reached = {address for targets in onward.values() for address in targets}
    roots = (
        [graph.root] if graph.root is not None else [a for a in graph.addresses if a not in reached]
    )
    seen: set[str] = set()
    lines: list[str] = []
    for root in roots:
        _tree(root, onward, seen, lines)
    return paragraph(lines) if lines else "Nothing is declared.\n"


def deps_dot(graph: DependencyGraph, *, name: str | None = None) -> str:
    """Returns the graph in the DOT language, as Graphviz reads it; equal graphs give equal text."""
    lines = [f"digraph {_quoted(name or 'cluster')} {{", "  rankdir=LR;", "  node [shape=box];"]
    lines += [f"  {_quoted(address)};" for address in graph.addresses]
    lines += [f"  {_quoted(e.source)} -> {_quoted(e.target)};" for e in graph.edges]
    return "\n".join([*lines, "}"]) + "\n"


def _neighbours(edges: Iterable[Dependency], *, reverse: bool) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for edge in edges:
        start, end = (edge.target, edge.source) if reverse else (edge.source, edge.target)
        found.setdefault(start, []).append(end)
    return {start: tuple(sorted(ends)) for start, ends in found.items()}


def _tree(
    root: str, onward: Mapping[str, tuple[str, ...]], seen: set[str], lines: list[str]
) -> None:
    """Adds the tree under *root*, depth first, without recursion: a chain may be long."""
    waiting = [(root, "", "")]
    while waiting:
        address, head, indent = waiting.pop()
        inner = onward.get(address, ())
        again = address in seen and bool(inner)
        lines.append(f"{head}{safe(address)}{' (above)' if again else ''}")
        if again:
            continue
        seen.add(address)
        for position in range(len(inner) - 1, -1, -1):
            last = position == len(inner) - 1
            waiting.append(
                (
                    inner[position],
                    indent + (_LAST if last else _BRANCH),
                    indent + (_BLANK if last else _PIPE),
                )
            )


def _quoted(text: str) -> str:
    """Returns a quoted DOT id; only the quotation mark and the backslash need an escape."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{safe(escaped, len(escaped) + 16)}"'
