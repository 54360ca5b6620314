"""A process that dies at any write of an apply leaves a cluster whose next apply converges.

Nothing is lost and nothing is done twice. The dying process is a store that crashes for good at
write *n*, before it or right after it, for every *n* that the command makes; the graphs' own writes
are counted too. What lies on storage is copied from a template for each point. Graphs are on disk
here; without them every command is struck in `test_every_command_survives.py`.
"""

import copy
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from agentctl.domain.ledger.state import Tombstone
from agentctl.domain.ops.machine import TERMINAL
from agentctl.domain.policy.caller import Caller
from agentctl.engine.apply import apply
from agentctl.engine.cluster import Cluster
from agentctl.engine.data import load, run_query
from agentctl.engine.detached import GraphMoved, graph_restore
from agentctl.engine.refresh import import_, refresh
from agentctl.engine.results import ApplyResult, RefreshResult
from agentctl.engine.sidecars import read_sidecars
from agentctl.testing.builders import (
    QUERY as QUERY_TEXT,
)
from agentctl.testing.builders import (
    ROWS,
    WIDER_SCHEMA,
    Bench,
    Where,
    ask,
    cluster_yaml,
    decide,
    folder_files,
    recorded,
    wanting,
)
from agentctl.testing.clock import StillWorld
from agentctl.testing.crash import NEVER, Crash, How
from agentctl.testing.sampling import sampled

DRAFTED = {
    "supply.pg": WIDER_SCHEMA,
    "supply.gq": f"{QUERY_TEXT}\nquery notes() {{ match {{ $p: Package }} return {{ $p.note }} }}\n",
}
LINES = ROWS.splitlines(keepends=True)
QUERY = "query.supply.all_packages"

Act = Callable[[Cluster, Caller], Awaitable[ApplyResult | RefreshResult | GraphMoved]]


class Scenario(NamedTuple):
    """A command that may die anywhere, what it starts from, and what must hold when all is done."""

    prepare: Callable[[Bench], Awaitable[None]]
    act: Act
    check: Callable[[Bench, Cluster], Awaitable[None]]


async def do_apply(cluster: Cluster, who: Caller) -> ApplyResult:
    return await apply(cluster, who, wanting())


async def settle(cluster: Cluster, who: Caller) -> None:
    """Runs the next apply, which must converge, and one more, which must find nothing to do."""
    first = await apply(cluster, who, wanting())
    again = await apply(cluster, who, wanting())

    assert first.ok, first.diagnostics
    assert first.converged, first.changes
    assert again.converged
    assert not again.state_written
    assert again.op is None


async def kinds(cluster: Cluster, graph: str) -> list[str]:
    """The kinds of a graph's commits, oldest first, without fences: they change nothing."""
    history = await cluster.graphs.history(graph, limit=100)
    return [commit.kind for commit in reversed(history) if commit.kind != "fence"]


async def rows(cluster: Cluster, who: Caller) -> list[object]:
    outcome = await run_query(cluster, who, QUERY, {}, 100)
    assert outcome.reply is not None, outcome.diagnostics
    return [row["p.name"] for row in outcome.reply.rows]


async def before_create(bench: Bench) -> None:
    await bench.begun(folder_files("supply", "spare"))


async def created_once(bench: Bench, cluster: Cluster) -> None:
    assert await kinds(cluster, "supply") == ["create"]
    assert await kinds(cluster, "spare") == ["create"]
    assert await rows(cluster, bench.sarah) == []


async def with_rows(bench: Bench) -> None:
    cluster = await bench.begun(folder_files("supply", "spare"))
    assert (await apply(cluster, bench.sarah, wanting())).converged
    for graph in ("supply", "spare"):
        report, _ = await load(cluster, bench.sarah, graph, LINES, "append", "rows to keep")
        assert report.commit == "main:2"


async def before_schema(bench: Bench) -> None:
    await with_rows(bench)
    bench.write({"supply.pg": WIDER_SCHEMA})


async def moved_once(bench: Bench, cluster: Cluster) -> None:
    assert await kinds(cluster, "supply") == ["create", "write", "schema"]
    assert await rows(cluster, bench.sarah) == ["a", "b"]


async def before_delete(bench: Bench) -> None:
    await with_rows(bench)
    bench.write({"spare.pg": None, "spare.gq": None, "cluster.yaml": cluster_yaml("supply")})
    cluster = await bench.open()
    await decide(cluster, await ask(cluster, bench.agent, "graph.spare"))


async def deleted_once(bench: Bench, cluster: Cluster) -> None:
    state = await recorded(cluster)
    records = await cluster.approvals.records()
    tombstone = state.observations["graph.spare"]

    assert await kinds(cluster, "spare") == ["create", "write", "tombstone"]
    assert await rows(cluster, bench.sarah) == ["a", "b"]
    assert isinstance(tombstone, Tombstone)
    assert sorted(tombstone.resources or {}) == [
        "graph.spare",
        "query.spare.all_packages",
        "schema.spare",
    ]
    assert len(state.approval_records) == 1
    assert [c.approval_id for c in records.consumptions] == list(state.approval_records)


async def before_import(bench: Bench) -> None:
    bench.write(folder_files("supply", "spare"))


async def do_import(cluster: Cluster, who: Caller) -> RefreshResult:
    return await import_(cluster, who, "begin")


async def begun_once(bench: Bench, cluster: Cluster) -> None:
    head = await cluster.ledger.head()
    assert head is not None
    assert head.envelope.cluster_id == (await cluster.principals.registry()).cluster_id
    await created_once(bench, cluster)


