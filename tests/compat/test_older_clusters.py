"""Clusters that releases left behind are read, planned and changed by this one. Source: control-plane 3.8."""

import io
import tarfile
from pathlib import Path

import pytest

from agentctl.domain.ledger.envelope import FORMAT_READ_MAX
from agentctl.engine import freeze_ops
from agentctl.engine.apply import apply
from agentctl.engine.data import run_query
from agentctl.engine.formats_seen import upgrade_check
from agentctl.engine.planning import make_plan
from agentctl.engine.status import status
from agentctl.testing.builders import Bench, wanting
from agentctl.testing.consent import key_of

CLUSTERS = Path(__file__).parent / "clusters"
RELEASES = sorted(p.name.removesuffix(".tar.gz") for p in CLUSTERS.glob("*.tar.gz"))


def unpacked(release: str, tmp_path: Path) -> Bench:
    bench = Bench(tmp_path, where="lance")
    data = (CLUSTERS / f"{release}.tar.gz").read_bytes()
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        archive.extractall(bench.path, filter="data")
    bench.world.advance(60)
    return bench


def test_there_is_a_cluster_of_the_first_release() -> None:
    assert "0.1.0" in RELEASES


@pytest.mark.parametrize("release", RELEASES)
async def test_a_cluster_of_an_older_release_is_read_whole(release: str, tmp_path: Path) -> None:
    bench = unpacked(release, tmp_path)
    cluster = await bench.open()

    seen = await status(cluster, bench.sarah)
    formats = await upgrade_check(cluster, bench.sarah)
    reply = await run_query(cluster, bench.sarah, "query.supply.all_packages", {})

    assert [d for d in seen.diagnostics if d.severity == "error"] == []
    assert formats.ok, formats.diagnostics
    assert all(max(f.found) <= f.writes for f in formats.formats if f.found)
    assert (formats.min_reader or 1) <= FORMAT_READ_MAX
    assert await cluster.ledger.verify() == ()
    assert (await cluster.principals.registry()).human("sarah") is not None
    assert {o.status for o in await cluster.journal.list()} == {"success"}
    assert await cluster.drafts.list() != ()
    assert reply.reply is not None
    assert reply.reply.row_count == 2


@pytest.mark.parametrize("release", RELEASES)
async def test_a_cluster_of_an_older_release_is_thawed_planned_and_changed(
    release: str, tmp_path: Path
) -> None:
    bench = unpacked(release, tmp_path)
    cluster = await bench.open()
    (freeze,) = await freeze_ops.freezes(cluster, bench.sarah)
    thawed = await freeze_ops.thaw(
        cluster, bench.sarah, freeze.id, "looked", signer=key_of("sarah")
    )
    text = (bench.path / "supply.gq").read_text(encoding="utf-8")
    bench.write({"supply.gq": text.replace("again", "once_more")})

    planned = await make_plan(cluster, bench.sarah)
    applied = await apply(cluster, bench.sarah, wanting())

    assert thawed.ok, thawed.diagnostics
    assert planned.plan is not None
    assert {str(c.resource) for c in planned.plan.changes} >= {"query.supply.once_more"}
    assert applied.converged, applied.diagnostics
