"""The DAG of ops as a graph description: Graphviz or Mermaid. Pure; words are quoted, never trusted."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from agentctl.domain.ops.record import Op
from agentctl.views.wording import safe

Form = Literal["dot", "mermaid"]


class _Edge(NamedTuple):
    child: str
    parent: str
    kind: str
    """Empty for the parent, else ``merges`` or ``undoes``."""


def ops_dag(ops: Sequence[Op], form: Form) -> str:
    """Returns the ops and their edges, from child to parent; edges to ops that are not listed end open."""
    names = {op.id: f"op{number}" for number, op in enumerate(ops)}
    edges = [edge for op in ops for edge in _edges(op)]
    for edge in edges:
        names.setdefault(edge.parent, f"op{len(names)}")
    lines = _dot(ops, names, edges) if form == "dot" else _mermaid(ops, names, edges)
    return "\n".join(lines) + "\n"


def _edges(op: Op) -> Iterator[_Edge]:
    lineage = op.lineage
    for parent, kind in (
        (lineage.parent_op, ""),
        (lineage.merged_op, "merges"),
        (lineage.rollback_of, "undoes"),
    ):
        if parent is not None:
            yield _Edge(op.id, parent, kind)


def _dot(ops: Iterable[Op], names: dict[str, str], edges: Iterable[_Edge]) -> Iterator[str]:
    yield "digraph ops {"
    yield "  rankdir=BT;"
    yield "  node [shape=box];"
    for op in ops:
        label = "\\n".join(part.replace("\\", "\\\\").replace('"', "'") for part in _label(op))
        yield f'  {names[op.id]} [label="{label}"];'
    for edge in edges:
        style = f' [style=dashed, label="{edge.kind}"]' if edge.kind else ""
        yield f"  {names[edge.child]} -> {names[edge.parent]}{style};"
    yield "}"


def _mermaid(ops: Iterable[Op], names: dict[str, str], edges: Iterable[_Edge]) -> Iterator[str]:
    yield "flowchart BT"
    for op in ops:
        yield f'  {names[op.id]}["{"<br>".join(map(_escaped, _label(op)))}"]'
    for edge in edges:
        arrow = f"-. {edge.kind} .->" if edge.kind else "-->"
        yield f"  {names[edge.child]} {arrow} {names[edge.parent]}"


def _label(op: Op) -> tuple[str, str]:
    return safe(op.id), f"{safe(op.action)}: {op.status}"


def _escaped(text: str) -> str:
    for mark, entity in (("&", "#amp;"), ('"', "#quot;"), ("<", "#lt;"), (">", "#gt;")):
        text = text.replace(mark, entity)
    return text
