"""Reads as the ports of graphs ask for them: a point of a branch, a query, and its bounds.

Texts that `nearest` is asked with become vectors first, on the event loop; all else happens in a
worker thread. Importing this loads neither Lance nor Arrow. Source: graph-engine 3, 5.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

import anyio
import msgspec

from agentctl.graph.branching import points
from agentctl.graph.commit import Commit
from agentctl.graph.layout import MAIN
from agentctl.graph.log import require_live
from agentctl.graph.port import ReadReply
from agentctl.graph.reads.options import ReadOptions
from agentctl.graph.reads.refusing import too_late
from agentctl.graph.roots import GraphRoots, storage_told
from agentctl.languages.query.plan import CheckedQuery

if TYPE_CHECKING:
    import pyarrow as pa

    from agentctl.graph.embedder import Embedder
    from agentctl.graph.reads.explained import Explained
    from agentctl.graph.search.embedding import Vectors
    from agentctl.graph.snapshot import Snapshot


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """A commit that is read."""

    branch: str = MAIN
    at: str | None = None
    """A number, a commit's id, a tag or a time; None is the newest of the branch."""


NEWEST: Final = Point()


class Read(NamedTuple):
    """A checked read with all that it is given."""

    query: CheckedQuery
    params: Mapping[str, object]
    """The values of all its parameters, as `bind_params` gives them."""
    options: ReadOptions
    point: Point = NEWEST
    embedder: "Embedder | None" = None
    """Makes vectors of the texts that `nearest` is asked with."""


async def run(roots: GraphRoots, graph_id: str, read: Read) -> ReadReply:
    """Returns the reply of a checked read with bound parameters.

    Raises:
        GraphError: the answer would be wrong, too large or too late.
    """
    commit = await _commit(roots, graph_id, read.point)
    vectors = await _vectors(roots, graph_id, commit, read)

    def look(snapshot: "Snapshot") -> ReadReply:
        from agentctl.graph.reads.caches import caches_of
        from agentctl.graph.reads.running import run_query

        return run_query(
            snapshot,
            read.query,
            read.params,
            read.options,
            caches=caches_of(roots),
            vectors=vectors,
        )

    return await roots.on_snapshot(graph_id, commit, look, warm=True)


async def explain(
    roots: GraphRoots, graph_id: str, read: Read, *, analyze: bool = False
) -> "Explained":
    """Returns the plan of a read with estimates; with *analyze* it is run, and told what it did."""
    commit = await _commit(roots, graph_id, read.point)
    vectors: Vectors = {}
    if analyze:
        vectors = await _vectors(roots, graph_id, commit, read)

    def look(snapshot: "Snapshot") -> "Explained":
        from agentctl.graph.reads.caches import caches_of
        from agentctl.graph.reads.explaining import explained

        return explained(
            snapshot,
            read.query,
            read.params,
            read.options,
            analyze=analyze,
            caches=caches_of(roots),
            vectors=vectors,
        )

    return await roots.on_snapshot(graph_id, commit, look, warm=True)


async def stream(roots: GraphRoots, graph_id: str, read: Read) -> "AsyncIterator[pa.RecordBatch]":
    """Yields the rows of a read in order, as Arrow batches; a deadline is over all of it.

    Nothing is read ahead: whoever is slow to take a batch keeps the next one from being made.

    Raises:
        GraphError: the answer would be wrong, too large or too late; after some batches too.
    """
    commit = await _commit(roots, graph_id, read.point)
    vectors = await _vectors(roots, graph_id, commit, read)

    def begin(snapshot: "Snapshot") -> "list[pa.RecordBatch | None]":
        from agentctl.graph.reads.caches import caches_of
        from agentctl.graph.reads.running import stream_query

        held[:] = [
            stream_query(
                snapshot,
                read.query,
                read.params,
                read.options,
                caches=caches_of(roots),
                vectors=vectors,
            )
        ]
        return further(snapshot)

    def further(_: "Snapshot") -> "list[pa.RecordBatch | None]":
        with storage_told(graph_id):  # asked again, what has failed would seem to have ended
            return [next(held[0], None)]

    held: list[Iterator[pa.RecordBatch]] = []
    (batch,) = await roots.on_snapshot(graph_id, commit, begin, warm=True)
    while batch is not None:
        yield batch
        (batch,) = await roots.on_snapshot(graph_id, commit, further)


async def _commit(roots: GraphRoots, graph_id: str, point: Point) -> Commit:
    if point.at is None:
        return require_live(graph_id, await roots.head(graph_id, point.branch))
    return await points.resolve(roots, graph_id, branch=point.branch, at=point.at)


async def _vectors(roots: GraphRoots, graph_id: str, commit: Commit, read: Read) -> "Vectors":
    """Returns what each `nearest` is compared with; nothing is imported where there is none.

    A provider may take no longer than the read's deadline either.
    """
    if not read.query.order or read.query.order[0].rank is None:
        return {}
    from agentctl.graph.search.embedding import query_vectors

    ir = await roots.ir(graph_id, commit)
    deadline_s = read.options.deadline_s
    with anyio.move_on_after(deadline_s):
        return await query_vectors(read.query, read.params, ir=ir, embedder=read.embedder)
    assert deadline_s is not None, "what has no deadline is not moved on from"
    raise too_late(deadline_s=deadline_s)
