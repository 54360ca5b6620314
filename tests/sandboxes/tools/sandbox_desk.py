"""The door of a cluster over Lance with a history on SQLite: what agents and people call sandboxes by."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from agentctl.domain.policy.caller import Caller
from agentctl.engine.cluster import Cluster
from agentctl.engine.history import History
from agentctl.engine.sandboxes.settings import StoreConfig
from agentctl.testing.builders import Bench
from agentctl_tools.door import call
from agentctl_tools.operation import Envelope
from tests.sandboxes.inside.inside_rig import with_rows


class Desk:
    """Calls through the door, as one agent."""

    def __init__(self, bench: Bench, cluster: Cluster) -> None:
        self.bench = bench
        self.cluster = cluster
        self.agent: Caller = msgspec.structs.replace(bench.agent, via="http")

    async def ask(
        self, operation: str, /, *, by: Caller | None = None, **arguments: object
    ) -> Envelope:
        """Returns what an operation answers; ``in_`` is `in`."""
        given = {key.rstrip("_"): value for key, value in arguments.items()}
        return await call(self.cluster, by or self.agent, operation, given)

    async def must(
        self, operation: str, /, *, by: Caller | None = None, **arguments: object
    ) -> Any:
        """Returns the data of a call that has to succeed."""
        envelope = await self.ask(operation, by=by, **arguments)
        assert envelope.ok, (operation, envelope.summary, envelope.diagnostics)
        return envelope.data

    async def codes(
        self, operation: str, /, *, by: Caller | None = None, **arguments: object
    ) -> list[str]:
        """Returns the codes of a call that has to be refused."""
        envelope = await self.ask(operation, by=by, **arguments)
        assert not envelope.ok, (operation, envelope)
        return [d.code for d in envelope.diagnostics]


@asynccontextmanager
async def desk(tmp_path: Path, *graphs: str, **config: Any) -> AsyncIterator[Desk]:
    """Gives a desk over a cluster whose graphs hold two packages and an edge each."""
    bench, cluster = await with_rows(tmp_path, *(graphs or ("supply",)))
    url = f"sqlite:///{tmp_path / 'history.sqlite'}"
    history = History(StoreConfig(url=url, **config), bench.world.now)
    try:
        yield Desk(bench, msgspec.structs.replace(cluster, history=history))
    finally:
        await history.aclose()
