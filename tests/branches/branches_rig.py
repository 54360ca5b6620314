"""An applied cluster on a disk, whose graph `supply` has two packages and an edge, and its door."""

from pathlib import Path
from typing import Any

from agentctl.engine.apply import apply
from agentctl.engine.data import load
from agentctl.engine.moving import branch_lease
from agentctl.engine.world import mint_nonce, stamp_now
from agentctl.graph.lance_port import LanceGraphs
from agentctl.graph.loads.sources import LoadOptions, NdjsonSource
from agentctl.graph.port import Stamp
from agentctl.testing.builders import ROWS, Bench, ask, decide, folder_files, wanting
from agentctl_tools.door import call
from agentctl_tools.operation import Envelope, Notify

LINES = ROWS.splitlines(keepends=True)


def package(name: str, version: str) -> bytes:
    return b'{"type": "Package", "data": {"name": "%s", "version": "%s"}}\n' % (
        name.encode(),
        version.encode(),
    )


class Site:
    """The cluster, and sarah at its door."""

    def __init__(self, path: Path) -> None:
        self.bench = Bench(path, where="lance")
        self.cluster: Any = None  # of `begin`

    async def begin(self, more: str = "", *, gate: str = "cluster") -> "Site":
        """Makes and applies it; *more* is added to cluster.yaml, and *gate* is what that is about."""
        files = folder_files("supply")
        self.cluster = await self.bench.begun(
            files | {"cluster.yaml": f"{files['cluster.yaml']}{more}"}
        )
        result = await apply(self.cluster, self.bench.agent, wanting())
        if more:
            await decide(self.cluster, await ask(self.cluster, self.bench.agent, gate))
            result = await apply(self.cluster, self.bench.agent, wanting())
        assert result.converged, result.diagnostics
        report, _ = await load(
            self.cluster, self.bench.sarah, "supply", LINES, "append", "first rows"
        )
        assert report.commit == "main:2", report
        return self

    async def ask(self, operation: str, *, notify: Notify | None = None, **given: Any) -> Envelope:
        """Calls an operation about the graph as sarah."""
        arguments = {"graph": "supply", **given}
        return await call(self.cluster, self.bench.sarah, operation, arguments, notify=notify)

    async def done(self, operation: str, **given: Any) -> Any:
        """Returns the data of a write that must be good."""
        envelope = await self.ask(operation, intent="a test", **given)
        assert envelope.ok, envelope
        return envelope.data

    async def put(self, branch: str, *lines: bytes) -> str:
        """Merges rows into a branch below the door; returns the id of the commit."""
        graphs, world = self.cluster.graphs.port, self.cluster.world
        assert isinstance(graphs, LanceGraphs)
        resource = branch_lease("supply", branch)
        async with self.cluster.leases.hold(resource, principal="x", operation="load") as lease:
            stamp = Stamp(
                op="x:below",
                actor="x",
                on_behalf_of=None,
                intent="rows",
                epoch=lease.epoch,
                nonce=mint_nonce(world),
                at=stamp_now(world),
            )
            outcome = await graphs.load_from(
                "supply",
                [NdjsonSource(lines=lines)],
                branch=branch,
                options=LoadOptions(mode="merge"),
                stamp=stamp,
            )
        assert outcome.commit is not None, outcome
        return outcome.commit

    async def exported(self, **given: Any) -> tuple[Envelope, list[bytes]]:
        """Exports; returns the answer and the lines."""
        blocks: list[bytes] = []

        async def take(block: Any) -> None:
            blocks.append(block.lines)

        envelope = await self.ask("graph_export", notify=take, **given)
        return envelope, b"".join(blocks).splitlines()


def codes(envelope: Envelope) -> list[str]:
    return [d.code for d in envelope.diagnostics]
