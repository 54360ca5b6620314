"""The graphs of a sandbox: `GraphPort` and `GraphData` over what it was lent and what it made.

The same engine works on both. A lent graph is seen through `ForkStore`, so every name that goes in or
comes out is one of the sandbox's; what would change the real root besides its branches is refused.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from agentctl.domain.ledger.observations import LiveGraph
from agentctl.domain.ledger.peeks import Peek
from agentctl.domain.storage.protocol import BackendError
from agentctl.graph.asking import NEWEST, Point
from agentctl.graph.embedder import Embedder
from agentctl.graph.forking.fork import Fork
from agentctl.graph.forking.forked_data import ForkedData
from agentctl.graph.forking.refusing import not_in_a_sandbox
from agentctl.graph.forking.sides import Sides, is_over
from agentctl.graph.lance_port import LanceGraphs
from agentctl.graph.layout import MAIN
from agentctl.graph.loading import Mode
from agentctl.graph.loads.sources import LoadOptions, LoadOutcome, Source
from agentctl.graph.log import check_epoch
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
from agentctl.graph.writes.report import MutationReport
from agentctl.languages.query.plan import CheckedQuery
from agentctl.languages.schema.ir import SchemaIr

if TYPE_CHECKING:
    import pyarrow as pa

    from agentctl.graph.reads.explained import Explained


class ForkedGraphs(ForkedData):
    """The graphs of one sandbox."""

    def __init__(self, lent: LanceGraphs, own: LanceGraphs, fork: Fork) -> None:
        super().__init__(Sides(lent, own, fork))

    @property
    def fork(self) -> Fork:
        """What the sandbox was lent."""
        return self._sides.fork

    def uri(self, graph_id: str) -> str:
        """Returns the graph's location as the sandbox has it, wherever its rows lie."""
        return self._sides.own.uri(graph_id)

    async def roots(self) -> tuple[str, ...]:
        """Returns the ids of all graphs that the sandbox has or had, sorted."""
        own = await self._sides.own.roots()
        return tuple(sorted({*own, *await self._sides.lent_roots()}))

    async def observe(self, graph_id: str) -> LiveGraph:
        """Returns what a graph holds; never raises for what it finds there."""
        live = await (await self._seen_on(graph_id)).observe(graph_id)
        return msgspec.structs.replace(live, uri=self.uri(graph_id))

    async def observe_branch(self, graph_id: str, branch: str) -> LiveGraph:
        """Returns what a branch holds, as `observe` does of `main`; never raises for what it finds."""
        live = await (await self._seen_on(graph_id)).observe_branch(graph_id, branch)
        return msgspec.structs.replace(live, uri=self.uri(graph_id))

    async def _seen_on(self, graph_id: str) -> LanceGraphs:
        """Returns the place where a graph lies; its own, which tells of it, where that is unreadable."""
        try:
            return await self._sides.of(graph_id)
        except (GraphError, BackendError, OSError):
            return self._sides.own

    async def create(
        self, graph_id: str, *, schema: SchemaPayload, incarnation: str, stamp: Stamp
    ) -> int:
        """Makes a graph of the sandbox's own; over a lent one only where that was deleted inside."""
        if await self._sides.is_lent(graph_id):
            head = await self._sides.lent_head(graph_id)
            if head is not None:
                if not is_over(head) or head.incarnation == incarnation:
                    raise conflict(graph_id, expected=None, actual=head)
                check_epoch(graph_id, head, stamp.epoch)
        return await self._sides.own.create(
            graph_id, schema=schema, incarnation=incarnation, stamp=stamp
        )

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
        side = await self._sides.of(graph_id)
        return await side.migrate(
            graph_id, schema=schema, observed=observed, stamp=stamp, branch=branch
        )

    async def peek(self, graph_id: str, ir: SchemaIr, *, rows_max: int) -> tuple[Peek, ...]:
        """Returns, in counts, what of the rows in force *ir* would not permit, or would drop."""
        return await (await self._sides.of(graph_id)).peek(graph_id, ir, rows_max=rows_max)

    async def erase(self, graph_id: str, *, observed: int, stamp: Stamp) -> int:
        """Takes away for good what the newest commit does not name; of a lent graph writes a `fence`.

        What earlier commits of a lent graph name is the real graph's, and goes with its own erasure.
        """
        if await self._sides.is_lent(graph_id):
            return await self._sides.lent.fence(graph_id, observed=observed, stamp=stamp)
        return await self._sides.own.erase(graph_id, observed=observed, stamp=stamp)

    async def detach(self, graph_id: str, *, observed: int, stamp: Stamp) -> int:
        """Writes the tombstone of `main`, then those of the sandbox's other branches."""
        side = await self._sides.of(graph_id)
        return await side.detach(graph_id, observed=observed, stamp=stamp)

    async def restore(self, graph_id: str, *, incarnation: str, stamp: Stamp) -> int:
        """Writes a `restore` commit that brings back the commit before the tombstone."""
        side = await self._sides.of(graph_id)
        return await side.restore(graph_id, incarnation=incarnation, stamp=stamp)

    async def purge(self, graph_id: str, *, incarnation: str, observed: int, stamp: Stamp) -> None:
        """Removes the data of a detached graph of the sandbox's own; `not_in_a_sandbox` of a lent one."""
        head = await self._sides.lent_head(graph_id)
        if head is not None and incarnation == head.incarnation:
            raise not_in_a_sandbox(graph_id, "its data is the real graph's too")
        await self._sides.own.purge(
            graph_id, incarnation=incarnation, observed=observed, stamp=stamp
        )

    async def fence(self, graph_id: str, *, observed: int, stamp: Stamp, branch: str = MAIN) -> int:
        """Writes a `fence` commit of a branch, that changes nothing but the epoch."""
        side = await self._sides.of(graph_id)
        return await side.fence(graph_id, observed=observed, stamp=stamp, branch=branch)

    async def load(
        self,
        graph_id: str,
        lines: AsyncIterator[bytes] | Iterable[bytes],
        *,
        mode: Mode,
        stamp: Stamp,
    ) -> LoadReport:
        """Loads NDJSON lines by one commit, or nothing at all."""
        return await (await self._sides.of(graph_id)).load(graph_id, lines, mode=mode, stamp=stamp)

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
        side = await self._sides.of(graph_id)
        return await side.load_from(graph_id, sources, branch=branch, options=options, stamp=stamp)

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
        side = await self._sides.of(graph_id)
        return await side.mutate(
            graph_id, query, params, branch=branch, if_commit=if_commit, stamp=stamp
        )

    async def run(  # noqa: PLR0913  # what a read is given
        self,
        graph_id: str,
        query: CheckedQuery,
        params: Mapping[str, object],
        *,
        limit: int | None = None,
        options: ReadOptions | None = None,
        point: Point = NEWEST,
        embedder: Embedder | None = None,
    ) -> ReadReply:
        """Runs a checked query with bound parameters, on the newest commit of `main` unless told."""
        side = await self._sides.of(graph_id)
        return await side.run(
            graph_id,
            query,
            params,
            limit=limit,
            options=options,
            point=point,
            embedder=embedder,
        )

    async def stream(
        self,
        graph_id: str,
        query: CheckedQuery,
        params: Mapping[str, object],
        *,
        options: ReadOptions | None = None,
        point: Point = NEWEST,
        embedder: Embedder | None = None,
    ) -> "AsyncIterator[pa.RecordBatch]":
        """Yields the rows of a read in order, as Arrow batches; none is made before it is taken."""
        side = await self._sides.of(graph_id)
        batches = side.stream(
            graph_id, query, params, options=options, point=point, embedder=embedder
        )
        async for batch in batches:
            yield batch

    async def explain(  # noqa: PLR0913  # what a read is given
        self,
        graph_id: str,
        query: CheckedQuery,
        params: Mapping[str, object],
        *,
        analyze: bool = False,
        options: ReadOptions | None = None,
        point: Point = NEWEST,
        embedder: Embedder | None = None,
    ) -> "Explained":
        """Returns the plan of a read with estimates; with *analyze* it is run, and told what it did."""
        side = await self._sides.of(graph_id)
        return await side.explain(
            graph_id,
            query,
            params,
            analyze=analyze,
            options=options,
            point=point,
            embedder=embedder,
        )

    async def history(self, graph_id: str, *, limit: int = 50) -> tuple[CommitInfo, ...]:
        """Returns the newest commits of `main`, newest first."""
        return await (await self._sides.of(graph_id)).history(graph_id, limit=limit)

    async def pin(self, graph_id: str, number: int, *, stamp: Stamp) -> Pin:
        """Keeps commit *number* of `main` for the op of *stamp*."""
        return await (await self._sides.of(graph_id)).pin(graph_id, number, stamp=stamp)

    async def unpin(self, graph_id: str, number: int, *, op: str) -> None:
        """Lets go of a commit, as far as *op* needed it."""
        if graph_id in self.fork.lent:
            await self._sides.lent.unpin(graph_id, number, op=op)
        await self._sides.own.unpin(graph_id, number, op=op)

    async def pins(self, graph_id: str) -> tuple[Pin, ...]:
        """Returns every pin of a graph, by commit."""
        found = await self._sides.lent.pins(graph_id) + await self._sides.own.pins(graph_id)
        return tuple(sorted(found, key=lambda pin: (pin.commit, pin.op)))
