"""What the ledger has recorded did not fail, whatever broke after it."""

from pathlib import Path

import pytest

from agentctl.domain.storage.protocol import ObjectStore, UnavailableError
from agentctl.engine.apply import apply
from agentctl.testing.builders import Bench, ask, cluster_yaml, decide, folder_files, wanting


class NoMarks:
    """A store that takes everything but the marks of consumed approvals."""

    def __init__(self, inner: ObjectStore) -> None:
        self._inner = inner
        self.uri = inner.uri

    async def create(self, key: str, data: bytes) -> bool:
        if key.endswith(".consumed.json"):
            msg = "the disk is full"
            raise UnavailableError(msg)
        return await self._inner.create(key, data)

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)


async def test_a_recorded_apply_that_breaks_at_a_mark_ends_as_success(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    await apply(cluster, bench.agent, wanting())
    bench.write({"cluster.yaml": cluster_yaml()})
    await decide(cluster, await ask(cluster, bench.agent, "graph.supply"))
    bench.wrap_store = NoMarks  # type: ignore[assignment]  # forwards what it does not wrap
    with pytest.raises(UnavailableError):
        await apply(await bench.open(), bench.agent, wanting("take it away"))
    bench.wrap_store = lambda store: store

    cluster = await bench.open()
    await apply(cluster, bench.agent, wanting())

    op = next(o for o in await cluster.journal.list() if o.intent == "take it away")
    assert op.status == "success"
    assert len((await cluster.approvals.records()).consumptions) == 1
