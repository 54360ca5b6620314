"""Refresh and import record what is there, and what is gone is proposed again by the next plan."""

from pathlib import Path

import msgspec

from agentctl.domain.ledger.observations import LiveGraph
from agentctl.domain.ledger.state import GraphObserved
from agentctl.domain.storage.protocol import ObjectStore
from agentctl.engine.apply import apply
from agentctl.engine.binding import BINDING_KEY
from agentctl.engine.cluster import Cluster
from agentctl.engine.data import load, run_query
from agentctl.engine.planning import make_plan
from agentctl.engine.refresh import import_, refresh
from agentctl.engine.status import status
from agentctl.graph.port import GraphPort
from agentctl.testing.builders import (
    ROWS,
    WIDER_SCHEMA,
    Bench,
    folder_files,
    recorded,
    wanting,
)
from agentctl.testing.crash import DownStore
from agentctl.testing.graphs import MemoryGraphs

QUERY = "query.supply.all_packages"


async def begun(bench: Bench) -> Cluster:
    cluster = await bench.begun(folder_files("supply"))
    assert (await apply(cluster, bench.agent, wanting())).converged
    return cluster


def payload(bench: Bench) -> str:
    return next(key for key in bench.objects if "resources/query/supply" in key)


async def test_import_makes_revision_one_of_an_empty_cluster(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.write(folder_files("supply"))
    cluster = await bench.open()

    result = await import_(cluster, bench.sarah, "begin")
    again = await import_(cluster, bench.sarah, "begin")
    state = await recorded(cluster)
    desired = (await cluster.folder.load(confined=True)).desired

    assert result.ok, result.diagnostics
    assert result.state_observations.state_revision == 1
    assert state.applied_revision.resources == {}
    assert desired is not None
    assert state.applied_revision.config_digest == desired.config_digest
    assert state.resource_statuses["graph.supply"].status == "pending"
    assert BINDING_KEY in bench.objects
    assert [d.code for d in again.diagnostics] == ["state_already_exists"]


async def test_import_of_live_graphs_records_them_and_invents_no_query(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)
    await load(cluster, bench.sarah, "supply", ROWS.splitlines(keepends=True), "append", "rows")
    bench.objects = {
        k: v
        for k, v in bench.objects.items()
        if not k.startswith(("__cluster/ledger", "__cluster/state"))
    }
    cluster = await bench.open()

    result = await import_(cluster, bench.sarah, "the ledger was lost")
    planned = await make_plan(cluster, bench.agent)
    applied = await apply(cluster, bench.agent, wanting())
    outcome = await run_query(cluster, bench.agent, QUERY, {}, 10)

    assert result.ok, result.diagnostics
    assert sorted((await recorded(cluster)).applied_revision.resources)
    assert [c.resource for c in planned.result.changes] == ["graph.supply", QUERY]
    assert applied.converged
    assert outcome.reply is not None
    assert outcome.reply.row_count == 2


async def test_import_of_a_broken_folder_makes_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.write(folder_files("supply") | {"supply.pg": "node {"})
    cluster = await bench.open()

    result = await import_(cluster, bench.sarah, "begin")

    assert not result.ok
    assert await cluster.ledger.head() is None
    assert not (await cluster.principals.registry()).exists


async def test_refresh_of_what_is_as_recorded_changes_no_digest(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)
    before = await recorded(cluster)

    result = await refresh(cluster, bench.sarah, "look")
    after = await recorded(cluster)

    assert result.ok, result.diagnostics
    assert after.applied_revision == before.applied_revision
    assert after.resource_statuses == before.resource_statuses
    assert after.state_revision == before.state_revision + 1


async def test_a_missing_payload_drifts_and_the_next_apply_publishes_it_again(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)
    key = payload(bench)
    del bench.objects[key]

    seen = await status(cluster, bench.agent)
    result = await refresh(cluster, bench.sarah, "look")
    drifted = await recorded(cluster)
    applied = await apply(cluster, bench.agent, wanting())

    assert [d.code for d in seen.diagnostics] == ["catalog_payload_missing"]
    assert result.ok
    assert drifted.resource_statuses[QUERY].conditions == ("payload_missing",)
    assert QUERY not in drifted.applied_revision.resources
    assert applied.converged
    assert key in bench.objects


async def test_an_altered_payload_is_replaced(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)
    key = payload(bench)
    good = bench.objects[key]
    bench.objects[key] = b"query evil() { match { $p: Package } return { $p.name } }\n"

    refused = await run_query(cluster, bench.agent, QUERY, {}, 10)
    await refresh(cluster, bench.sarah, "look")
    applied = await apply(cluster, bench.agent, wanting())

    assert [d.code for d in refused.diagnostics] == ["catalog_payload_mismatch"]
    assert applied.converged
    assert bench.objects[key] == good


async def test_a_payload_that_cannot_be_read_keeps_its_digest(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await begun(bench)

    def down(store: ObjectStore) -> ObjectStore:
        return DownStore(store, lambda op, key: op == "read" and "resources/query" in key)

    bench.wrap_store = down
    cluster = await bench.open()
    result = await refresh(cluster, bench.sarah, "look")
    state = await recorded(cluster)

    assert [d.code for d in result.diagnostics] == ["catalog_payload_read_error"]
    assert not result.ok
    assert QUERY in state.applied_revision.resources
    assert state.resource_statuses[QUERY].status == "error"


async def test_a_graph_whose_root_is_gone_drifts(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)
    del bench.roots.by_id["supply"]

    result = await refresh(cluster, bench.sarah, "look")
    state = await recorded(cluster)

    assert [d.code for d in result.diagnostics] == ["graph_missing"]
    assert state.resource_statuses["graph.supply"].conditions == ("graph_missing",)
    assert list(state.applied_revision.resources) == [QUERY]


class Blind(MemoryGraphs):
    """Graphs that cannot be read."""

    async def observe(self, graph_id: str) -> LiveGraph:
        live = await super().observe(graph_id)
        return msgspec.structs.replace(live, presence="unreadable", error="no answer")


async def test_a_graph_that_cannot_be_read_keeps_its_digests(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await begun(bench)

    def blind(graphs: GraphPort) -> GraphPort:
        return Blind(bench.roots, uri=graphs.uri("x").removesuffix("/graphs/x.omni"))

    bench.wrap_graphs = blind
    cluster = await bench.open()
    result = await refresh(cluster, bench.sarah, "look")
    state = await recorded(cluster)

    assert [d.code for d in result.diagnostics] == ["graph_observation_error"]
    assert not result.ok
    assert "graph.supply" in state.applied_revision.resources
    assert state.resource_statuses["graph.supply"].status == "error"


async def test_a_schema_that_moved_outside_is_recorded_and_converged_back(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)
    roots = bench.roots
    bench.write({"supply.pg": WIDER_SCHEMA})
    before = dict(bench.objects)
    assert (await apply(cluster, bench.agent, wanting())).converged
    bench.objects = before  # The ledger is put back; the graph keeps the wider schema.
    bench.roots = roots
    bench.write(folder_files("supply"))
    cluster = await bench.open()

    result = await refresh(cluster, bench.sarah, "look")
    drifted = await recorded(cluster)
    planned = await make_plan(cluster, bench.agent)
    applied = await apply(cluster, bench.agent, wanting())
    observed = (await recorded(cluster)).observations["graph.supply"]

    assert [d.code for d in result.diagnostics] == ["schema_mismatch"]
    assert drifted.resource_statuses["schema.supply"].conditions == ("schema_mismatch",)
    (change,) = [c for c in planned.result.changes if c.resource == "schema.supply"]
    assert change.migration is not None
    assert [step["kind"] for step in change.migration.steps] == ["drop_property"]
    assert applied.converged, applied.diagnostics
    assert isinstance(observed, GraphObserved)
    assert observed.schema_matches_desired
