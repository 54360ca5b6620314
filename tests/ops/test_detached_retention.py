"""How long a deleted graph is kept is the applied setting's to say, and only a human shortens it. Source: control-plane 3.5."""

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from agentctl.domain.approval.facts import DecisionFacts
from agentctl.domain.approval.records import ApprovalRequest
from agentctl.domain.ledger.state import Tombstone
from agentctl.engine.apply import apply
from agentctl.engine.cluster import Cluster
from agentctl.engine.data import load
from agentctl.engine.deciding import decision_facts
from agentctl.engine.detached import graph_restore
from agentctl.engine.keeping import retention_s
from agentctl.engine.planning import make_plan
from agentctl.engine.refresh import refresh
from agentctl.instants import format_instant, parse_instant
from agentctl.testing.archives import MemoryArchive
from agentctl.testing.builders import (
    ROWS,
    Bench,
    ask,
    cluster_yaml,
    decide,
    folder_files,
    recorded,
    wanting,
)
from agentctl.testing.crash import Crash

LINES = ROWS.splitlines(keepends=True)


def kept_for(detached: str, more: str = "") -> str:
    return f"ops:\n{more}  retention: {{detached: {detached}}}\n"


async def keeping(bench: Bench, detached: str) -> Cluster:
    """A cluster of `supply` and `spare` whose applied settings keep deleted graphs that long."""
    text = cluster_yaml("supply", "spare", more=kept_for(detached))
    cluster = await bench.begun(folder_files("supply", "spare") | {"cluster.yaml": text})
    await decide(cluster, await ask(cluster, bench.sarah, "ops"))
    done = await apply(cluster, bench.sarah, wanting())
    assert done.converged, done.diagnostics
    await load(cluster, bench.sarah, "spare", LINES, "append", "rows")
    return cluster


def without_spare(bench: Bench, detached: str) -> None:
    text = cluster_yaml("supply", more=kept_for(detached))
    bench.write({"spare.pg": None, "spare.gq": None, "cluster.yaml": text})


async def deleted(bench: Bench, detached: str) -> Cluster:
    cluster = await keeping(bench, detached)
    without_spare(bench, detached)
    await decide(cluster, await ask(cluster, bench.agent, "graph.spare"))
    done = await apply(cluster, bench.agent, wanting())
    assert done.converged, done.diagnostics
    return cluster


async def tombstone(cluster: Cluster) -> Tombstone:
    found = (await recorded(cluster)).observations["graph.spare"]
    assert isinstance(found, Tombstone)
    return found


async def page(bench: Bench, cluster: Cluster, request: ApprovalRequest) -> DecisionFacts:
    found = await decision_facts(cluster, bench.sarah, request.request_id)
    assert isinstance(found, DecisionFacts), found
    return found


async def seq_of(cluster: Cluster) -> int:
    head = await cluster.ledger.head()
    assert head is not None
    return head.seq


async def presence(cluster: Cluster) -> str:
    return (await cluster.graphs.observe("spare")).presence


@pytest.mark.parametrize(("detached", "kept_s"), [("12h", 43_200), ("30d", 2_592_000)])
async def test_the_applied_setting_decides_when_a_deleted_graph_is_purged(
    tmp_path: Path, detached: str, kept_s: int
) -> None:
    bench = Bench(tmp_path)
    cluster = await deleted(bench, detached)

    stone = await tombstone(cluster)

    assert stone.purge_after is not None
    due = parse_instant(stone.purge_after) - parse_instant(stone.deleted_at)
    assert due == timedelta(seconds=kept_s)
    bench.world.advance(kept_s - 600)
    await refresh(cluster, bench.sarah, "look")
    assert await presence(cluster) == "detached"
    bench.world.advance(1_200)
    await refresh(cluster, bench.sarah, "look")
    assert await presence(cluster) == "purged"


