"""A sandbox over an object store: opened, worked in, swept away when its opener died, nothing left."""

from pathlib import Path

import pytest

from agentctl.adapters.backends.s3 import S3Store
from agentctl.adapters.backends.s3_settings import S3Root
from agentctl.domain.storage.protocol import ObjectStore
from agentctl.engine.apply import apply
from agentctl.engine.data import load
from agentctl.engine.lending import take_back
from agentctl.engine.planning import make_plan
from agentctl.engine.sandbox_sweep import sweep_sandboxes
from agentctl.engine.sandboxed import LIFE, drafting, inside
from agentctl.testing.builders import WIDER_SCHEMA, Bench, folder_files, wanting
from tests.sandboxes.inside.inside_rig import LINES, names_in, opened

NOTED = [b'{"type": "Package", "data": {"name": "c", "note": "new"}}\n']


class BucketBench(Bench):
    """A bench whose storage root is a bucket."""

    def __init__(self, path: Path, root: S3Root) -> None:
        super().__init__(path, where="lance")
        self.bucket = S3Store(root)

    def _store(self, written: str, base: Path) -> ObjectStore:
        assert written == ".", base
        return self.bucket


@pytest.mark.slow
async def test_a_sandbox_in_a_bucket_is_worked_in_and_leaves_nothing(
    tmp_path: Path, seaweed_root: S3Root
) -> None:
    bench = BucketBench(tmp_path, seaweed_root)
    cluster = await bench.begun(folder_files("supply"))
    applied = await apply(cluster, bench.sarah, wanting())
    assert applied.converged, applied.diagnostics
    await load(cluster, bench.sarah, "supply", LINES, "append", "rows")
    before = {k for k in await cluster.store.list("") if "/leases/" not in k}
    head = await cluster.ledger.head()

    closed, left = await opened(bench, cluster), await opened(bench, cluster)
    for lending in (closed, left):
        async with drafting(cluster, lending.sandbox) as drafts:
            edited = await drafts.edit(
                lending.sandbox, "supply.pg", by=bench.agent.id, content=WIDER_SCHEMA.encode()
            )
            assert not edited.diagnostics
        async with inside(cluster, lending.sandbox) as inner:
            assert (await make_plan(inner, bench.agent)).result.ok
            assert (await apply(inner, bench.agent, wanting())).converged
            report, _ = await load(inner, bench.agent, "supply", NOTED, "append", "more")
            assert report.commit, report.diagnostics
            assert await names_in(inner, "supply") == ["a", "b", "c"]
    await take_back(cluster, closed.sandbox, by="sarah", reason="closed")
    bench.world.advance(LIFE.total_seconds() + 60)
    swept = await sweep_sandboxes(await bench.open())

    # An object store judges by its own clock, which stands where it stood: nothing is over there.
    if not swept.ended:
        await take_back(cluster, left.sandbox, by="sarah", reason="closed")
    assert {k for k in await cluster.store.list("") if "/leases/" not in k} == before
    assert await cluster.ledger.head() == head
    assert await names_in(cluster, "supply") == ["a", "b"]
    await bench.bucket.aclose()
