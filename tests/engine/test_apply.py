"""An apply makes the cluster what the folder declares, and writes nothing when it is that already."""

from pathlib import Path

import msgspec
import pytest

from agentctl.diagnostics.diagnostic import error
from agentctl.domain.ledger.observations import LiveGraph
from agentctl.domain.storage.lease import TTL_S
from agentctl.domain.storage.protocol import ObjectStore, UnavailableError
from agentctl.engine import apply as engine_apply
from agentctl.engine.apply import apply
from agentctl.engine.data import load, run_query
from agentctl.engine.events import ApplyEvent
from agentctl.engine.leases import StateLockHeldError
from agentctl.engine.moving import GRAPH_WAIT_S
from agentctl.engine.planning import make_plan
from agentctl.engine.validate import validate
from agentctl.graph.port import GraphError, GraphPort, SchemaPayload, Stamp
from agentctl.testing.builders import (
    QUERY,
    ROWS,
    SCHEMA,
    WIDER_SCHEMA,
    Bench,
    cluster_yaml,
    folder_files,
    recorded,
    wanting,
)
from agentctl.testing.crash import DownStore
from agentctl.testing.graphs import MemoryGraphs

LINES = ROWS.splitlines(keepends=True)


async def test_a_declared_graph_is_created_loaded_and_queried(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))

    checked = await validate(cluster, bench.agent)
    planned = await make_plan(cluster, bench.agent)
    applied = await apply(cluster, bench.agent, wanting())
    report, op = await load(cluster, bench.sarah, "supply", LINES, "append", "first rows")
    outcome = await run_query(cluster, bench.agent, "query.supply.all_packages", {}, 10)

    assert checked.ok
    assert [(c.resource, c.operation, c.disposition) for c in planned.result.changes] == [
        ("graph.supply", "create", "applied"),
        ("query.supply.all_packages", "create", "applied"),
        ("schema.supply", "create", "applied"),
    ]
    assert applied.ok, applied.diagnostics
    assert applied.converged
    assert applied.applied_count == 3
    assert report.rows == {"Package": 2, "DependsOn": 1}, report.diagnostics
    assert op is not None
    assert op.status == "success"
    assert outcome.reply is not None, outcome.diagnostics
    assert [r["p.name"] for r in outcome.reply.rows] == ["a", "b"]


async def test_an_apply_of_a_converged_cluster_writes_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    first = await apply(cluster, bench.agent, wanting())
    before = await cluster.ledger.head()
    ops = await cluster.journal.list()

    again = await apply(cluster, bench.agent, wanting())

    assert first.state_written
    assert again.converged
    assert not again.state_written
    assert again.op is None
    assert await cluster.ledger.head() == before
    assert await cluster.journal.list() == ops


