"""A purge that stood still takes nothing of a graph that was restored meanwhile. Source: control-plane 3.5; ADR 13."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

import msgspec
import pytest

from agentctl.domain.ledger.state import Tombstone
from agentctl.engine.apply import apply
from agentctl.engine.cluster import Cluster
from agentctl.engine.data import load, run_query
from agentctl.engine.detached import graph_purge, graph_restore
from agentctl.engine.leases import LeaseLostError
from agentctl.engine.refresh import import_, refresh
from agentctl.graph.port import CommitInfo, GraphPort, Stamp
from agentctl.testing.archives import MemoryArchive
from agentctl.testing.builders import (
    ROWS,
    Bench,
    Where,
    ask,
    cluster_yaml,
    decide,
    folder_files,
    recorded,
    wanting,
)
from agentctl.testing.crash import Crash

LINES = ROWS.splitlines(keepends=True)
LATER = [b'{"type": "Package", "data": {"name": "late"}}\n']
WEEK_S = 7 * 86_400.0 + 60
OPS = "ops:\n  archive: {backend: local, prefix: kept}\n"
Meanwhile = Callable[[], Awaitable[None]]


class StandsStill:
    """Graphs of a process that stands still before one call, once, while others go on."""

    def __init__(self, port: GraphPort, before: str, meanwhile: Meanwhile) -> None:
        self._port = port
        self._before = before
        self._meanwhile = meanwhile
        self.stood = False

    def __getattr__(self, name: str) -> object:
        return getattr(self._port, name)

    async def history(self, graph_id: str, *, limit: int = 50) -> tuple[CommitInfo, ...]:
        await self._stand("history")
        return await self._port.history(graph_id, limit=limit)

    async def purge(self, graph_id: str, *, incarnation: str, observed: int, stamp: Stamp) -> None:
        await self._stand("purge")
        await self._port.purge(graph_id, incarnation=incarnation, observed=observed, stamp=stamp)

    async def _stand(self, call: str) -> None:
        if call == self._before and not self.stood:
            self.stood = True
            await self._meanwhile()


async def standing_still(bench: Bench, before: str, meanwhile: Meanwhile) -> Cluster:
    """A process that will stand still; those that are opened after it do not."""
    bench.wrap_graphs = lambda port: cast("GraphPort", StandsStill(port, before, meanwhile))
    cluster = await bench.open()
    bench.wrap_graphs = lambda port: port
    return cluster


async def gone(bench: Bench, cluster: Cluster) -> None:
    """Deletes `spare`, as a human approves."""
    bench.write({"spare.pg": None, "spare.gq": None, "cluster.yaml": cluster_yaml("supply")})
    await decide(cluster, await ask(cluster, bench.agent, "graph.spare"))
    done = await apply(cluster, bench.agent, wanting())
    assert done.converged, done.diagnostics


async def due(bench: Bench) -> Cluster:
    """A cluster whose graph `spare` of two packages was deleted, and its time is over."""
    cluster = await bench.begun(folder_files("supply", "spare"))
    assert (await apply(cluster, bench.sarah, wanting())).converged
    await load(cluster, bench.sarah, "spare", LINES, "append", "rows")
    await gone(bench, cluster)
    bench.world.advance(WEEK_S)
    return cluster


async def restored(bench: Bench) -> Cluster:
    """Another process takes the leases of one that does not beat, and brings `spare` back."""
    other = await bench.open()
    done = await graph_restore(other, bench.sarah, "spare", "it is needed after all")
    assert done.ok, done.diagnostics
    return other


async def packages(cluster: Cluster, caller: object) -> int:
    outcome = await run_query(cluster, caller, "query.spare.all_packages", {}, 10)  # type: ignore[arg-type]  # a bench's
    assert outcome.reply is not None, outcome.diagnostics
    return outcome.reply.row_count


@pytest.mark.parametrize("where", ["memory", "lance"])
async def test_a_purge_by_hand_says_that_the_graph_came_back_and_removes_nothing(
    tmp_path: Path, where: Where
) -> None:
    bench = Bench(tmp_path, where=where)
    await due(bench)

    async def meanwhile() -> None:
        await restored(bench)

    purger = await standing_still(bench, "purge", meanwhile)
    late = await graph_purge(purger, bench.sarah, "spare", "room")

    cluster = await bench.open()
    (told,) = [d for d in late.diagnostics if d.code == "graph_not_detached"]
    assert not late.ok
    assert told.severity == "error"
    assert told.path == "graph.spare"
    assert "spare was not purged: it was restored before" in told.message
    assert "(restore) of sarah" in (told.detail or "")
    assert await packages(cluster, bench.sarah) == 2
    assert (await cluster.graphs.observe("spare")).presence == "live"
    assert [c.kind for c in await cluster.graphs.history("spare", limit=2)] == [
        "restore",
        "tombstone",
    ]


@pytest.mark.parametrize("where", ["memory", "lance"])
@pytest.mark.parametrize("before", ["history", "purge"])
@pytest.mark.parametrize("command", ["apply", "refresh"])
async def test_a_sweep_that_stood_still_leaves_what_came_back(
    tmp_path: Path, where: Where, before: str, command: str
) -> None:
    bench = Bench(tmp_path, where=where)
    await due(bench)

    async def meanwhile() -> None:
        await restored(bench)

    sweeper = await standing_still(bench, before, meanwhile)
    by_apply = apply(sweeper, bench.sarah, wanting())
    by_refresh = refresh(sweeper, bench.sarah, "look")
    run, other = (by_apply, by_refresh) if command == "apply" else (by_refresh, by_apply)
    other.close()
    with pytest.raises(LeaseLostError):
        await run

    cluster = await bench.open()
    assert await packages(cluster, bench.sarah) == 2
    assert "graph.spare" in (await recorded(cluster)).applied_revision.resources


@pytest.mark.parametrize("before", ["history", "purge"])
async def test_a_purge_that_stood_still_leaves_a_graph_that_was_deleted_anew_its_own_time(
    tmp_path: Path, before: str
) -> None:
    bench = Bench(tmp_path)
    await due(bench)

    async def meanwhile() -> None:
        other = await restored(bench)
        await load(other, bench.sarah, "spare", LATER, "append", "late")
        bench.write(folder_files("spare"))
        await gone(bench, other)

    purger = await standing_still(bench, before, meanwhile)
    if before == "history":
        with pytest.raises(LeaseLostError):
            await graph_purge(purger, bench.sarah, "spare", "room")
    else:
        late = await graph_purge(purger, bench.sarah, "spare", "room")
        assert [d.code for d in late.diagnostics] == ["read_set_conflict"]

    cluster = await bench.open()
    stone = (await recorded(cluster)).observations["graph.spare"]
    assert isinstance(stone, Tombstone)
    assert stone.purged_at is None
    assert (await graph_restore(cluster, bench.sarah, "spare", "again")).ok
    assert await packages(cluster, bench.sarah) == 3


def folder(path: Path) -> Path:
    path.mkdir()
    return path


async def claim_of(path: Path) -> int:
    """Returns which write of a purge is its claim."""
    bench = Bench(folder(path))
    await due(bench)
    process, store = await bench.crashing(10_000)
    assert (await graph_purge(process, bench.sarah, "spare", "room")).ok
    return store.labels.index("table commit purge") + 1


async def test_a_purge_that_died_around_its_claim_is_finished_or_can_be_undone(
    tmp_path: Path,
) -> None:
    outcomes: set[bool] = set()
    claim = await claim_of(tmp_path / "counted")
    for at in range(claim - 1, claim + 5):
        bench = Bench(folder(tmp_path / str(at)))
        cluster = await due(bench)
        used = (await recorded(cluster)).approval_records
        dying, store = await bench.crashing(at)
        with pytest.raises(Crash):
            await graph_purge(dying, bench.sarah, "spare", "room")
        cluster = await bench.open()
        newest = (await cluster.graphs.history("spare", limit=1))[0]
        claimed = newest.kind == "purge"
        back = await graph_restore(cluster, bench.sarah, "spare", "is it there?")
        outcomes.add(claimed)
        assert back.ok != claimed, (at, store.labels[-1], back.diagnostics)
        if not claimed:
            assert await packages(cluster, bench.sarah) == 2, at
            continue
        assert [d.code for d in back.diagnostics] == ["graph_restore_refused"], at
        again = await refresh(cluster, bench.sarah, "go on")
        state = await recorded(cluster)
        stone = state.observations["graph.spare"]
        assert again.ok, again.diagnostics
        assert isinstance(stone, Tombstone)
        assert stone.purged_at is not None, at
        assert state.approval_records == used, "the deletion's approval is used once, and no other"
        assert (await cluster.graphs.observe("spare")).presence == "purged", at
        kinds = [c.kind for c in await cluster.graphs.history("spare")]
        assert kinds.count("purge") == 1, at
    assert outcomes == {True, False}


async def test_a_decided_purge_goes_on_though_the_ledger_was_lost_in_between(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    await due(bench)
    claim = await claim_of(tmp_path / "counted")
    dying, store = await bench.crashing(claim + 1)
    with pytest.raises(Crash):
        await graph_purge(dying, bench.sarah, "spare", "room")
    assert store.labels[-1] == "table purge versions"
    lost = ("__cluster/ledger", "__cluster/state")
    bench.objects = {k: v for k, v in bench.objects.items() if not k.startswith(lost)}
    cluster = await bench.open()

    told = await import_(cluster, bench.sarah, "the ledger was lost")
    stone = (await recorded(cluster)).observations["graph.spare"]
    await refresh(cluster, bench.sarah, "go on")

    (rebuilt,) = [d for d in told.diagnostics if d.code == "graph_tombstone_rebuilt"]
    assert "Its purge was decided at" in (rebuilt.detail or "")
    assert rebuilt.remedy is None
    assert isinstance(stone, Tombstone)
    assert stone.purge_after is not None
    assert (await cluster.graphs.observe("spare")).presence == "purged"


async def test_an_archive_holds_what_is_purged_not_what_was_to_be_purged_once(
    tmp_path: Path,
) -> None:
    """A bundle from before the graph came back lacks what was written since."""
    bench = Bench(tmp_path, where="lance")
    archive = MemoryArchive(bench.world.now)
    text = cluster_yaml("supply", "spare", more=OPS)
    cluster = await bench.begun(folder_files("supply", "spare") | {"cluster.yaml": text})
    cluster = with_archive(cluster, archive)
    await decide(cluster, await ask(cluster, bench.sarah, "ops"))
    assert (await apply(cluster, bench.sarah, wanting())).converged
    await load(cluster, bench.sarah, "spare", LINES, "append", "rows")

    async def delete() -> None:
        without = cluster_yaml("supply", more=OPS)
        bench.write({"spare.pg": None, "spare.gq": None, "cluster.yaml": without})
        await decide(cluster, await ask(cluster, bench.agent, "graph.spare"))
        assert (await apply(cluster, bench.agent, wanting())).converged
        bench.world.advance(WEEK_S)

    async def come_back() -> None:
        other = with_archive(await restored(bench), archive)
        await load(other, bench.sarah, "spare", LATER, "append", "late")

    await delete()
    purger = with_archive(await standing_still(bench, "purge", come_back), archive)
    late = await graph_purge(purger, bench.sarah, "spare", "room")
    cluster = with_archive(await bench.open(), archive)
    bench.write(folder_files("spare") | {"cluster.yaml": text})
    await delete()
    purged = await graph_purge(cluster, bench.sarah, "spare", "room")

    held = [await archive.bring(snapshot.id) for snapshot in await archive.held()]
    newest = max(n for objects in held for n in commits_in(objects))
    kinds = [c.kind for c in reversed(await cluster.graphs.history("spare"))]
    assert not late.ok
    assert purged.ok, purged.diagnostics
    assert kinds[newest - 1] == "tombstone"
    assert kinds[newest:] == ["purge"], "the last tombstone is in the archive, and so is all below"


def with_archive(cluster: Cluster, archive: MemoryArchive) -> Cluster:
    return msgspec.structs.replace(cluster, make_archive=lambda *_: archive)


def commits_in(objects: object) -> list[int]:
    keys = [str(key) for key in objects]  # type: ignore[attr-defined]  # a mapping by key
    return [int(k.rpartition("/")[2][:20]) for k in keys if "spare.omni/_graph/commits/" in k]
