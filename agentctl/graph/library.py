"""Typed graphs on Lance, as a library of its own: open one, ask it, write to it, branch and merge it.

    from agentctl.graph import create_graph, open_graph

    async with create_graph("people/graphs/staff.omni", "node Person { name: String @key }") as graph:
        await graph.load([b'{"type": "Person", "data": {"name": "Ann"}}'])

    async with open_graph("people/graphs/staff.omni") as graph:
        reply = await graph.query("query all() { match { $p: Person } return { $p.name as name } }")
        print(reply.rows)

A graph lies at ``<storage>/graphs/<id>.omni``, on a disk or on S3 (``s3://bucket/…``, with the usual
``AWS_*`` variables). Nothing else is needed there: no server, no cluster. Every read is of one commit;
every write makes one commit or none. What a graph refuses is a `GraphError`, whose `diagnostic` has a
code, a message and mostly a remedy.

Several processes may write to one graph. Of two that write at once one makes its commit first; the
other does its own again on top of that where it means the same there, and else is refused with
`read_set_conflict`, for its caller to read again.
"""

import random
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import anyio

from agentctl.adapters.backends.open import open_store
from agentctl.canonical import sha256_hex
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.plan.migrate import plan_migration
from agentctl.graph.asking import Point
from agentctl.graph.branching.tags import Tag
from agentctl.graph.branching.told import DiffReport, FeedPage, MergeReport
from agentctl.graph.data_port import CleanupReport, OptimizeReport, Retention, VerifyReport
from agentctl.graph.lance_port import LanceGraphs
from agentctl.graph.layout import GRAPHS, MAIN, ROOT_SUFFIX, source_key
from agentctl.graph.loads.sources import LoadOptions, LoadOutcome, Mode, NdjsonSource, Source
from agentctl.graph.port import (
    BranchInfo,
    CommitInfo,
    GraphError,
    ReadReply,
    SchemaPayload,
    Stamp,
)
from agentctl.graph.reads.options import ReadOptions
from agentctl.graph.roots import GraphRoots
from agentctl.graph.writes.report import MutationReport
from agentctl.ids import graph_address, ulid
from agentctl.instants import format_instant
from agentctl.languages.query.compile import check_query, parse_query_file
from agentctl.languages.query.params import bind_params
from agentctl.languages.query.plan import CheckedQuery
from agentctl.languages.schema.compile import compile_schema
from agentctl.languages.schema.ir import SchemaIr, catalog_of, evolve_ir
from agentctl.languages.schema.shape import shape_digest
from agentctl.languages.schema.types import Catalog

if TYPE_CHECKING:
    import pyarrow as pa

    from agentctl.graph.embedder import Embedder

BUSY_PATIENCE_S: Final = 120
"""How long a write is begun anew while other processes write to the same datasets."""
BUSY_WAIT_S: Final = 0.05
"""How long it waits for that at first, on average; each time twice as long."""
BUSY_WAIT_MAX_S: Final = 6.4
"""No wait is longer, on average: long enough for several writers of an object store to take turns."""

T = TypeVar("T")