async def test_a_comment_in_the_folder_is_no_change(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    await apply(cluster, bench.agent, wanting())
    bench.write({"cluster.yaml": "# which packages we use\n" + cluster_yaml("supply")})

    again = await apply(cluster, bench.agent, wanting())

    assert again.converged
    assert not again.state_written


async def test_a_reformatted_schema_is_one_commit_with_a_new_source(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    await apply(cluster, bench.agent, wanting())
    bench.write({"supply.pg": f"// packages\n{SCHEMA}"})

    moved = await apply(cluster, bench.agent, wanting())
    again = await apply(cluster, bench.agent, wanting())

    assert moved.converged, moved.diagnostics
    assert [c.kind for c in await cluster.graphs.history("supply")] == ["schema", "create"]
    assert not again.state_written


async def test_without_a_ledger_nothing_is_applied(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.write(folder_files("supply"))
    cluster = await bench.open()

    refused = await apply(cluster, bench.agent, wanting())

    assert [d.code for d in refused.diagnostics] == ["state_missing"]
    assert await cluster.graphs.roots() == ()


async def test_a_blank_intent_is_refused(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))

    refused = await apply(cluster, bench.agent, wanting(" "))

    assert [d.code for d in refused.diagnostics] == ["intent_required"]


async def test_a_refused_migration_stops_the_whole_apply(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    await apply(cluster, bench.agent, wanting())
    bench.write({"supply.pg": SCHEMA.replace("version: String?", "version: I64?")})

    refused = await apply(cluster, bench.agent, wanting())

    assert not refused.ok
    assert "schema_migration_unsupported" in [d.code for d in refused.diagnostics]
    assert refused.op is None
    assert [c.kind for c in await cluster.graphs.history("supply")] == ["create"]


async def test_events_tell_every_step_in_order(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    seen: list[ApplyEvent] = []

    async def on_event(event: ApplyEvent) -> None:
        seen.append(event)

    result = await apply(cluster, bench.agent, wanting(), on_event)

    assert [(e.kind, e.resource, e.outcome, e.steps_done) for e in seen] == [
        ("apply_started", None, None, 0),
        ("step_started", "graph.supply", None, 0),
        ("step_finished", "graph.supply", "done", 1),
        ("step_started", "query.supply.all_packages", None, 1),
        ("step_finished", "query.supply.all_packages", "done", 2),
        ("apply_finished", None, None, 2),
    ]
    assert seen[-1].op == result.op
    assert {e.steps_total for e in seen[1:]} == {2}


async def test_an_apply_is_an_op_whose_parent_is_the_one_before(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    result = await apply(cluster, bench.agent, wanting("track our dependencies"))
    assert result.op is not None

    op = await cluster.journal.get(result.op)
    lineage = await cluster.journal.lineage(result.op)
    post = await cluster.journal.post(result.op)

    assert op is not None
    assert (op.action, op.operation, op.status) == ("apply", "install", "success")
    assert op.intent == "track our dependencies"
    assert op.actor.source == "agent"
    assert op.on_behalf_of == "sarah"
    assert [o.action for o in lineage] == ["apply", "import"]
    assert post is not None
    assert post.seq == 2
    assert post.graphs == {"supply": "main:1"}


class Failing(MemoryGraphs):
    """Graphs of which `alpha` cannot be created; where blind, it cannot be seen afterwards either."""

    def __init__(self, bench: Bench, uri: str, failure: Exception, *, blind: bool) -> None:
        super().__init__(bench.roots, uri=uri)
        self.failure = failure
        self.blind = blind
        self.tried = False

    async def create(
        self, graph_id: str, *, schema: SchemaPayload, incarnation: str, stamp: Stamp
    ) -> int:
        if graph_id != "alpha":
            return await super().create(
                graph_id, schema=schema, incarnation=incarnation, stamp=stamp
            )
        self.tried = True
        raise self.failure

    async def observe(self, graph_id: str) -> LiveGraph:
        live = await super().observe(graph_id)
        if self.blind and self.tried and graph_id == "alpha":
            return msgspec.structs.replace(live, presence="unreadable", error="no answer")
        return live


def failing(bench: Bench, failure: Exception, *, blind: bool = False) -> None:
    def wrap(graphs: GraphPort) -> GraphPort:
        uri = graphs.uri("x").removesuffix("/graphs/x.omni")
        return Failing(bench, uri, failure, blind=blind)

    bench.wrap_graphs = wrap


async def test_one_failed_graph_stops_the_graph_moves_not_begun_and_what_hangs_on_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_apply, "CONCURRENCY_DEFAULT", 1)
    bench = Bench(tmp_path)
    await bench.begun(folder_files("alpha", "beta"))
    failing(bench, GraphError(error("graph_corrupt", "graph.alpha", "the disk is full")))
    cluster = await bench.open()

    result = await apply(cluster, bench.agent, wanting())

    assert not result.ok
    assert [(d.code, d.path) for d in result.diagnostics] == [
        ("graph_create_failed", "graph.alpha"),
        ("graph_create_skipped", "graph.beta"),
    ]
    assert {(c.resource, c.reason) for c in result.changes} == {
        ("graph.alpha", "graph_create_failed"),
        ("schema.alpha", "dependency_not_applied"),
        ("query.alpha.all_packages", "dependency_not_applied"),
        ("graph.beta", "graph_create_failed"),
        ("schema.beta", "dependency_not_applied"),
        ("query.beta.all_packages", "dependency_not_applied"),
    }
    assert result.resource_statuses["graph.alpha"].status == "blocked"
    assert await cluster.store.list("__cluster/recoveries/") == ()
    assert result.op is not None
    op = await cluster.journal.get(result.op)
    assert op is not None
    assert op.status == "failed"


async def test_an_outcome_that_cannot_be_seen_is_told_as_unknown_and_settled_later(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    await bench.begun(folder_files("alpha"))
    failing(bench, UnavailableError("no answer"), blind=True)
    cluster = await bench.open()

    unknown = await apply(cluster, bench.agent, wanting())
    bench.wrap_graphs = lambda graphs: graphs
    cluster = await bench.open()
    settled = await apply(cluster, bench.agent, wanting())

    assert [s.outcome for s in unknown.steps] == ["unknown"]
    assert [d.code for d in unknown.diagnostics] == ["outcome_unknown"]
    assert settled.ok, settled.diagnostics
    assert settled.converged
    assert [d.code for d in settled.diagnostics] == ["cluster_recovery_retired"]


async def test_a_payload_that_cannot_be_written_ends_the_run_before_anything_is_recorded(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    await bench.begun(folder_files("supply"))

    def down(store: ObjectStore) -> ObjectStore:
        return DownStore(
            store, lambda operation, key: operation == "create" and "resources/query" in key
        )

    bench.wrap_store = down
    cluster = await bench.open()
    seq = (await cluster.ledger.head()).seq  # type: ignore[union-attr]  # begun above
    failed = await apply(cluster, bench.agent, wanting())
    bench.wrap_store = lambda store: store
    after = await bench.open()
    mended = await apply(after, bench.agent, wanting())

    assert [d.code for d in failed.diagnostics] == ["resource_payload_write_error"]
    assert not failed.state_written
    assert (await cluster.ledger.at(seq + 1)).envelope.kind == "apply"  # type: ignore[union-attr]
    assert mended.converged
    assert [d.code for d in mended.diagnostics] == ["cluster_recovery_rolled_forward"]
    assert [c.kind for c in await after.graphs.history("supply")] == ["create"]
    assert len((await recorded(after)).recovery_records) == 1


async def test_a_graph_that_another_writer_holds_is_left_alone_and_the_rest_goes_on(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("busy", "idle"))
    await apply(cluster, bench.agent, wanting())
    bench.write({"busy.pg": WIDER_SCHEMA, "idle.pg": WIDER_SCHEMA})

    async with cluster.leases.hold("graph.busy@main", principal="tom", operation="load"):
        result = await apply(cluster, bench.agent, wanting())
    after = await apply(cluster, bench.agent, wanting())

    assert result.ok
    assert not result.converged
    assert {c.resource: c.reason for c in result.changes if c.disposition == "blocked"} == {
        "schema.busy": "graph_busy"
    }
    assert [c.kind for c in await cluster.graphs.history("idle")] == ["schema", "create"]
    assert after.converged
    assert GRAPH_WAIT_S > TTL_S, "else a writer that died elsewhere is never taken over"


async def test_only_one_apply_at_a_time(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))

    async with cluster.leases.hold("cluster", principal="tom", operation="apply"):
        with pytest.raises(StateLockHeldError) as refused:
            await apply(cluster, bench.agent, wanting())

    assert refused.value.diagnostic.code == "state_lock_held"


async def test_a_query_that_leaves_the_folder_leaves_the_ledger(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    await apply(cluster, bench.agent, wanting())
    bench.write({"supply.gq": QUERY.replace("all_packages", "every_package")})

    result = await apply(cluster, bench.agent, wanting())

    assert result.converged
    assert "query.supply.all_packages" not in (await recorded(cluster)).applied_revision.resources
    assert "query.supply.all_packages" not in (await recorded(cluster)).resource_statuses
