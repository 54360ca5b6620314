"""A real root and a sandbox over it: the sandbox's graphs are made for real and lent at once."""

from collections.abc import Callable
from pathlib import Path

from agentctl.adapters.backends.local import LocalStore
from agentctl.graph.forking.cutting import cut_trunk
from agentctl.graph.forking.fork import Fork, LentGraph
from agentctl.graph.forking.forked import ForkedGraphs
from agentctl.graph.lance_port import LanceGraphs
from agentctl.graph.layout import format_key
from agentctl.graph.port import SchemaPayload, Stamp
from agentctl.ids import ulid
from agentctl.testing.crash import NEVER, CrashingStore, How
from tests.conformance.test_graph_port import INCARNATIONS, minter

SANDBOX = ulid(77, bytes(10))
FORK = Fork(sandbox=SANDBOX, lent={"g": LentGraph(incarnation=INCARNATIONS[0], base=1)})


class LendingGraphs(ForkedGraphs):
    """The graphs of a sandbox that is opened when its first graph is created.

    That graph is made for real and its trunk is cut, by commits of one stamp; inside, the cut is the
    graph's commit `create`.
    """

    def __init__(self, real: LanceGraphs, own: LanceGraphs, fork: Fork) -> None:
        super().__init__(real, own, fork)
        self.real = real

    async def create(
        self, graph_id: str, *, schema: SchemaPayload, incarnation: str, stamp: Stamp
    ) -> int:
        if graph_id in self.fork.lent and not await self._is_cut(graph_id, stamp):
            base = await self.real.create(
                graph_id, schema=schema, incarnation=incarnation, stamp=stamp
            )
            await cut_trunk(self.real, graph_id, self.fork.sandbox, base=base, stamp=stamp)
            return 1
        return await super().create(graph_id, schema=schema, incarnation=incarnation, stamp=stamp)

    async def _is_cut(self, graph_id: str, stamp: Stamp) -> bool:
        history = await self.history(graph_id)
        return bool(history) and all(commit.nonce != stamp.nonce for commit in history)


class LendingRig:
    """Two storages that outlive their ports: the real root, and the sandbox's own."""

    def __init__(self, folder: Path, fork: Fork = FORK) -> None:
        self.store = LocalStore(folder)
        self.own = LocalStore(folder / "sandboxes" / fork.sandbox)
        self.fork = fork

    def port(self, at: int = NEVER, how: How = "before") -> tuple[LendingGraphs, CrashingStore]:
        """Returns a port that crashes at write *at* to the real root."""
        crashing = CrashingStore(self.store, at, how)
        graphs = LendingGraphs(
            graphs_on(crashing, minter()), graphs_on(CrashingStore(self.own), minter()), self.fork
        )
        return graphs, crashing

    async def plant_foreign(self, graph_id: str) -> None:
        await self.store.create(format_key(graph_id), b'{"format": "omnigraph", "version": 6}')

    async def aclose(self) -> None:
        await self.store.aclose()
        await self.own.aclose()


def graphs_on(store: CrashingStore, mint: Callable[[], str] | None = None) -> LanceGraphs:
    return LanceGraphs(
        store,
        before_table_write=store.before_table_write,
        mint=mint,
        index_rows_min=1,
    )
