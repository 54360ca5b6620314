"""Graphs on Lance: `GraphPort` over an object store on a disk or on S3.

A writing call reads the head of `main`, writes schema objects and dataset versions beside it, pins
them, and then writes one create-only commit; that commit alone decides. A crash before it leaves
orphans that nothing reads, a crash after it a finished write, and a repetition with the same nonce
finds out which. Lance itself is imported when rows are first touched, so observing needs none of
it. Source: graph-engine 1, 5.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from agentctl.domain.ledger.observations import LiveGraph
from agentctl.domain.ledger.peeks import Peek
from agentctl.domain.storage.protocol import BackendError, ObjectStore
from agentctl.graph import erasing, pinning, purging
from agentctl.graph.asking import NEWEST, Point, Read, explain, run, stream
from agentctl.graph.branching.branches import end_branches, heads
from agentctl.graph.branching.names import RESERVED, check_not_reserved
from agentctl.graph.commit import (
    ENDED,
    Commit,
    TypeState,
    commit_info,
    first_commit,
    next_commit,
    rows_by_name,
)
from agentctl.graph.lance_data import LanceData
from agentctl.graph.layout import GRAPHS, MAIN, graph_of, root
from agentctl.graph.loading import Mode, load, load_from
from agentctl.graph.loads.minting import mint_ulid
from agentctl.graph.loads.sources import LoadOptions, LoadOutcome, Source
from agentctl.graph.location import BeforeWrite
from agentctl.graph.log import (
    check_epoch,
    claim_root,
    format_problem,
    require_live,
)
from agentctl.graph.migration import check_types
from agentctl.graph.peeking import questions
from agentctl.graph.port import (
    CommitInfo,
    GraphError,
    LoadReport,
    Pin,
    ReadReply,
    SchemaPayload,
    Stamp,
)
from agentctl.graph.reads.options import ReadOptions
from agentctl.graph.refusals import conflict
from agentctl.graph.roots import GraphRoots, tag_of
from agentctl.graph.runnable import require_runnable
from agentctl.graph.writes import migrating
from agentctl.graph.writes.mutating import Mutation, mutate
from agentctl.graph.writes.report import MutationReport
from agentctl.languages.query.plan import CheckedQuery
from agentctl.languages.schema.ir import SchemaIr

if TYPE_CHECKING:
    import pyarrow as pa

    from agentctl.graph.embedder import Embedder
    from agentctl.graph.reads.explained import Explained
    from agentctl.graph.tables import Tables

ATTEMPT_COUNT_MAX: Final = 3
"""How often a write that another one disturbed is begun anew."""

T = TypeVar("T")


class LanceGraphs(LanceData):
    """Graphs of one storage root."""

    def __init__(
        self,
        store: ObjectStore,
        *,
        before_table_write: BeforeWrite | None = None,
        mint: Callable[[], str] | None = None,
        index_rows_min: int | None = None,
    ) -> None:
        super().__init__(
            GraphRoots(store, before_table_write=before_table_write, index_rows_min=index_rows_min)
        )
        self._mint = mint or mint_ulid

    def seen_through(self, store: ObjectStore, outside: Callable[[str], str]) -> "LanceGraphs":
        """Returns these graphs as *store*, a view of theirs, shows them; as `GraphRoots.seen_through`."""
        seen = LanceGraphs(store, mint=self._mint)
        seen._roots = self._roots.seen_through(store, outside)
        return seen

    @property
    def store(self) -> ObjectStore:
        """Where the graphs lie."""
        return self._roots.store

    def uri(self, graph_id: str) -> str:
        """Returns the graph root's location."""
        return f"{self._roots.store.uri}/{root(graph_id)}"

    async def roots(self) -> tuple[str, ...]:
        """Returns the ids of all roots on the storage, sorted."""
        names = await self._roots.store.folders(GRAPHS)
        found = (graph_of(f"{GRAPHS}{name}/") for name in names)
        return tuple(sorted(name for name in found if name is not None))

    async def observe(self, graph_id: str) -> LiveGraph:
        """Returns what the root holds; never raises for what it finds there."""
        nothing = LiveGraph(graph_id=graph_id, uri=self.uri(graph_id), presence="absent")
        try:
            problem = await format_problem(self._roots.store, graph_id)
            if problem is not None:
                return msgspec.structs.replace(nothing, presence="foreign", error=problem)
            head = await self._roots.log.head(graph_id)
            return nothing if head is None else await self._observed(nothing, head)
        except GraphError as failure:
            said = failure.diagnostic.message
        except (BackendError, OSError) as failure:
            said = str(failure)
        return msgspec.structs.replace(nothing, presence="unreadable", error=said)

    async def create(
        self, graph_id: str, *, schema: SchemaPayload, incarnation: str, stamp: Stamp
    ) -> int:
        """Makes the root with empty datasets and commit `create`; returns the commit's number."""
        check_types(graph_id, schema.ir)
        await claim_root(self._roots.store, graph_id)
        head = await self._roots.log.head(graph_id)
        if head is not None:
            done = await self._roots.log.done_as(head, graph_id, nonce=stamp.nonce, after=0)
            if done is not None:
                return done
            if head.kind not in ENDED or head.incarnation == incarnation:
                raise conflict(graph_id, expected=None, actual=head)
            check_epoch(graph_id, head, stamp.epoch)
        ref = await self._roots.write_schema(graph_id, schema)
        number = (head.n if head else 0) + 1

        def make(tables: "Tables") -> Mapping[str, TypeState]:
            from agentctl.graph.writing import create_types

            return create_types(tables, schema.ir, tag=tag_of(number, stamp))

        types = await self._roots.on_tables(graph_id, incarnation, make)
        commit = first_commit(
            schema=ref, types=types, incarnation=incarnation, stamp=stamp, n=number
        )
        return await self._roots.log.append(graph_id, commit, head=head)

    async def migrate(
        self,
        graph_id: str,
        *,
        schema: SchemaPayload,
        observed: int,
        stamp: Stamp,
        branch: str = MAIN,
    ) -> int:
        """Makes *schema* the one in force by one commit `schema` on top of commit *observed*."""
        check_not_reserved(graph_id, branch)
        return await migrating.migrate(
            self._roots, graph_id, schema=schema, observed=observed, stamp=stamp, branch=branch
        )

    async def peek(self, graph_id: str, ir: SchemaIr, *, rows_max: int) -> tuple[Peek, ...]:
        """Returns, in counts, what of the rows in force *ir* would not permit, or would drop."""
        head = require_live(graph_id, await self._roots.log.head(graph_id))
        asked = questions(await self._roots.ir(graph_id, head), ir)

        def look(tables: "Tables") -> tuple[Peek, ...]:
            from agentctl.graph.peeked import peeked

            return tuple(peeked(tables, head, q, rows_max=rows_max) for q in asked)

        return await self._roots.on_tables(graph_id, head.incarnation, look) if asked else ()

    async def erase(self, graph_id: str, *, observed: int, stamp: Stamp) -> int:
        """Takes away for good what the newest commit does not name."""
        return await erasing.erase(self._roots, graph_id, observed=observed, stamp=stamp)

    async def detach(self, graph_id: str, *, observed: int, stamp: Stamp) -> int:
        """Writes the tombstone of `main`, which decides, then those of the other branches."""
        head, done = await self._roots.begin(graph_id, observed, stamp)
        tombstone = head
        if done is None:
            tombstone = next_commit(head, "tombstone", stamp)
            done = await self._roots.log.append(graph_id, tombstone, head=head)
        if tombstone.n == done:
            await end_branches(self._roots, graph_id, tombstone, stamp)
        return done

    async def fence(self, graph_id: str, *, observed: int, stamp: Stamp, branch: str = MAIN) -> int:
        """Writes a `fence` commit of a branch, that changes nothing but the epoch."""
        head, done = await self._roots.begin(graph_id, observed, stamp, branch=branch)
        if done is not None:
            return done
        return await self._roots.log.append(graph_id, next_commit(head, "fence", stamp), head=head)

    async def restore(self, graph_id: str, *, incarnation: str, stamp: Stamp) -> int:
        """Writes a `restore` commit that brings back the commit before the tombstone."""
        return await purging.restore(self._roots, graph_id, incarnation=incarnation, stamp=stamp)

    async def purge(self, graph_id: str, *, incarnation: str, observed: int, stamp: Stamp) -> None:
        """Removes the data of a detached incarnation, after a `purge` commit; its commits stay."""
        await purging.purge(
            self._roots, graph_id, incarnation=incarnation, observed=observed, stamp=stamp
        )

    async def load(
        self,
        graph_id: str,
        lines: AsyncIterator[bytes] | Iterable[bytes],
        *,
        mode: Mode,
        stamp: Stamp,
    ) -> LoadReport:
        """Loads NDJSON lines by one commit, or nothing at all."""
        return await load(self._roots, graph_id, lines, mode=mode, stamp=stamp, mint=self._mint)

    async def load_from(
        self,
        graph_id: str,
        sources: Sequence[Source],
        *,
        branch: str = MAIN,
        options: LoadOptions,
        stamp: Stamp,
    ) -> LoadOutcome:
        """Loads NDJSON, CSV and Parquet sources together by one commit, or nothing at all."""
        check_not_reserved(graph_id, branch)
        return await load_from(
            self._roots,
            graph_id,
            sources,
            branch=branch,
            options=options,
            stamp=stamp,
            mint=self._mint,
        )

    async def mutate(  # what is done, where, on what condition, and by whom
        self,
        graph_id: str,
        query: CheckedQuery,
        params: Mapping[str, object],
        *,
        branch: str = MAIN,
        if_commit: str | None = None,
        stamp: Stamp,
    ) -> MutationReport:
        """Runs a mutation with bound parameters by one commit of a branch, or none."""
        check_not_reserved(graph_id, branch)
        mutation = Mutation(
            query=query, params=params, branch=branch, if_commit=if_commit, stamp=stamp
        )
        return await mutate(self._roots, graph_id, mutation, mint=self._mint)

    async def run(  # noqa: PLR0913  # what a read is given
        self,
        graph_id: str,
        query: CheckedQuery,
        params: Mapping[str, object],
        *,
        limit: int | None = None,
        options: ReadOptions | None = None,
        point: Point = NEWEST,
        embedder: "Embedder | None" = None,
    ) -> ReadReply:
        """Runs a checked query with bound parameters, on the newest commit of `main` unless told."""
        require_runnable(query)
        asked = options or ReadOptions(limit=limit)
        return await run(self._roots, graph_id, Read(query, params, asked, point, embedder))

    def stream(
        self,
        graph_id: str,
        query: CheckedQuery,
        params: Mapping[str, object],
        *,
        options: ReadOptions | None = None,
        point: Point = NEWEST,
        embedder: "Embedder | None" = None,
    ) -> "AsyncIterator[pa.RecordBatch]":
        """Yields the rows of a read in order, as Arrow batches; none is made before it is taken."""
        require_runnable(query)
        asked = options or ReadOptions()
        return stream(self._roots, graph_id, Read(query, params, asked, point, embedder))

    async def explain(  # noqa: PLR0913  # what a read is given
        self,
        graph_id: str,
        query: CheckedQuery,
        params: Mapping[str, object],
        *,
        analyze: bool = False,
        options: ReadOptions | None = None,
        point: Point = NEWEST,
        embedder: "Embedder | None" = None,
    ) -> "Explained":
        """Returns the plan of a read with estimates; with *analyze* it is run, and told what it did."""
        require_runnable(query)
        asked = options or ReadOptions()
        read = Read(query, params, asked, point, embedder)
        return await explain(self._roots, graph_id, read, analyze=analyze)

    async def history(self, graph_id: str, *, limit: int = 50) -> tuple[CommitInfo, ...]:
        """Returns the newest commits of `main`, newest first."""
        commits = await self._roots.log.newest_first(graph_id, limit=limit)
        return tuple(commit_info(commit) for commit in commits)

    async def pin(self, graph_id: str, number: int, *, stamp: Stamp) -> Pin:
        """Keeps commit *number* of `main` for the op of *stamp*."""
        return await pinning.pin(self._roots, graph_id, number, stamp=stamp)

    async def unpin(self, graph_id: str, number: int, *, op: str) -> None:
        """Lets go of a commit, as far as *op* needed it."""
        await pinning.unpin(self._roots, graph_id, number, op=op)

    async def pins(self, graph_id: str) -> tuple[Pin, ...]:
        """Returns every pin of a graph, by commit."""
        return await pinning.pins(self._roots, graph_id)

    async def revert(  # what is wanted again, where, on what, and by whom
        self, graph_id: str, number: int, *, branch: str = MAIN, observed: int, stamp: Stamp
    ) -> int:
        """Makes what commit *number* of a branch named its newest again, by one commit `revert`."""
        check_not_reserved(graph_id, branch)
        return await pinning.revert(
            self._roots, graph_id, number, branch=branch, observed=observed, stamp=stamp
        )

    async def check_revertible(self, graph_id: str, number: int, *, branch: str = MAIN) -> str:
        """Returns the digest of what a commit names, having seen that it can be gone back to."""
        return pinning.content_digest(await pinning.held(self._roots, graph_id, number, branch))

    async def content_at(self, graph_id: str, number: int, *, branch: str = MAIN) -> str | None:
        """Returns the digest of what a commit names; None where there is no such commit."""
        commit = await self._roots.log.found_at(graph_id, number, branch)
        return None if commit is None else pinning.content_digest(commit)

    async def observe_branch(self, graph_id: str, branch: str) -> LiveGraph:
        """Returns what a branch holds, as `observe` does of `main`; never raises for what it finds."""
        main = await self.observe(graph_id)
        if main.presence in {"absent", "foreign", "unreadable"}:
            return main
        if branch.startswith(RESERVED):
            return LiveGraph(graph_id=graph_id, uri=main.uri, presence="absent")
        nothing = LiveGraph(graph_id=graph_id, uri=main.uri, presence="absent")
        try:
            head = await self._roots.log.head(graph_id, branch)
            return nothing if head is None else await self._branch_observed(main, head)
        except GraphError as failure:
            said = failure.diagnostic.message
        except (BackendError, OSError) as failure:
            said = str(failure)
        return msgspec.structs.replace(nothing, presence="unreadable", error=said)

    async def _branch_observed(self, main: LiveGraph, head: Commit) -> LiveGraph:
        seen = LiveGraph(
            graph_id=main.graph_id,
            uri=main.uri,
            presence="detached",
            commit=head.n,
            nonce=head.nonce,
            incarnation=head.incarnation,
            content=pinning.content_digest(head),
            last_write=head.created_at,
        )
        ended = head.kind in ENDED or head.incarnation != main.incarnation
        if ended or main.presence != "live":
            return seen
        live = msgspec.structs.replace(
            seen,
            presence="live",
            source_digest=head.schema.source_digest,
            shape_digest=head.schema.shape_digest,
            ir=await self._roots.ir(main.graph_id, head),
            rows=rows_by_name(head),
            bytes=main.bytes,
            branches=main.branches,
        )
        lost = await self._roots.folder(main.graph_id, head.incarnation).lost(head.types)
        if lost is None:
            return live
        said = f"the dataset of {head.types[lost].name} is not there"
        return msgspec.structs.replace(live, presence="unreadable", error=said)

    async def _observed(self, nothing: LiveGraph, head: Commit) -> LiveGraph:
        folder = self._roots.folder(nothing.graph_id, head.incarnation)
        live = msgspec.structs.replace(
            nothing,
            presence="live",
            commit=head.n,
            nonce=head.nonce,
            incarnation=head.incarnation,
            content=pinning.content_digest(head),
            source_digest=head.schema.source_digest,
            shape_digest=head.schema.shape_digest,
            ir=await self._roots.ir(nothing.graph_id, head),
            rows=rows_by_name(head),
            bytes=await folder.size_bytes(),
            last_write=head.created_at,
            branches=tuple(
                name
                for name in await heads(self._roots, nothing.graph_id, head)
                if not name.startswith(RESERVED)
            ),
        )
        if head.kind in ENDED:
            given_up = head.created_at if head.kind == "purge" else None
            live = msgspec.structs.replace(live, presence="detached", purge_since=given_up)
            if (head.types or given_up) and await folder.is_gone():
                return _without_schema(live)
            partly = given_up is not None or await folder.lost(head.types) is not None
            return msgspec.structs.replace(live, partly_purged=partly)
        lost = await folder.lost(head.types)
        if lost is not None:
            said = f"the dataset of {head.types[lost].name} is not there"
            return msgspec.structs.replace(live, presence="unreadable", error=said)
        return live


def _without_schema(live: LiveGraph) -> LiveGraph:
    return msgspec.structs.replace(
        live, presence="purged", source_digest=None, shape_digest=None, ir=None, rows={}, bytes=0
    )
