"""The change feed: what commits did to the rows of a branch, in order, to whoever asks from where.

A cursor is durable: the id of a commit, everything up to which was seen, or that with the type and
id of the last entity seen of the commit after it. Whoever stores it with what they made of the
changes sees each of them at least once, and once where both are stored together. A merge is one
commit of the branch like any other: it tells what it changed there. Source: graph-engine 4.
"""

from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from agentctl.diagnostics.diagnostic import error
from agentctl.graph.branching.branches import started_by
from agentctl.graph.branching.names import parse_commit_id
from agentctl.graph.branching.told import DiffReport, EntityChange, FeedPage
from agentctl.graph.collected import has_let_go, newest_cleanup
from agentctl.graph.commit import Commit
from agentctl.graph.layout import MAIN, commit_id
from agentctl.graph.log import require_live
from agentctl.graph.port import GraphError
from agentctl.graph.roots import GraphRoots
from agentctl.graph.threads import in_thread
from agentctl.graph.values import shown
from agentctl.ids import graph_address
from agentctl.languages.schema.ir import SchemaIr

if TYPE_CHECKING:
    from agentctl.graph.branching.differences import TypeDiff
    from agentctl.graph.tables import Tables

NOW: Final = "now"
BEGINNING: Final = "beginning"
PAGE_COUNT: Final = 1_000
"""Changes of one page, where nothing else is said."""


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """How far a branch's changes were seen."""

    n: int
    """Commit of the branch up to which everything was seen; 0 for none."""
    type_id: str = ""
    """Of the commit after it: the type of the last entity seen; empty for none."""
    row_id: str = ""


async def compare(
    roots: GraphRoots, graph_id: str, before: Commit, after: Commit, *, sample: int
) -> DiffReport:
    """Returns what differs between any two commits of a graph: counts, and *sample* changes a type."""
    irs = [await _readable(roots, graph_id, commit) for commit in (before, after)]

    def look(tables: "Tables") -> DiffReport:
        from agentctl.graph.branching.diff import compared
        from agentctl.graph.snapshot import Snapshot

        return compared(
            Snapshot(before, irs[0], tables), Snapshot(after, irs[1], tables), sample=sample
        )

    return await roots.on_tables(graph_id, after.incarnation, look)


async def cursor_at(roots: GraphRoots, graph_id: str, since: str, *, branch: str = MAIN) -> Cursor:
    """Returns where a feed begins: *since* is ``now``, ``beginning``, a commit's id or a cursor.

    Raises:
        GraphError: `feed_cursor_invalid`, and as `GraphRoots.head`.
    """
    head = require_live(graph_id, await roots.head(graph_id, branch))
    if since == NOW:
        return Cursor(n=head.n)
    if since == BEGINNING:
        return Cursor(n=(await started_by(roots, graph_id, head)).n - 1)
    named, _, rest = since.partition("~")
    found = parse_commit_id(named)
    type_id, _, row_id = rest.partition("~")
    if found is None or found.branch != branch or found.n > head.n:
        raise _no_cursor(graph_id, since, branch)
    return Cursor(n=found.n, type_id=type_id, row_id=row_id)


async def feed(
    roots: GraphRoots,
    graph_id: str,
    since: Cursor,
    *,
    branch: str = MAIN,
    page: int = PAGE_COUNT,
) -> AsyncIterator[FeedPage]:
    """Gives the changes after *since*, commit by commit, up to the head as it is now.

    Each page has at most *page* changes, all of one commit. A commit that changed no row has no
    page; where the last ones did not, an empty page says how far the feed has come.
    Memory: what one commit changed.

    Raises:
        GraphError: `feed_gap` where a cleanup let go of a commit that is needed, or where the
            branch ended and another one of its name began.
    """
    head = require_live(graph_id, await roots.head(graph_id, branch))
    before: Commit | None = None
    told = since.n
    for number in range(since.n + 1, head.n + 1):
        after = await roots.log.at(graph_id, number, branch)
        if before is None and number > 1:
            before = await roots.log.at(graph_id, number - 1, branch)
        if _begins(before, after):
            if number > since.n + 1:
                raise _gap(graph_id, after, "the branch began anew with it")
        elif before is not None and before.types != after.types:
            seen = since if number == since.n + 1 else Cursor(n=number - 1)
            diffs = await _diffs(roots, graph_id, before, after)
            while found := await in_thread(partial(_page, diffs, after, seen, page)):
                told = number
                seen = found.next
                yield found.page
        before = after
    if before is not None and told != head.n:
        yield FeedPage(
            commit=commit_id(head.n, branch), changes=(), cursor=commit_id(head.n, branch)
        )