class RefusedError(GraphError):
    """A schema, a query or rows are not right; `diagnostics` has everything that is wrong."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        super().__init__(diagnostics[0])
        self.diagnostics = diagnostics


@asynccontextmanager
async def open_graph(uri: str | Path, *, actor: str = "library") -> AsyncIterator["Graph"]:
    """Opens the graph at *uri* for the body of an ``async with``.

    Args:
        uri: ``<storage>/graphs/<id>.omni``: a path, or a ``file://`` or ``s3://`` URI.
        actor: who the commits are by.

    Raises:
        GraphError: `graph_root_missing` where there is none, `graph_detached`,
            `foreign_graph_format`.
        ValueError: *uri* is not of that form.
    """
    storage, graph_id = _place(str(uri))
    store = open_store(storage, Path.cwd())
    try:
        graphs = LanceGraphs(store)
        await graphs.commit_at(graph_id)
        yield Graph(graphs, GraphRoots(store), graph_id, actor)
    finally:
        await store.aclose()


@asynccontextmanager
async def create_graph(
    uri: str | Path, schema: str, *, actor: str = "library"
) -> AsyncIterator["Graph"]:
    """Makes an empty graph with *schema* (the text of a ``.pg`` file) at *uri*, and opens it.

    Raises:
        RefusedError: the schema is not right.
        GraphError: `read_set_conflict` where there is a graph already, `foreign_graph_format`.
        ValueError: *uri* is not of the form ``<storage>/graphs/<id>.omni``.
    """
    storage, graph_id = _place(str(uri))
    store = open_store(storage, Path.cwd())
    try:
        graph = Graph(LanceGraphs(store), GraphRoots(store), graph_id, actor)
        await graph.create(schema)
        yield graph
    finally:
        await store.aclose()


class Graph:
    """One graph. Made by `open_graph` and `create_graph`; used by one event loop.

    Where a method takes *branch*, it is about that branch; *at* is a point of its history: the
    number of a commit, a commit's id as ``main:12``, a tag, another branch for its newest commit, or
    a time as ``2026-11-21T12:00:00Z``. None is the newest commit of *branch*.
    """

    def __init__(self, graphs: LanceGraphs, roots: GraphRoots, graph_id: str, actor: str) -> None:
        self._graphs = graphs
        self._roots = roots
        self._id = graph_id
        self._actor = actor
        self._locks: dict[str, anyio.Lock] = {}
        self.embedder: Embedder | None = None
        """Makes vectors of the texts that `nearest` is asked with; set it before such a query."""

    @property
    def uri(self) -> str:
        """Where the graph lies."""
        return self._graphs.uri(self._id)

    async def create(self, schema: str) -> None:
        """Makes the graph, empty; `create_graph` calls it."""
        payload = _payload(schema, None)
        stamp = self._stamp("create", epoch=1)
        await self._graphs.create(self._id, schema=payload, incarnation=_mint(), stamp=stamp)

    async def schema(self, *, branch: str = MAIN) -> str:
        """Returns the text of the schema in force on a branch."""
        head = await self._roots.head(self._id, branch)
        found = await self._roots.store.read(source_key(self._id, head.schema.source_digest))
        return "" if found is None else found.data.decode()

    async def query(
        self,
        text: str,
        params: Mapping[str, object] | None = None,
        *,
        branch: str = MAIN,
        at: str | None = None,
        options: ReadOptions | None = None,
    ) -> ReadReply:
        """Returns the rows of a read.

        Args:
            text: one query, as a ``.gq`` file declares it.
            params: values of its parameters as JSON has them.
            branch: the branch that is read.
            at: the point of its history.
            options: bounds of rows, time and memory.

        Raises:
            RefusedError: the query or a parameter is not right.
            GraphError: the answer would be wrong, too large or too late.
        """
        query, values = await self._bound(text, params, branch)
        return await self._graphs.run(
            self._id,
            query,
            values,
            options=options,
            point=Point(branch=branch, at=at),
            embedder=self.embedder,
        )

    async def stream(
        self,
        text: str,
        params: Mapping[str, object] | None = None,
        *,
        branch: str = MAIN,
        at: str | None = None,
        options: ReadOptions | None = None,
    ) -> "AsyncIterator[pa.RecordBatch]":
        """Gives the rows of a read in order, as Arrow batches; arguments as of `query`."""
        query, values = await self._bound(text, params, branch)
        point = Point(branch=branch, at=at)
        async for batch in self._graphs.stream(
            self._id, query, values, options=options, point=point, embedder=self.embedder
        ):
            yield batch

    async def mutate(
        self,
        text: str,
        params: Mapping[str, object] | None = None,
        *,
        branch: str = MAIN,
        if_commit: str | None = None,
    ) -> MutationReport:
        """Runs a mutation by one commit; with *if_commit*, only where the branch is at that one.

        Raises:
            RefusedError: the query, a parameter, or what it would write is not right.
            GraphError: `read_set_conflict`.
        """
        query, values = await self._bound(text, params, branch)

        async def write(stamp: Stamp) -> MutationReport:
            return await self._graphs.mutate(
                self._id, query, values, branch=branch, if_commit=if_commit, stamp=stamp
            )

        report = await self._write(branch, f"mutate {query.name}", write)
        _refuse(report.diagnostics)
        return report

    async def load(
        self,
        lines: AsyncIterator[bytes] | Iterable[bytes],
        *,
        mode: Mode = "append",
        branch: str = MAIN,
    ) -> LoadOutcome:
        """Loads NDJSON lines by one commit, or nothing at all.

        A line is ``{"type": T, "data": {…}}`` for a node and
        ``{"edge": T, "from": id, "to": id, "data": {…}}`` for an edge. *mode* `merge` replaces what
        has the same key, `overwrite` empties the types that it names first.

        Raises:
            RefusedError: a line is not right; every fault is told, bounded, by line.
        """
        options = LoadOptions(mode=mode)
        return await self.load_from((NdjsonSource(lines=lines),), options, branch=branch)

    async def load_from(
        self, sources: Sequence[Source], options: LoadOptions, *, branch: str = MAIN
    ) -> LoadOutcome:
        """Loads NDJSON, CSV and Parquet together by one commit, or nothing at all.

        Sources are read once, so a load is not begun anew where another process gets in between.

        Raises:
            RefusedError: a line is not right, and the options do not allow to set it aside.
        """
        async with self._lock(branch):
            stamp = await self._stamped(branch, f"load {options.mode}")
            outcome = await self._graphs.load_from(
                self._id, sources, branch=branch, options=options, stamp=stamp
            )
        _refuse(outcome.diagnostics)
        return outcome

    async def export(self, *, branch: str = MAIN, at: str | None = None) -> AsyncIterator[bytes]:
        """Gives all rows as lines that `load` reads, in a stable order: nodes, then edges."""
        async for block in self._graphs.export(self._id, branch=branch, at=at):
            for line in block.removesuffix(b"\n").split(b"\n"):
                yield line

    async def digest(self, *, branch: str = MAIN, at: str | None = None) -> str:
        """Returns the digest of schema and rows: the same for graphs that hold the same."""
        return await self._graphs.digest(self._id, branch=branch, at=at)

    async def migrate(self, schema: str) -> str:
        """Makes *schema* the one in force on `main`; returns the commit's id.

        Types and properties keep their identity by name, or by ``@rename_from``. What is left out
        is dropped softly: its data stays until a cleanup.

        Raises:
            RefusedError: the schema is not right, or no migration leads to it.
            GraphError: `schema_rows_violate` where rows do not fit it.
        """
        head = await self._roots.head(self._id)
        before = await self._roots.ir(self._id, head)
        payload = _payload(schema, before)
        migration = plan_migration(before, _catalog(schema))
        if not migration.supported:
            steps = "; ".join(str(s["reason"]) for s in migration.steps if "reason" in s)
            said = f"No migration leads to this schema: {steps}."
            path = graph_address(self._id)
            raise RefusedError((error("schema_migration_unsupported", path, said),))

        async def write(stamp: Stamp) -> int:
            return await self._graphs.migrate(
                self._id, schema=payload, observed=head.n, stamp=stamp
            )

        return f"{MAIN}:{await self._write(MAIN, 'migrate', write)}"

    async def history(self, *, branch: str = MAIN, limit: int = 50) -> tuple[CommitInfo, ...]:
        """Returns the newest commits of a branch, newest first."""
        return await self._graphs.commits(self._id, branch=branch, limit=limit)

    async def branches(self) -> tuple[BranchInfo, ...]:
        """Returns the live branches, `main` first, then by name."""
        return await self._graphs.branches(self._id)

    async def branch(self, name: str, *, source: str = MAIN, at: str | None = None) -> BranchInfo:
        """Cuts a branch from a point of another; it costs the same for a graph of any size.

        Raises:
            GraphError: `graph_branch_exists`, `graph_branch_invalid` for the name.
        """
        last = await self._roots.log.head(self._id, name)
        stamp = self._stamp(f"branch {name}", epoch=1 if last is None else last.epoch)
        return await self._graphs.branch_create(self._id, name, source=source, at=at, stamp=stamp)

    async def delete_branch(self, name: str) -> None:
        """Ends a branch; its commits stay readable by their ids until a cleanup."""
        head = await self._roots.head(self._id, name)
        stamp = self._stamp(f"delete {name}", epoch=head.epoch)
        await self._graphs.branch_delete(self._id, name, observed=head.n, stamp=stamp)

    async def merge(
        self, source: str, *, into: str = MAIN, if_commit: str | None = None
    ) -> MergeReport:
        """Merges a branch into another by one commit, or tells the conflicts and changes nothing."""

        async def write(stamp: Stamp) -> MergeReport:
            return await self._graphs.merge(
                self._id, source, into=into, if_commit=if_commit, stamp=stamp
            )

        return await self._write(into, f"merge {source}", write)

    async def diff(
        self, before: str, after: str | None = None, *, branch: str = MAIN, sample: int = 20
    ) -> DiffReport:
        """Returns what differs between two points: counts, and the first changes of each type."""
        return await self._graphs.diff(self._id, before, after, branch=branch, sample=sample)

    async def changes(
        self, since: str, *, branch: str = MAIN, page: int = 1_000
    ) -> AsyncIterator[FeedPage]:
        """Gives what the commits after a point did to the rows, in order, up to the newest."""
        async for found in self._graphs.changes(self._id, since=since, branch=branch, page=page):
            yield found

    async def tag(self, name: str, *, branch: str = MAIN, at: str | None = None) -> Tag:
        """Names a commit for good, and keeps its data from every cleanup."""
        head = await self._roots.head(self._id, branch)
        stamp = self._stamp(f"tag {name}", epoch=head.epoch)
        return await self._graphs.tag(self._id, name, branch=branch, at=at, stamp=stamp)

    async def tags(self) -> tuple[Tag, ...]:
        """Returns the tags, by name."""
        return await self._graphs.tags(self._id)

    async def untag(self, name: str) -> bool:
        """Takes a tag away; returns whether there was one."""
        return await self._graphs.untag(self._id, name)

    async def verify(self) -> VerifyReport:
        """Proves the graph whole: every commit, every dataset version, every constraint."""
        return await self._graphs.verify(self._id)

    async def optimize(self, *, branch: str = MAIN) -> OptimizeReport:
        """Makes large files of small ones and brings the indexes up to date, by one commit or none."""

        async def write(stamp: Stamp) -> OptimizeReport:
            return await self._graphs.optimize(self._id, branch=branch, stamp=stamp)

        return await self._write(branch, "optimize", write)

    async def cleanup(
        self, retention: Retention | None = None, *, rehearse: bool = False
    ) -> CleanupReport:
        """Lets go of the data of old commits; with *rehearse* only says what would go.

        Kept is what *retention* says (the newest commit of each branch, where nothing is given), and
        always what branches and tags need.
        """
        stamp = await self._stamped(MAIN, "cleanup")
        return await self._graphs.cleanup(
            self._id,
            retention or Retention(),
            now=datetime.now(UTC),
            stamp=stamp,
            rehearse=rehearse,
        )

    async def _bound(
        self, text: str, params: Mapping[str, object] | None, branch: str
    ) -> tuple[CheckedQuery, Mapping[str, object]]:
        """Returns the one query of *text*, checked against the branch's schema, and its values."""
        parsed = parse_query_file(text.encode(), file="query.gq")
        _refuse(parsed.diagnostics)
        if len(parsed.declarations) != 1:
            msg = f"one query is asked at a time, and the text declares {len(parsed.declarations)}"
            raise ValueError(msg)
        ir = await self._roots.ir(self._id, await self._roots.head(self._id, branch))
        checked = check_query(parsed.declarations[0], catalog_of(ir))
        _refuse(checked.diagnostics)
        assert checked.query is not None, "nothing is wrong with it"
        bound = bind_params(checked.query, params or {}, path="query")
        _refuse(bound.diagnostics)
        return checked.query, bound.values

    async def _write(self, branch: str, intent: str, act: Callable[[Stamp], Awaitable[T]]) -> T:
        """Does one write; waits and begins anew where another process writes to the same rows."""
        async with self._lock(branch):
            until, wait_s = anyio.current_time() + BUSY_PATIENCE_S, BUSY_WAIT_S
            while True:
                try:
                    return await act(await self._stamped(branch, intent))
                except GraphError as failure:
                    if failure.diagnostic.code != "graph_busy" or anyio.current_time() > until:
                        raise
                # Nobody may foresee it: those who wait must not come back together.
                await anyio.sleep(wait_s * random.uniform(0.5, 1.5))  # noqa: S311
                wait_s = min(2 * wait_s, BUSY_WAIT_MAX_S)

    def _lock(self, branch: str) -> anyio.Lock:
        return self._locks.setdefault(branch, anyio.Lock())

    async def _stamped(self, branch: str, intent: str) -> Stamp:
        head = await self._roots.head(self._id, branch)
        return self._stamp(intent, epoch=head.epoch)

    def _stamp(self, intent: str, *, epoch: int) -> Stamp:
        return Stamp(
            op=f"library:{_mint()}",
            actor=self._actor,
            on_behalf_of=None,
            intent=intent,
            epoch=epoch,
            nonce=secrets.token_hex(16),
            at=format_instant(datetime.now(UTC)),
        )