async def test_zero_detaches_and_purges_in_one_apply(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await keeping(bench, "0")
    without_spare(bench, "0")
    request = await ask(cluster, bench.agent, "graph.spare")
    facts = await page(bench, cluster, request)
    await decide(cluster, request)
    seq = await seq_of(cluster)

    done = await apply(cluster, bench.agent, wanting())

    assert done.converged, done.diagnostics
    assert facts.restore_until is None
    assert (await tombstone(cluster)).purged_at is not None
    assert await presence(cluster) == "purged"
    assert await seq_of(cluster) == seq + 1
    refused = await graph_restore(cluster, bench.sarah, "spare", "too late")
    assert [d.code for d in refused.diagnostics] == ["graph_restore_refused"]


async def test_what_is_declared_shortens_nothing_before_a_human_approved_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await keeping(bench, "30d")
    without_spare(bench, "0")

    planned = await make_plan(cluster, bench.agent)
    await decide(cluster, await ask(cluster, bench.agent, "graph.spare"))
    done = await apply(cluster, bench.agent, wanting(without_gated=True))

    classes = {str(c.resource): c.classes for c in planned.result.changes}
    assert classes["ops"] == ("authority",)
    assert [n.resource for n in done.approvals_required] == ["ops"]
    assert await presence(cluster) == "detached"


async def test_a_tombstone_keeps_the_time_it_was_given(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await deleted(bench, "30d")
    before = await tombstone(cluster)
    bench.write({"cluster.yaml": cluster_yaml("supply", more=kept_for("0"))})
    await decide(cluster, await ask(cluster, bench.sarah, "ops"))

    done = await apply(cluster, bench.sarah, wanting())

    assert done.converged, done.diagnostics
    assert await retention_s(cluster.catalog, await recorded(cluster)) == 0
    assert await tombstone(cluster) == before
    assert await presence(cluster) == "detached"


async def test_a_consent_under_a_longer_time_is_none_to_a_shorter_one(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await keeping(bench, "30d")
    without_spare(bench, "30d")
    await decide(cluster, await ask(cluster, bench.agent, "graph.spare"))
    bench.write({"cluster.yaml": cluster_yaml("supply", "spare", more=kept_for("0"))})
    bench.write({f: t for f, t in folder_files("spare").items() if f != "cluster.yaml"})
    await decide(cluster, await ask(cluster, bench.sarah, "ops"))
    assert (await apply(cluster, bench.sarah, wanting())).converged
    without_spare(bench, "0")

    planned = await make_plan(cluster, bench.agent)

    (need,) = planned.result.approvals_required
    assert (need.resource, need.standing) == ("graph.spare", "stale")
    assert await presence(cluster) == "live"


async def test_plan_and_page_say_until_when_it_can_be_restored(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await keeping(bench, "36h")
    without_spare(bench, "36h")

    planned = await make_plan(cluster, bench.agent)
    request = await ask(cluster, bench.agent, "graph.spare")
    now = bench.world.now()
    facts = await page(bench, cluster, request)

    (need,) = planned.result.approvals_required
    assert "it can be restored for 36 hours, then its data is purged" in need.reason
    assert request.statement.effect.kept_s == 129_600
    assert facts.restore_until is not None
    assert facts.restore_until[:16] == format_instant(now + timedelta(hours=36))[:16]


async def test_a_setting_that_cannot_be_read_purges_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await keeping(bench, "0")
    (key,) = [k for k in bench.objects if "/resources/ops/" in k]
    bench.objects[key] = b"{}"

    planned = await make_plan(cluster, bench.agent)

    assert planned.plan is not None
    assert await retention_s(cluster.catalog, await recorded(cluster)) is None


async def test_a_purge_at_once_waits_for_an_archive_that_does_not_answer(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    archive = MemoryArchive(bench.world.now)
    more = "  archive: {backend: local, path: kept}\n"
    text = cluster_yaml("supply", "spare", more=kept_for("0", more))
    cluster = await bench.begun(folder_files("supply", "spare") | {"cluster.yaml": text})
    cluster = msgspec.structs.replace(cluster, make_archive=lambda *_: archive)
    await decide(cluster, await ask(cluster, bench.sarah, "ops"))
    await apply(cluster, bench.sarah, wanting())
    text = cluster_yaml("supply", more=kept_for("0", more))
    bench.write({"spare.pg": None, "spare.gq": None, "cluster.yaml": text})
    await decide(cluster, await ask(cluster, bench.agent, "graph.spare"))
    archive.is_down = True

    done = await apply(cluster, bench.agent, wanting())

    assert "archive_unavailable" in [d.code for d in done.diagnostics]
    assert await presence(cluster) == "detached"
    archive.is_down = False
    await refresh(cluster, bench.sarah, "look")
    assert await presence(cluster) == "purged"


async def test_a_purge_at_once_that_dies_anywhere_is_ended_by_the_next_apply(
    tmp_path: Path,
) -> None:
    points = 0
    while True:
        path = tmp_path / str(points)
        path.mkdir()
        bench = Bench(path)
        cluster = await keeping(bench, "0")
        without_spare(bench, "0")
        await decide(cluster, await ask(cluster, bench.agent, "graph.spare"))
        dying, store = await bench.crashing(points + 1)
        try:
            await apply(dying, bench.agent, wanting())
        except* Crash:
            pass
        if not store.crashed:
            break
        points += 1
        bench.world.advance(120)
        cluster = await bench.open()
        done = await apply(cluster, bench.agent, wanting())
        assert done.converged, (points, done.diagnostics)
        stone = await tombstone(cluster)
        assert stone.purged_at is not None, points
        assert await presence(cluster) == "purged"
        assert len((await recorded(cluster)).approval_records) == 2
    assert points > 8
