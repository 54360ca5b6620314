"""A real graph with rows, branches and another sandbox, and a sandbox that was lent it."""

import itertools
from pathlib import Path

from agentctl.adapters.backends.local import LocalStore
from agentctl.graph.forking.cutting import cut_trunk
from agentctl.graph.forking.fork import Fork, LentGraph
from agentctl.graph.forking.forked import ForkedGraphs
from agentctl.graph.lance_port import LanceGraphs
from agentctl.graph.layout import MAIN
from agentctl.graph.loads.sources import LoadOptions, Mode, NdjsonSource
from agentctl.graph.port import Stamp
from agentctl.ids import ulid
from agentctl.testing.crash import NEVER, CrashingStore, How
from tests.conformance.test_graph_port import BASE, INCARNATIONS, payload
from tests.graph.forking.forking_rig import SANDBOX, graphs_on

OTHER = ulid(78, bytes(10))
"""Another sandbox."""
BASE_COMMIT = 2


def person(slug: str, age: int | None = None) -> bytes:
    """Returns a line of a load."""
    told = "" if age is None else f',"age":{age}'
    return f'{{"type":"Person","data":{{"slug":"{slug}"{told}}}}}'.encode()


def knows(one: str, other: str) -> bytes:
    """Returns a line of a load."""
    return f'{{"edge":"Knows","from":"{one}","to":"{other}"}}'.encode()


class Lending:
    """A real root, and one sandbox of it; `open` makes them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = LocalStore(folder)
        self.own_store = LocalStore(folder / "sandboxes" / SANDBOX)
        self.real = graphs_on(CrashingStore(self.store))
        self.fork = Fork(
            sandbox=SANDBOX,
            lent={"g": LentGraph(incarnation=INCARNATIONS[0], base=BASE_COMMIT)},
        )
        self.inside = self.port()[0]
        self._numbers = itertools.count(1)

    def port(
        self, at: int = NEVER, how: How = "before", *, own: bool = False
    ) -> tuple[ForkedGraphs, CrashingStore]:
        """Returns the sandbox's graphs anew; they die at write *at* to the real root, or their own."""
        real = CrashingStore(self.store, NEVER if own else at, how)
        mine = CrashingStore(self.own_store, at if own else NEVER, how)
        return ForkedGraphs(graphs_on(real), graphs_on(mine), self.fork), mine if own else real

    def dying(self, at: int, how: How) -> LanceGraphs:
        """Returns the real graphs anew; they die at write *at*."""
        return graphs_on(CrashingStore(self.store, at, how))

    def stamp(self, *, epoch: int = 1) -> Stamp:
        """Returns the next one."""
        number = next(self._numbers)
        return Stamp(
            op=f"x:{number}",
            actor="x",
            on_behalf_of=None,
            intent="test",
            epoch=epoch,
            nonce=f"{number:032x}",
            at=f"2026-11-21T{number // 60:02d}:{number % 60:02d}:00.000Z",
        )

    async def lend(self) -> None:
        """Makes the real graph of ann and bob, and cuts the trunk of the sandbox from it."""
        await self.real.create(
            "g", schema=payload(BASE), incarnation=INCARNATIONS[0], stamp=self.stamp()
        )
        await self.load(self.real, person("ann", 31), person("bob"), knows("ann", "bob"))
        await cut_trunk(self.real, "g", SANDBOX, base=BASE_COMMIT, stamp=self.stamp())

    async def hide(self) -> None:
        """Gives the real graph what the sandbox must not see: rows, a branch, another sandbox."""
        await self.load(self.real, person("secret"))
        await self.real.branch_create("g", "dev", stamp=self.stamp())
        await self.load(self.real, person("hidden"), branch="dev")
        await cut_trunk(self.real, "g", OTHER, base=3, stamp=self.stamp())
        await self.load(self.of(OTHER), person("theirs"))

    def of(self, sandbox: str) -> ForkedGraphs:
        """Returns the graphs of any sandbox of this root."""
        fork = Fork(sandbox=sandbox, lent=self.fork.lent)
        own = LocalStore(self.folder / "sandboxes" / sandbox)
        return ForkedGraphs(self.real, graphs_on(CrashingStore(own)), fork)

    async def load(
        self,
        graphs: LanceGraphs | ForkedGraphs,
        *lines: bytes,
        branch: str = MAIN,
        mode: Mode = "merge",
        epoch: int = 1,
    ) -> str | None:
        """Loads lines by one commit; returns its id."""
        outcome = await graphs.load_from(
            "g",
            [NdjsonSource(lines=lines)],
            branch=branch,
            options=LoadOptions(mode=mode),
            stamp=self.stamp(epoch=epoch),
        )
        assert outcome.diagnostics == (), outcome.diagnostics
        return outcome.commit

    async def outside(self) -> dict[str, object]:
        """Returns everything that the real graph shows of what is not the sandbox's."""
        shown: dict[str, object] = {}
        for branch in await self.real.branches("g"):
            if not branch.name.startswith(self.fork.trunk):
                commits = await self.real.commits("g", branch=branch.name)
                digests = [
                    await self.real.digest("g", branch=branch.name, at=str(n))
                    for n in range(1, len(commits) + 1)
                ]
                shown[branch.name] = (branch, commits, digests)
        shown["tags"] = await self.real.tags("g")
        shown["pins"] = await self.real.pins("g")
        return shown


async def rows(graphs: LanceGraphs | ForkedGraphs, *, branch: str = MAIN) -> list[str]:
    """Returns the lines of all rows of a branch."""
    blocks = [block async for block in graphs.export("g", branch=branch)]
    return b"".join(blocks).decode().splitlines()
