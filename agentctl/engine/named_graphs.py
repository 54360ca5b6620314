"""Graphs by the ids that the ledger gives them, over a port that knows roots. Source: ADR 13.

A graph's data never move: a rename is a ledger commit, and this is where its new id is read as the
old root. The names are those of the newest ledger object that this process knows; whoever writes to
a graph holds the lease of its root, so two names never stand for two writers.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Literal

import msgspec

from agentctl.domain.ledger.observations import LiveGraph
from agentctl.domain.ledger.peeks import Peek
from agentctl.domain.ledger.roots import renamed_roots, root_of
from agentctl.domain.ledger.state import State
from agentctl.engine.ledger import Ledger
from agentctl.graph.embedder import Embedder
from agentctl.graph.layout import MAIN
from agentctl.graph.port import (
    BranchInfo,
    CommitInfo,
    GraphError,
    GraphPort,
    LoadReport,
    Pin,
    ReadReply,
    SchemaPayload,
    Stamp,
)
from agentctl.ids import graph_address
from agentctl.languages.query.plan import CheckedQuery
from agentctl.languages.schema.ir import SchemaIr


class NamedGraphs:
    """The graphs of one cluster; `GraphPort` by id."""

    def __init__(self, port: GraphPort, ledger: Ledger, assumed: State | None = None) -> None:
        self.port = port
        """By root."""
        self._ledger = ledger
        self._seq = 0
        self._assumed = assumed
        self._state = assumed if assumed is not None else State()

    def assuming(self, state: State) -> "NamedGraphs":
        """Returns the same graphs by the names of *state*, which no ledger object has yet."""
        return NamedGraphs(self.port, self._ledger, state)

    async def root_of(self, graph_id: str) -> str:
        """Returns the root of a graph: its id, unless it was renamed."""
        return root_of(await self._named(), graph_id)

    def uri(self, graph_id: str) -> str:
        """Returns the location of a graph's root, as far as this process has read the ledger."""
        return self.port.uri(root_of(self._state, graph_id))

    async def observe(self, graph_id: str) -> LiveGraph:
        """Returns what the graph's root holds."""
        live = await self.port.observe(await self.root_of(graph_id))
        return msgspec.structs.replace(live, graph_id=graph_id)

    async def roots(self) -> tuple[str, ...]:
        """Returns the ids of all roots on the storage, sorted; of a renamed graph its id."""
        names = renamed_roots(await self._named())
        return tuple(sorted({names.get(root, root) for root in await self.port.roots()}))

    async def create(
        self, graph_id: str, *, schema: SchemaPayload, incarnation: str, stamp: Stamp
    ) -> int:
        """Makes the graph's root with empty datasets."""
        root = await self.root_of(graph_id)
        try:
            return await self.port.create(root, schema=schema, incarnation=incarnation, stamp=stamp)
        except GraphError as failure:
            raise _named(failure, graph_id, root) from failure

    async def migrate(
        self, graph_id: str, *, schema: SchemaPayload, observed: int, stamp: Stamp
    ) -> int:
        """Makes *schema* the one in force."""
        root = await self.root_of(graph_id)
        try:
            return await self.port.migrate(root, schema=schema, observed=observed, stamp=stamp)
        except GraphError as failure:
            raise _named(failure, graph_id, root) from failure

    async def peek(self, graph_id: str, ir: SchemaIr, *, rows_max: int) -> tuple[Peek, ...]:
        """Returns, in counts, what of the rows in force *ir* would not permit, or would drop."""
        return await self.port.peek(await self.root_of(graph_id), ir, rows_max=rows_max)

    async def erase(self, graph_id: str, *, observed: int, stamp: Stamp) -> int:
        """Takes away for good what the newest commit does not name."""
        root = await self.root_of(graph_id)
        try:
            return await self.port.erase(root, observed=observed, stamp=stamp)
        except GraphError as failure:
            raise _named(failure, graph_id, root) from failure

    async def detach(self, graph_id: str, *, observed: int, stamp: Stamp) -> int:
        """Writes the tombstone commit of `main`."""
        return await self.port.detach(await self.root_of(graph_id), observed=observed, stamp=stamp)

    async def restore(self, graph_id: str, *, incarnation: str, stamp: Stamp) -> int:
        """Writes a `restore` commit."""
        root = await self.root_of(graph_id)
        return await self.port.restore(root, incarnation=incarnation, stamp=stamp)

    async def purge(self, graph_id: str, *, incarnation: str, observed: int, stamp: Stamp) -> None:
        """Removes the data of a detached incarnation; one that lies elsewhere is purged by `port`."""
        root = await self.root_of(graph_id)
        await self.port.purge(root, incarnation=incarnation, observed=observed, stamp=stamp)

    async def fence(self, graph_id: str, *, observed: int, stamp: Stamp, branch: str = MAIN) -> int:
        """Writes a `fence` commit of a branch."""
        root = await self.root_of(graph_id)
        return await self.port.fence(root, observed=observed, stamp=stamp, branch=branch)

    async def branches(self, graph_id: str) -> tuple[BranchInfo, ...]:
        """Returns the live branches, `main` first, then by name."""
        return await self.port.branches(await self.root_of(graph_id))

    async def branch_create(  # what is cut, from where, and by whom
        self, graph_id: str, name: str, *, source: str = MAIN, at: str | None = None, stamp: Stamp
    ) -> BranchInfo:
        """Cuts a branch from a point of the history of *source*."""
        root = await self.root_of(graph_id)
        try:
            return await self.port.branch_create(root, name, source=source, at=at, stamp=stamp)
        except GraphError as failure:
            raise _named(failure, graph_id, root) from failure

    async def branch_delete(self, graph_id: str, name: str, *, observed: int, stamp: Stamp) -> int:
        """Ends a branch; returns the number of its tombstone."""
        root = await self.root_of(graph_id)
        try:
            return await self.port.branch_delete(root, name, observed=observed, stamp=stamp)
        except GraphError as failure:
            raise _named(failure, graph_id, root) from failure

    async def load(
        self,
        graph_id: str,
        lines: AsyncIterator[bytes] | Iterable[bytes],
        *,
        mode: Literal["append", "merge", "overwrite"],
        stamp: Stamp,
    ) -> LoadReport:
        """Loads NDJSON lines by one commit, or nothing at all."""
        root = await self.root_of(graph_id)
        return await self.port.load(root, lines, mode=mode, stamp=stamp)

    async def run(
        self,
        graph_id: str,
        query: CheckedQuery,
        params: Mapping[str, object],
        *,
        limit: int | None = None,
        embedder: Embedder | None = None,
    ) -> ReadReply:
        """Runs a checked query on the newest commit of `main`."""
        root = await self.root_of(graph_id)
        return await self.port.run(root, query, params, limit=limit, embedder=embedder)

    async def history(self, graph_id: str, *, limit: int = 50) -> tuple[CommitInfo, ...]:
        """Returns the newest commits of `main`, newest first."""
        return await self.port.history(await self.root_of(graph_id), limit=limit)

    async def pin(self, graph_id: str, number: int, *, stamp: Stamp) -> Pin:
        """Keeps a commit for the op of *stamp*."""
        return await self.port.pin(await self.root_of(graph_id), number, stamp=stamp)

    async def unpin(self, graph_id: str, number: int, *, op: str) -> None:
        """Lets go of a commit, as far as *op* needed it."""
        await self.port.unpin(await self.root_of(graph_id), number, op=op)

    async def pins(self, graph_id: str) -> tuple[Pin, ...]:
        """Returns every pin of a graph, by commit."""
        return await self.port.pins(await self.root_of(graph_id))

    async def revert(self, graph_id: str, number: int, *, observed: int, stamp: Stamp) -> int:
        """Makes what an earlier commit named the newest again."""
        root = await self.root_of(graph_id)
        return await self.port.revert(root, number, observed=observed, stamp=stamp)

    async def _named(self) -> State:
        """Returns the state whose names hold, read again where the ledger has moved."""
        if self._assumed is not None:
            return self._assumed
        known = self._ledger.newest_known
        if known == 0 or known != self._seq:
            head = await self._ledger.head()
            self._seq = head.seq if head is not None else 0
            self._state = head.envelope.state if head is not None else State()
        return self._state


def _named(failure: GraphError, graph_id: str, root: str) -> GraphError:
    """Returns *failure* as one of the graph, where the port spoke of its root."""
    told = failure.diagnostic
    if root != graph_id and told.path == graph_address(root):
        told = msgspec.structs.replace(told, path=graph_address(graph_id))
        return type(failure)(told)
    return failure