def _place(uri: str) -> tuple[str, str]:
    """Returns the storage root and the graph's id of a root's location."""
    storage, sep, name = uri.rstrip("/").rpartition(f"/{GRAPHS}")
    if not sep and uri.startswith(GRAPHS):
        storage, sep, name = ".", "/", uri.rstrip("/").removeprefix(GRAPHS)
    graph_id = name.removesuffix(ROOT_SUFFIX)
    if not sep or graph_id == name or not graph_id or "/" in name:
        msg = f"not of the form <storage>/graphs/<id>.omni: {uri!r}"
        raise ValueError(msg)
    return storage or "/", graph_id


def _payload(text: str, before: SchemaIr | None) -> SchemaPayload:
    catalog = _catalog(text)
    source = text.encode()
    return SchemaPayload(
        source=source,
        source_digest=sha256_hex(source),
        shape_digest=shape_digest(catalog),
        ir=evolve_ir(before, catalog, _mint),
    )


def _catalog(text: str) -> Catalog:
    """Returns what a schema declares, its hints of renames included.

    Raises:
        RefusedError: it is not right.
    """
    compiled = compile_schema(text.encode(), file="schema.pg")
    if compiled.catalog is None:
        raise RefusedError(compiled.diagnostics)
    return compiled.catalog


def _refuse(diagnostics: tuple[Diagnostic, ...]) -> None:
    """Raises where one of them is an error."""
    wrong = tuple(d for d in diagnostics if d.severity == "error")
    if wrong:
        raise RefusedError(wrong)


def _mint() -> str:
    return ulid(time.time_ns() // 1_000_000, secrets.token_bytes(10))
