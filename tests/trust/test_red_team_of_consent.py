"""Attempts to have an effect without consent, or consent twice, at the moments in between.

Processes that stand still, die and come back; each attempt is named by its test.
"""

import copy
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path

import anyio
import pytest

from agentctl.domain.approval.records import DecisionArtifact
from agentctl.domain.ledger.codec import ledger_key
from agentctl.domain.ledger.envelope import Freeze
from agentctl.domain.ledger.freezes import FreezeRecord
from agentctl.domain.storage.protocol import ObjectStore
from agentctl.engine.apply import apply
from agentctl.engine.cluster import Cluster
from agentctl.engine.data import Mode, load
from agentctl.engine.detached import graph_purge
from agentctl.engine.events import ApplyEvent
from agentctl.engine.freezing import FrozenError
from agentctl.engine.garbage import propose
from agentctl.engine.leases import LeaseLostError
from agentctl.engine.planning import make_plan
from agentctl.engine.world import mint_ulid, stamp_now
from agentctl.graph.port import Stamp
from agentctl.testing.builders import (
    QUERY,
    ROWS,
    Bench,
    ask,
    cluster_yaml,
    decide,
    folder_files,
    recorded,
    wanting,
)
from agentctl.testing.clock import START
from agentctl.testing.consent import key_of
from agentctl.testing.crash import NEVER, Crash

LINES = ROWS.splitlines(keepends=True)
TWO = "approvals:\n  two:\n    need: {count: 2}\n"


class Paused:
    """Graphs whose next detaching waits until *meanwhile* has happened, as a suspended process does."""

    def __init__(self, graphs: object, meanwhile: Callable[[], Awaitable[None]]) -> None:
        self._graphs = graphs
        self._meanwhile: Callable[[], Awaitable[None]] | None = meanwhile

    def __getattr__(self, name: str) -> object:
        return getattr(self._graphs, name)

    async def detach(self, graph_id: str, *, observed: int, stamp: Stamp) -> int:
        """Detaches, late."""
        meanwhile, self._meanwhile = self._meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        made = await self._graphs.detach(graph_id, observed=observed, stamp=stamp)  # type: ignore[attr-defined]
        assert isinstance(made, int)
        return made


async def approved(bench: Bench, *, more: str = "") -> tuple[Cluster, DecisionArtifact]:
    """A cluster whose folder no longer declares `spare`, and sarah's approval of that."""
    cluster = await bench.begun(folder_files("supply", "spare"))
    if more:
        bench.write({"cluster.yaml": cluster_yaml("supply", "spare", more=more)})
        await apply(cluster, bench.sarah, wanting())
        await decide(cluster, await ask(cluster, bench.sarah, "approval.two"))
    assert (await apply(cluster, bench.sarah, wanting())).converged
    await load(cluster, bench.sarah, "spare", LINES, "append", "rows")
    without = cluster_yaml("supply", more=more)
    bench.write({"spare.pg": None, "spare.gq": None, "cluster.yaml": without})
    return cluster, await decide(cluster, await ask(cluster, bench.agent, "graph.spare"))


async def enrol_tom(cluster: Cluster) -> None:
    added = await cluster.principals.add(
        principal_id="tom",
        kind="human",
        key=key_of("tom").key,
        assurance="file",
        by="sarah",
        signer=key_of("sarah"),
    )
    assert not isinstance(added, tuple), added


async def test_a_deletion_that_stood_still_cannot_be_made_after_it_was_withdrawn(
    tmp_path: Path,
) -> None:
    """The folder has the graph again, an apply says so, and only then the old process goes on."""
    bench = Bench(tmp_path)
    await approved(bench)

    async def meanwhile() -> None:
        bench.wrap_graphs = lambda graphs: graphs
        bench.write(folder_files("supply", "spare"))
        settled = await apply(await bench.open(), bench.sarah, wanting())
        assert settled.converged
        assert "cluster_recovery_retired" in [d.code for d in settled.diagnostics]

    bench.wrap_graphs = lambda graphs: Paused(graphs, meanwhile)  # type: ignore[assignment,return-value]
    with pytest.raises(LeaseLostError):
        await apply(await bench.open(), bench.agent, wanting())

    cluster = await bench.open()
    assert (await cluster.graphs.observe("spare")).presence == "live"
    assert (await recorded(cluster)).approval_records == {}


