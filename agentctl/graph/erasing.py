"""What was dropped is taken away for good: a hard drop. Source: control-plane 2 (`mode: hard`), 3.3; ADR 13.

Dropping is soft: a dropped property stays in its files, a dropped type in its dataset, and each
older commit can be gone back to. Here the rows in force are copied into files of their own where
anything else lies beside them, one commit `erase` names these, and then everything that only older
commits named is removed. The commit decides: before it nothing was lost, after it the removal is
only gone on with.
"""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from agentctl.graph.branching.branches import cut_from, heads, started_by
from agentctl.graph.branching.names import parse_commit_id
from agentctl.graph.branching.tags import tags
from agentctl.graph.collected import (
    Cleanup,
    newest_cleanup,
    numbers_of,
    ranges_of,
    write_cleanup,
)
from agentctl.graph.commit import Commit, TypeState, next_commit
from agentctl.graph.layout import MAIN, data_prefix
from agentctl.graph.log import check_epoch
from agentctl.graph.pinning import all_pins
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
        await _refuse_kept(roots, graph_id, head, below=head.n + 1)
        ir = await roots.ir(graph_id, head)

        def rewrite(tables: "Tables") -> Mapping[str, TypeState]:
            from agentctl.graph.writing import rewrite_types

            return rewrite_types(tables, head, ir, tag=tag_of(head.n + 1, stamp))

        types = await roots.on_tables(graph_id, head.incarnation, rewrite)
        commit = next_commit(head, "erase", stamp, types=types)
        done = await roots.log.append(graph_id, commit, head=head)
    await _remove(roots, graph_id, done, stamp)
    return done


async def _refuse_kept(roots: GraphRoots, graph_id: str, main: Commit, *, below: int) -> None:
    """Refuses to erase what an op, a branch or a tag keeps of the commits below that number.

    Raises:
        GraphError: `graph_pinned`.
    """
    kept = [p.op for p in await all_pins(roots, graph_id) if p.incarnation == main.incarnation]
    for name, head in (await heads(roots, graph_id, main)).items():
        start = cut_from(await started_by(roots, graph_id, head))
        if name != MAIN and (start is None or start[0] != MAIN or start[1] < below):
            kept.append(f"branch {name}")
    for tag in await tags(roots, graph_id):
        named = parse_commit_id(tag.commit)
        if named is None or named.branch != MAIN or named.n < below:
            kept.append(f"tag {tag.name}")
    if kept:
        raise pinned(graph_id, kept)


async def _let_go(roots: GraphRoots, graph_id: str, erased: Commit, stamp: Stamp) -> None:
    """Records that all commits before *erased* lose their data, those of deleted branches too.

    Who keeps one of them meanwhile sees it, or is seen afterwards.
    """
    live = await heads(roots, graph_id, erased)
    gone: dict[str, set[int]] = {MAIN: {*range(1, erased.n)}}
    for name in await roots.log.branches(graph_id):
        if name not in live:
            gone[name] = {*await roots.log.numbers(graph_id, name)}
    while True:
        last = await newest_cleanup(roots.store, graph_id)
        before = last.collected if last is not None else {}
        now = {b: gone.get(b, set()) | numbers_of(before.get(b, ())) for b in {*before, *gone}}
        record = Cleanup(
            n=(last.n if last is not None else 0) + 1,
            nonce=stamp.nonce,
            op=stamp.op,
            at=stamp.at,
            collected={b: ranges_of(now[b]) for b in sorted(now)},
        )
        if record.collected == before or await write_cleanup(roots.store, graph_id, record):
            return


async def _remove(roots: GraphRoots, graph_id: str, number: int, stamp: Stamp) -> None:
    """Removes what only commits before *number* named; what later ones name stays.

    Whoever took the graph's lease over meanwhile has fenced it, and this goes no further. A dataset
    goes only where an earlier commit named it: one that none names yet may be another writer's.
    """
    erased, head = await roots.log.at(graph_id, number), await roots.head(graph_id)
    check_epoch(graph_id, head, stamp.epoch)
    await _let_go(roots, graph_id, erased, stamp)
    await _refuse_kept(roots, graph_id, head, below=number)
    live = frozenset(await heads(roots, graph_id, head))
    later = [await roots.log.at(graph_id, n) for n in range(number, head.n + 1)]
    named = {t for c in later if c.incarnation == erased.incarnation for t in c.types}
    known = sorted(named)

    def forget(tables: "Tables") -> None:
        from agentctl.graph.care.datasets import forget

        for type_id in known:
            forget(tables, type_id, below=number, live=live)

    await roots.on_tables(graph_id, erased.incarnation, forget)
    folder = roots.folder(graph_id, erased.incarnation)
    prefix = data_prefix(graph_id, erased.incarnation) + "/"
    found = [n for n in await roots.store.folders(prefix) if n.endswith(_DATASET)]
    unnamed = {name.removesuffix(_DATASET) for name in found} - named
    for type_id in sorted(await _named_before(roots, graph_id, erased, unnamed)):
        await folder.remove_dataset(type_id, roots.before_write)


async def _named_before(
    roots: GraphRoots, graph_id: str, erased: Commit, asked: Collection[str]
) -> frozenset[str]:
    """Returns which of the types a commit of the incarnation before *erased* named."""
    named: frozenset[str] = frozenset()
    number = erased.n - 1
    while number > 0 and len(named) < len(asked):
        commit = await roots.log.at(graph_id, number)
        if commit.incarnation != erased.incarnation:
            break
        named |= commit.types.keys() & asked
        number -= 1
    return named
