"""Failures of the world that are told by a code of their own, each made to happen."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from agentctl.adapters.keys.terminal import NoTerminalError
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.storage.protocol import ObjectStore, UnavailableError
from agentctl.engine import apply as engine_apply
from agentctl.engine.apply import apply
from agentctl.engine.cluster import ClusterOpenError
from agentctl.engine.data import load, run_query
from agentctl.engine.drafts import HOMECOMINGS
from agentctl.engine.gather import FOLDER, load_target
from agentctl.engine.journal import OpRejectedError
from agentctl.engine.leases import Leases
from agentctl.engine.planning import make_plan
from agentctl.engine.running import Running
from agentctl.engine.status import status
from agentctl.engine.steps import publish_payload
from agentctl.graph.port import GraphError, GraphPort, SchemaPayload, Stamp
from agentctl.graph.reads import budget
from agentctl.testing.builders import (
    ROWS,
    WIDER_SCHEMA,
    Bench,
    ask,
    cluster_yaml,
    decide,
    folder_files,
    recorded,
    wanting,
)
from agentctl.testing.consent import key_of
from agentctl.testing.crash import Crash, CrashingStore, DownStore
from agentctl.testing.graphs import MemoryGraphs
from agentctl_tools.absent_graphs import AbsentGraphs
from agentctl_tools.failures import diagnostics_of

WEEK_S = 7 * 86_400.0


def codes(found: tuple[Diagnostic, ...]) -> list[str]:
    return [d.code for d in found]


def down(bench: Bench, operation: str, part: str) -> None:
    """From the next process on, that operation on keys with *part* gets no answer."""

    def wrap(store: ObjectStore) -> ObjectStore:
        return DownStore(store, lambda asked, key: asked == operation and part in key)

    bench.wrap_store = wrap


class Refusing(MemoryGraphs):
    """Graphs of which `alpha` does one thing not."""

    def __init__(self, bench: Bench, uri: str, refused: str) -> None:
        super().__init__(bench.roots, uri=uri)
        self._refused = refused

    def _refuse(self, what: str, graph_id: str) -> None:
        if what == self._refused and graph_id == "alpha":
            raise GraphError(error("graph_corrupt", f"graph.{graph_id}", "the disk is full"))

    async def migrate(
        self, graph_id: str, *, schema: SchemaPayload, observed: int, stamp: Stamp
    ) -> int:
        self._refuse("migrate", graph_id)
        return await super().migrate(graph_id, schema=schema, observed=observed, stamp=stamp)

    async def detach(self, graph_id: str, *, observed: int, stamp: Stamp) -> int:
        self._refuse("detach", graph_id)
        return await super().detach(graph_id, observed=observed, stamp=stamp)

    async def purge(self, graph_id: str, *, incarnation: str, observed: int, stamp: Stamp) -> None:
        self._refuse("purge", graph_id)
        await super().purge(graph_id, incarnation=incarnation, observed=observed, stamp=stamp)


def refusing(bench: Bench, what: str) -> None:
    def wrap(graphs: GraphPort) -> GraphPort:
        return Refusing(bench, graphs.uri("x").removesuffix("/graphs/x.omni"), what)

    bench.wrap_graphs = wrap


async def two_graphs(bench: Bench) -> None:
    cluster = await bench.begun(folder_files("alpha", "beta"))
    assert (await apply(cluster, bench.agent, wanting())).converged


async def without_graphs(bench: Bench) -> None:
    """The folder declares neither graph any more, and both deletions are approved."""
    await two_graphs(bench)
    gone = {f"{graph}.{kind}": None for graph in ("alpha", "beta") for kind in ("pg", "gq")}
    bench.write({**gone, "cluster.yaml": cluster_yaml()})
    cluster = await bench.open()
    for graph in ("alpha", "beta"):
        await decide(cluster, await ask(cluster, bench.agent, f"graph.{graph}"))


@pytest.fixture
def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_apply, "CONCURRENCY_DEFAULT", 1)


@pytest.mark.usefixtures("one_at_a_time")
async def test_a_failed_schema_change_stops_that_of_the_next_graph(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await two_graphs(bench)
    bench.write({"alpha.pg": WIDER_SCHEMA, "beta.pg": WIDER_SCHEMA})
    refusing(bench, "migrate")

    result = await apply(await bench.open(), bench.agent, wanting())

    assert not result.ok
    assert codes(result.diagnostics) == ["schema_apply_failed", "schema_apply_skipped"]


@pytest.mark.usefixtures("one_at_a_time")
async def test_a_failed_deletion_stops_that_of_the_next_graph(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await without_graphs(bench)
    refusing(bench, "detach")

    result = await apply(await bench.open(), bench.agent, wanting())

    assert not result.ok
    assert codes(result.diagnostics) == ["graph_delete_failed", "graph_delete_skipped"]


async def test_a_purge_that_does_not_finish_is_a_warning_and_goes_on_later(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await without_graphs(bench)
    assert (await apply(await bench.open(), bench.agent, wanting())).converged
    bench.world.advance(WEEK_S + 1)
    refusing(bench, "purge")

    cluster = await bench.open()
    cut = await apply(cluster, bench.agent, wanting())
    bench.wrap_graphs = lambda graphs: graphs
    whole = await apply(await bench.open(), bench.agent, wanting())

    assert cut.ok
    assert codes(cut.diagnostics) == ["graph_delete_incomplete"]
    assert codes(whole.diagnostics) == []


async def test_an_intent_that_cannot_be_written_leaves_the_step_undone(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.begun(folder_files("supply"))
    down(bench, "create", "__cluster/recoveries/")
    cluster = await bench.open()

    result = await apply(cluster, bench.agent, wanting())

    assert codes(result.diagnostics) == ["recovery_sidecar_write_error"]
    assert (await cluster.graphs.observe("supply")).presence == "absent"


async def test_an_intent_that_cannot_be_removed_is_a_warning(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.begun(folder_files("supply"))
    down(bench, "delete", "__cluster/recoveries/")

    result = await apply(await bench.open(), bench.agent, wanting())

    assert result.converged
    assert codes(result.diagnostics) == ["recovery_sidecar_cleanup_failed"]


async def test_an_intent_that_cannot_be_read_is_told_by_status(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.begun(folder_files("supply"))
    down(bench, "delete", "__cluster/recoveries/")
    await apply(await bench.open(), bench.agent, wanting())
    down(bench, "read", "__cluster/recoveries/")

    seen = await status(await bench.open(), bench.agent)

    assert "recovery_sidecar_read_error" in codes(seen.diagnostics)


async def test_a_payload_that_is_not_what_was_planned_is_not_published(tmp_path: Path) -> None:
    """Files are read once, so no folder makes it so; it is the last look before the write."""
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    plan = (await make_plan(cluster, bench.agent)).plan
    desired = (await load_target(cluster, bench.agent, FOLDER)).desired
    assert plan is not None
    assert desired is not None
    other = msgspec.structs.replace(desired, files=dict.fromkeys(desired.files, b"other bytes"))
    running = Running(SimpleNamespace(plan=plan, desired=other), await recorded(cluster), None)  # type: ignore[arg-type]  # of a task, what this step reads
    change = next(c for c in plan.changes if c.resource.startswith("query."))

    assert not await publish_payload(running, change)

    assert codes(running.told.sorted()) == ["resource_content_changed"]
    assert [o.outcome for o in running.outcomes] == ["not_done"]
    assert await cluster.store.list("__cluster/resources/query") == ()


async def test_a_query_that_would_join_too_much_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = """\
query pairs() {
  match { $a: Package  $b: Package }
  return { $a.name, $b.name as other }
  limit 1
}
"""
    bench = Bench(tmp_path, where="lance")
    cluster = await bench.begun({**folder_files("supply"), "supply.gq": query})
    assert (await apply(cluster, bench.agent, wanting())).converged
    report, found = await load(
        cluster, bench.sarah, "supply", ROWS.splitlines(keepends=True), "append", "rows"
    )
    assert report.commit is not None, found
    monkeypatch.setattr(budget, "ROW_COUNT_MAX", 3)

    stopped = await run_query(cluster, bench.agent, "query.supply.pairs", {}, 10)

    assert stopped.reply is None
    assert codes(stopped.diagnostics) == ["query_too_large"]


async def test_a_draft_whose_files_are_not_all_home_is_told_by_status(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    await cluster.store.create(f"{HOMECOMINGS}one.json", b"{}")

    seen = await status(cluster, bench.agent)

    assert "applied_source_not_in_folder" in codes(seen.diagnostics)


async def test_a_lease_that_cannot_be_ended_by_force_is_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    dying = CrashingStore(cluster.store, at=3)
    leases = Leases(dying, bench.world, sleep=bench.world.sleep)
    with pytest.raises(Crash):
        async with leases.hold("cluster", principal="sarah", operation="apply", wait_s=0) as lease:
            await dying.replace("anything", b"")
    silent = DownStore(cluster.store, lambda asked, _: asked == "create")

    forced = await Leases(silent, bench.world, sleep=bench.world.sleep).force_unlock(lease.lock_id)

    assert codes(forced.diagnostics) == ["state_lock_error"]


async def test_a_gap_in_the_chain_of_principals_closes_the_cluster(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.begun(folder_files("supply"))
    del bench.objects["__cluster/principals/00000000000000000001.json"]
    bench.objects["__cluster/principals/00000000000000000002.json"] = b"{}"

    with pytest.raises(ClusterOpenError) as refused:
        await bench.open()

    assert codes(refused.value.diagnostics) == ["principals_chain_broken"]


async def test_a_principal_that_is_there_already_is_refused(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))

    refused = await cluster.principals.add(
        principal_id="sarah",
        kind="human",
        key=key_of("other").key,
        assurance="file",
        by="sarah",
        signer=key_of("sarah"),
    )

    assert isinstance(refused, tuple)
    assert codes(refused) == ["principal_refused"]


async def test_an_op_that_has_ended_never_moves_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    result = await apply(cluster, bench.agent, wanting())
    assert result.op is not None

    with pytest.raises(OpRejectedError) as refused:
        await cluster.journal.move(result.op, "running", epoch=1)

    assert refused.value.diagnostic.code == "op_illegal_transition"


async def test_without_the_engine_a_graph_says_what_to_install() -> None:
    with pytest.raises(GraphError) as refused:
        await AbsentGraphs("mem://x").history("supply")

    assert refused.value.diagnostic.code == "graph_extra_missing"
    assert refused.value.diagnostic.remedy is not None
    assert "pip install" in refused.value.diagnostic.remedy


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: NoTerminalError("nobody is there"), "no_controlling_terminal"),
        (lambda: UnavailableError("no answer"), "storage_unavailable"),
    ],
)
def test_a_failure_of_the_world_has_its_code(make: Callable[[], Exception], code: str) -> None:
    assert codes(diagnostics_of(make()) or ()) == [code]


def test_what_is_no_failure_of_the_world_is_a_bug() -> None:
    assert diagnostics_of(ZeroDivisionError()) is None