def cursor_text(cursor: Cursor, branch: str) -> str:
    """Returns how a cursor is written down."""
    named = commit_id(cursor.n, branch)
    return f"{named}~{cursor.type_id}~{cursor.row_id}" if cursor.type_id else named


class _Paged(msgspec.Struct, frozen=True, kw_only=True):
    page: FeedPage
    next: Cursor


def _begins(before: Commit | None, after: Commit) -> bool:
    """Returns whether a graph or a branch began with *after*, so that it changed nothing."""
    return before is None or after.kind == "branch" or before.incarnation != after.incarnation


async def _diffs(
    roots: GraphRoots, graph_id: str, before: Commit, after: Commit
) -> "list[tuple[str, TypeDiff]]":
    irs = [await _readable(roots, graph_id, commit) for commit in (before, after)]

    def look(tables: "Tables") -> "list[tuple[str, TypeDiff]]":
        from agentctl.graph.branching.diff import changed
        from agentctl.graph.snapshot import Snapshot

        return list(changed(Snapshot(before, irs[0], tables), Snapshot(after, irs[1], tables)))

    return await roots.on_tables(graph_id, after.incarnation, look)


def _page(
    diffs: "Sequence[tuple[str, TypeDiff]]", after: Commit, seen: Cursor, page: int
) -> _Paged | None:
    """Returns the next changes of a commit after *seen*, or None where there are no more."""
    from agentctl.graph.branching.diff import entity_changes

    if seen.n >= after.n:
        return None
    types = [type_id for type_id, _ in diffs]
    start = types.index(seen.type_id) if seen.type_id in types else 0
    found: list[tuple[str, EntityChange]] = []
    for type_id, diff in diffs[start:]:
        above = seen.row_id if type_id == seen.type_id else ""
        told = entity_changes(diff, above=above, limit=page + 1 - len(found))
        found += [(type_id, change) for change in told]
        if len(found) > page:
            break
    if not found:
        return None
    is_last = len(found) <= page
    found = found[:page]
    type_id, last = found[-1]
    following = (
        Cursor(n=after.n) if is_last else Cursor(n=after.n - 1, type_id=type_id, row_id=last.id)
    )
    made = FeedPage(
        commit=commit_id(after.n, after.branch),
        changes=tuple(change for _, change in found),
        cursor=cursor_text(following, after.branch),
    )
    return _Paged(page=made, next=following)


async def _readable(roots: GraphRoots, graph_id: str, commit: Commit) -> SchemaIr:
    """Returns the schema of a commit whose data no cleanup let go of."""
    if has_let_go(await newest_cleanup(roots.store, graph_id), commit):
        raise _gap(graph_id, commit, "a cleanup let go of its data")
    return await roots.ir(graph_id, commit)


def _gap(graph_id: str, commit: Commit, why: str) -> GraphError:
    named = commit_id(commit.n, commit.branch)
    return GraphError(
        error(
            "feed_gap",
            graph_address(graph_id),
            f"What changed with commit {named} cannot be told: {why}.",
            detail="Whoever follows the feed has to begin anew: with an export of the newest"
            " commit, and from that commit on.",
            remedy=f"agentctl graph export {graph_id}",
        )
    )


def _no_cursor(graph_id: str, since: str, branch: str) -> GraphError:
    return GraphError(
        error(
            "feed_cursor_invalid",
            graph_address(graph_id),
            f"{shown(since)} is no point of the feed of branch {branch!r}.",
            remedy="Give `now`, `beginning`, a commit's id or a cursor that a feed gave.",
        )
    )