async def do_refresh(cluster: Cluster, who: Caller) -> RefreshResult:
    return await refresh(cluster, who, "look")


async def before_restore(bench: Bench) -> None:
    await before_delete(bench)
    cluster = await bench.open()
    assert (await apply(cluster, bench.agent, wanting())).converged
    bench.write(folder_files("supply", "spare"))


async def do_restore(cluster: Cluster, who: Caller) -> GraphMoved:
    return await graph_restore(cluster, who, "spare", "it was used after all")


async def restored_once(bench: Bench, cluster: Cluster) -> None:
    assert await kinds(cluster, "spare") == ["create", "write", "tombstone", "restore"]
    outcome = await run_query(cluster, bench.sarah, "query.spare.all_packages", {}, 100)
    assert outcome.reply is not None, outcome.diagnostics
    assert outcome.reply.row_count == 2


async def before_draft(bench: Bench) -> None:
    await with_rows(bench)
    cluster = await bench.open()
    draft = await cluster.drafts.open(bench.agent.id)
    for path, text in DRAFTED.items():
        edited = await cluster.drafts.edit(draft.id, path, by=bench.agent.id, content=text.encode())
        assert not edited.diagnostics


async def do_draft(cluster: Cluster, who: Caller) -> ApplyResult:
    (draft,) = await cluster.drafts.list()
    return await apply(cluster, who, wanting(target=f"draft:{draft.id}"))


async def home_once(bench: Bench, cluster: Cluster) -> None:
    assert {path: (bench.path / path).read_text() for path in DRAFTED} == DRAFTED
    await moved_once(bench, cluster)
    head = await cluster.ledger.head()
    assert head is not None
    assert head.envelope.source is not None
    assert head.envelope.source.digest == (await cluster.folder.load(confined=True)).source_digest


SCENARIOS: dict[str, Scenario] = {
    "create": Scenario(before_create, do_apply, created_once),
    "schema": Scenario(before_schema, do_apply, moved_once),
    "delete": Scenario(before_delete, do_apply, deleted_once),
    "import": Scenario(before_import, do_import, begun_once),
    "refresh": Scenario(before_schema, do_refresh, moved_once),
    "draft": Scenario(before_draft, do_draft, home_once),
    "restore": Scenario(before_restore, do_restore, restored_once),
}


def copied(template: Bench, path: Path) -> Bench:
    """A bench with the same folder, storage and clock as *template*."""
    path.mkdir()
    shutil.copytree(template.path, path / "folder")
    bench = Bench(path, where=template.where, world=template.world)
    bench.objects = dict(template.objects)
    bench.roots = copy.deepcopy(template.roots)
    return bench


async def finish(name: str, scenario: Scenario, bench: Bench) -> None:
    """Does what a person does after a crash: the same command again where it may be, then an apply."""
    cluster = await bench.open()
    head = await cluster.ledger.head()
    if name == "import" and head is None:
        assert (await import_(cluster, bench.sarah, "begin again")).ok
    if name == "restore" and isinstance(
        (await recorded(cluster)).observations["graph.spare"], Tombstone
    ):
        again = await do_restore(cluster, bench.sarah)
        assert again.ok, again.diagnostics
    if name == "draft":
        redone = await do_draft(cluster, bench.sarah)
        assert redone.ok, redone.diagnostics
    await settle(cluster, bench.agent)
    await scenario.check(bench, cluster)
    await nothing_left_open(cluster)


async def nothing_left_open(cluster: Cluster) -> None:
    ops = await cluster.journal.list(limit=100)
    audit = await cluster.audit.verify()

    assert (await read_sidecars(cluster.store)).sidecars == ()
    assert await cluster.ledger.verify() == ()
    assert audit.ok, audit
    assert all(lock.holder_gone for lock in await cluster.leases.locks())
    assert {op.status for op in ops} <= TERMINAL
    assert [op for op in ops if op.status == "success"]


@pytest.mark.slow
@pytest.mark.parametrize("where", ["lance"])
@pytest.mark.parametrize("name", list(SCENARIOS))
async def test_the_next_apply_converges_after_a_crash_at_any_write(
    name: str, where: Where, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    scenario = SCENARIOS[name]
    (tmp_path / "template").mkdir()
    template = Bench(tmp_path / "template", where=where, world=StillWorld(tick_s=0.001, seed=name))
    await scenario.prepare(template)
    whole = copied(template, tmp_path / "whole")
    cluster, store = await whole.crashing(NEVER)
    done = await scenario.act(cluster, whole.sarah)
    assert done.ok, done.diagnostics
    writes = store.writes
    await finish(name, scenario, whole)

    points: list[tuple[int, How]] = [
        (n, how) for n in range(1, writes + 1) for how in ("before", "after")
    ]
    chosen = sampled(points, 8, of=name)
    for n, how in chosen:
        bench = copied(template, tmp_path / f"{n}-{how}")
        cluster, store = await bench.crashing(n, how)
        with pytest.raises(Crash):
            await scenario.act(cluster, bench.sarah)
        try:
            await finish(name, scenario, bench)
        except AssertionError as failure:
            failure.add_note(f"after a crash {how} write {n}: {store.labels[-1]}")
            raise
        shutil.rmtree(tmp_path / f"{n}-{how}")
    told = f"{len(chosen)} crash points over {writes} writes"
    record_property("evidence", f"crash suite, {where}, {name}: {told}")
