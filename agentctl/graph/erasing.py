"""What was dropped is taken away for good: a hard drop. Source: control-plane 2 (`mode: hard`), 3.3; ADR 13.

Dropping is soft: a dropped property stays in its files, a dropped type in its dataset, and each
older commit can be gone back to. Here the rows in force are copied into files of their own where
anything else lies beside them, one commit `erase` names these, and then everything that only older
commits named is removed. The commit decides: before it nothing was lost, after it the removal is
only gone on with.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from agentctl.graph.commit import TypeState, next_commit
from agentctl.graph.layout import data_prefix
from agentctl.graph.pinning import pins
from agentctl.graph.port import Stamp
from agentctl.graph.refusals import pinned
from agentctl.graph.roots import GraphRoots, tag_of

if TYPE_CHECKING:
    from agentctl.graph.tables import Tables

_DATASET = ".lance"


async def erase(roots: GraphRoots, graph_id: str, *, observed: int, stamp: Stamp) -> int:
    """Takes away for good what the newest commit does not name; returns the commit's number."""
    head = await roots.head(graph_id)
    done = await roots.done_lately(head, graph_id, stamp)
    if done is None:
        head, done = await roots.begin(graph_id, observed, stamp)
    if done is None:
        kept = [p.op for p in await pins(roots, graph_id) if p.incarnation == head.incarnation]
        if kept:
            raise pinned(graph_id, kept)
        ir = await roots.ir(graph_id, head)

        def rewrite(tables: "Tables") -> Mapping[str, TypeState]:
            from agentctl.graph.writing import rewrite_types

            return rewrite_types(tables, head, ir, tag=tag_of(head.n + 1, stamp))

        types = await roots.on_tables(graph_id, head.incarnation, rewrite)
        commit = next_commit(head, "erase", stamp, types=types)
        done = await roots.log.append(graph_id, commit, head=head)
    await _remove(roots, graph_id, done)
    return done


async def _remove(roots: GraphRoots, graph_id: str, number: int) -> None:
    """Removes what only commits before *number* named; what later ones name stays."""
    erased, head = await roots.log.at(graph_id, number), await roots.head(graph_id)
    later = [await roots.log.at(graph_id, n) for n in range(number, head.n + 1)]
    named = {t for c in later if c.incarnation == erased.incarnation for t in c.types}
    known = sorted(named)

    def forget(tables: "Tables") -> None:
        for type_id in known:
            tables.forget(type_id, below=number)

    await roots.on_tables(graph_id, erased.incarnation, forget)
    folder = roots.folder(graph_id, erased.incarnation)
    prefix = data_prefix(graph_id, erased.incarnation) + "/"
    for name in await roots.store.folders(prefix):
        type_id = name.removesuffix(_DATASET)
        if name.endswith(_DATASET) and type_id not in named:
            await folder.remove_dataset(type_id, roots.before_write)