async def test_a_step_whose_process_still_holds_the_graph_is_not_said_not_to_have_happened(
    tmp_path: Path,
) -> None:
    """The cluster's lease was taken from it by force, the graph's was not: it may go on."""
    bench = Bench(tmp_path)
    await approved(bench)
    told: list[str] = []

    async def meanwhile() -> None:
        bench.wrap_graphs = lambda graphs: graphs
        bench.write(folder_files("supply", "spare"))
        first = bench.world
        other = await bench.open()
        bench.world.living.add(first.pid)
        (held,) = [k for k in await other.leases.locks() if k.resource == "cluster"]
        await other.leases.force_unlock(held.lock_id or "")

        async def settle() -> None:
            settled = await apply(other, bench.sarah, wanting())
            told.extend(d.code for d in settled.diagnostics)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(settle)
            while not told:
                first.advance(1)
                bench.world.advance(1)
                await anyio.wait_all_tasks_blocked()

    bench.wrap_graphs = lambda graphs: Paused(graphs, meanwhile)  # type: ignore[assignment,return-value]
    with pytest.raises(LeaseLostError):
        await apply(await bench.open(), bench.agent, wanting())

    assert told == ["cluster_recovery_pending"]


@pytest.mark.parametrize("mode", ["append", "merge", "overwrite"])
async def test_rows_of_a_protected_graph_are_added_to_and_not_replaced(
    mode: Mode, tmp_path: Path
) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    bench.write({"cluster.yaml": cluster_yaml("supply", more="protect: [graph.supply]")})
    assert not (await apply(cluster, bench.sarah, wanting())).converged
    await load(cluster, bench.sarah, "supply", LINES, "overwrite", "before it is protected")
    await decide(cluster, await ask(cluster, bench.sarah, "cluster"))
    assert (await apply(cluster, bench.sarah, wanting())).converged

    bench.write({"cluster.yaml": cluster_yaml("supply")})
    report, op = await load(cluster, bench.sarah, "supply", LINES[:1], mode, "rows")

    assert (op is None) == (mode == "overwrite")
    told = "approval_required" in [d.code for d in report.diagnostics]
    assert told == (mode == "overwrite"), "the folder's own word takes no protection away"


class Clocked:
    """A storage with a clock of its own, which stands."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    async def clock(self) -> datetime | None:
        """Returns when everything began."""
        return START


async def test_a_machine_whose_clock_runs_ahead_purges_nothing_early(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.wrap_store = Clocked  # type: ignore[assignment]  # the rest goes through
    cluster, _ = await approved(bench)
    assert (await apply(cluster, bench.agent, wanting())).converged

    bench.world.set_now(START + timedelta(days=30))
    swept = await apply(cluster, bench.agent, wanting())
    by_hand = await graph_purge(cluster, bench.sarah, "spare", "now")

    assert "graph_purge_not_due" in [d.code for d in swept.diagnostics]
    assert [d.code for d in by_hand.diagnostics] == ["graph_purge_not_due"]
    assert (await cluster.graphs.observe("spare")).presence == "detached"
    bench.wrap_store = lambda store: store
    assert (await apply(await bench.open(), bench.agent, wanting())).ok
    assert (await cluster.graphs.observe("spare")).presence == "purged", "else it would be"


async def test_an_approved_cleanup_stops_where_the_cluster_is_frozen_meanwhile(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    for number in range(3):
        bench.write({"supply.gq": f"// {number}\n{QUERY}"})
        assert (await apply(cluster, bench.agent, wanting())).converged
    for seq in (1, 2):
        del bench.objects[ledger_key(seq)]
    await propose(cluster, bench.agent, "a cleanup")
    await decide(cluster, await ask(cluster, bench.agent, "catalog"))
    before = {key for key in bench.objects if key.startswith("__cluster/resources/")}

    async def freezing(event: ApplyEvent) -> None:
        if event.kind == "step_started" and event.resource == "catalog":
            made = Freeze(
                id=mint_ulid(bench.world),
                scope="cluster",
                since=stamp_now(bench.world),
                reason="stop",
                by="agent:sarah",
            )
            await cluster.freezes.write(FreezeRecord(op=None, freeze=made))

    with pytest.raises(FrozenError):
        await apply(cluster, bench.agent, wanting(), freezing)

    assert before <= set(bench.objects)


async def test_all_approvals_that_counted_are_used_up_when_a_crash_came_in_between(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster, first = await approved(bench, more=TWO)
    await enrol_tom(cluster)
    second = await decide(cluster, await ask(cluster, bench.agent, "graph.spare"), by="tom")
    twin = Bench(tmp_path, world=bench.world)
    twin.objects, twin.roots = dict(bench.objects), copy.deepcopy(bench.roots)
    dry, store = await twin.crashing(NEVER)
    await apply(dry, bench.agent, wanting())
    at = next(n for n, w in enumerate(store.labels, 1) if w.startswith("create __cluster/ledger"))

    dying, _ = await bench.crashing(at)
    with pytest.raises(Crash):
        await apply(dying, bench.agent, wanting())
    cluster = await bench.open()
    await apply(cluster, bench.agent, wanting())
    used = (await recorded(cluster)).approval_records
    planned = await make_plan(cluster, bench.sarah)

    assert (await cluster.graphs.observe("spare")).presence == "detached"
    assert set(used) >= {first.approval_id, second.approval_id}
    assert planned.gates == ()
