"""Looking at ops reads what is shown, however many there are. Source: ops 5."""

from pathlib import Path

import pytest

from agentctl.adapters.backends.memory import MemoryStore
from agentctl.domain.ops.record import Lineage, NewOp, OpActor, Snapshot
from agentctl.domain.storage.protocol import ObjectStore, StoredObject
from agentctl.engine.cluster import Cluster
from agentctl.testing.builders import Bench, folder_files
from agentctl_tools.door import call
from agentctl_tools.ops import OpList, OpShown

OPS = 2_000
NOTHING = Snapshot(seq=None, state_cas=None, resource_digests={}, graphs={})


class Counting:
    """A store that counts what is read."""

    def __init__(self, inner: ObjectStore) -> None:
        self._inner = inner
        self.reads = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    async def read(self, key: str) -> StoredObject | None:
        self.reads += key.startswith("ops/")
        return await self._inner.read(key)


@pytest.fixture
async def large(tmp_path: Path) -> tuple[Bench, Cluster, Counting]:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    parent = await cluster.journal.newest_cluster_op()
    actor = OpActor(nid="local:x", identity="x")
    for number in range(OPS):
        new = NewOp(
            actor=actor,
            intent=f"change {number}",
            workspace="w",
            operation="update",
            action="apply",
            lineage=Lineage(parent_op=parent),
        )
        op = await cluster.journal.begin(new, pre=NOTHING)
        await cluster.journal.move(op.id, "running", epoch=1)
        await cluster.journal.move(op.id, "success", epoch=1, post=NOTHING)
        parent = op.id
    counting = Counting(MemoryStore(objects=bench.objects))
    bench.wrap_store = lambda _: counting  # type: ignore[assignment, return-value]  # forwards
    return bench, await bench.open(), counting


async def test_a_page_of_the_log_of_two_thousand_ops_reads_that_page(
    large: tuple[Bench, Cluster, Counting],
) -> None:
    bench, cluster, counting = large
    counting.reads = 0

    listed = await call(cluster, bench.sarah, "ops", {"limit": 20})

    assert isinstance(listed.data, OpList)
    assert len(listed.data.ops) == 20
    assert counting.reads < 20 * 10


async def test_one_op_of_two_thousand_is_shown_with_its_nearest_ancestors(
    large: tuple[Bench, Cluster, Counting],
) -> None:
    bench, cluster, counting = large
    newest = (await cluster.journal.list(1))[0]
    counting.reads = 0

    shown = await call(cluster, bench.sarah, "ops", {"id": newest.id})

    assert isinstance(shown.data, OpShown)
    assert len(shown.data.lineage) == 100
    assert shown.data.lineage[0].id == newest.lineage.parent_op
    assert counting.reads < 100 * 6
