"""Which of two places a graph of a sandbox lies in: the real root that it was lent, or its own.

A lent graph that was deleted inside can be made again under its id: then the sandbox's own root has
one, which lies over the lent one from its first commit on, as a newer graph lies over an older one.
"""

from agentctl.graph.commit import ENDED, Commit
from agentctl.graph.forking.fork import Fork
from agentctl.graph.forking.view import ForkStore
from agentctl.graph.lance_port import LanceGraphs
from agentctl.graph.log import CommitLog


class Sides:
    """The lent graphs, by their names inside, and the sandbox's own."""

    def __init__(self, lent: LanceGraphs, own: LanceGraphs, fork: Fork) -> None:
        self.fork = fork
        view = ForkStore(lent.store, fork)
        self.lent = lent.seen_through(view, fork.outside)
        self.own = own
        self._lent_log = CommitLog(view)
        self._own_log = CommitLog(own.store)
        self._over: set[str] = set()
        """Lent graphs that were seen to have one of the sandbox's own over them; that stays so."""

    async def of(self, graph_id: str) -> LanceGraphs:
        """Returns the place where a graph lies now."""
        return self.lent if await self.is_lent(graph_id) else self.own

    async def is_lent(self, graph_id: str) -> bool:
        """Returns whether a graph is a branch of the real root."""
        if graph_id not in self.fork.lent or graph_id in self._over:
            return False
        if await self._own_log.head(graph_id) is None:
            return True
        self._over.add(graph_id)
        return False

    async def lent_head(self, graph_id: str) -> Commit | None:
        """Returns the newest commit of the trunk of a lent graph, as it is inside; None without one."""
        return await self._lent_log.head(graph_id) if graph_id in self.fork.lent else None

    async def lent_roots(self) -> tuple[str, ...]:
        """Returns the lent graphs whose trunk was cut."""
        found = [root for root in sorted(self.fork.lent) if await self._lent_log.head(root)]
        return tuple(found)


def is_over(head: Commit | None) -> bool:
    """Returns whether the graph with that newest commit ended, or never was."""
    return head is None or head.kind in ENDED
