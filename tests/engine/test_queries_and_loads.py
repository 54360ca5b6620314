"""Stored queries run as they were applied; loads go in whole, by one commit and one op, or not at all."""

from pathlib import Path

import msgspec
import pytest

from agentctl.domain.ledger.observations import LiveGraph
from agentctl.engine.apply import apply
from agentctl.engine.cluster import Cluster
from agentctl.engine.data import graph_show, list_queries, load, run_query
from agentctl.engine.leases import StateLockHeldError
from agentctl.graph.port import GraphPort
from agentctl.languages.schema.compile import compile_schema
from agentctl.languages.schema.ir import evolve_ir
from agentctl.testing.builders import QUERY, ROWS, Bench, folder_files, wanting
from agentctl.testing.crash import NEVER, Crash
from agentctl.testing.graphs import MemoryGraphs

LINES = ROWS.splitlines(keepends=True)
BY_NAME = """\
query by_name($name: String) @description("One package.") {
  match {
    $p: Package
    $p.name = $name
  }
  return { $p.version as version }
}
"""


async def begun(bench: Bench) -> Cluster:
    files = folder_files("supply") | {"supply.gq": f"{QUERY}\n{BY_NAME}"}
    cluster = await bench.begun(files)
    result = await apply(cluster, bench.agent, wanting())
    assert result.converged, result.diagnostics
    await load(cluster, bench.sarah, "supply", LINES, "append", "first rows")
    return cluster


async def test_a_query_runs_as_applied_whatever_the_folder_says_now(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)
    bench.write({"supply.gq": "query all_packages() { match { $p: Package } return { 1 } }\n"})

    outcome = await run_query(cluster, bench.agent, "query.supply.all_packages", {}, 10)

    assert outcome.reply is not None
    assert [c.name for c in outcome.reply.columns] == ["p.name", "p.version"]


async def test_parameters_are_bound_strictly(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)
    address = "query.supply.by_name"

    good = await run_query(cluster, bench.agent, address, {"name": "a"}, 10)
    missing = await run_query(cluster, bench.agent, address, {}, 10)
    wrong = await run_query(cluster, bench.agent, address, {"name": 1, "more": 2}, 10)

    assert good.reply is not None, good.diagnostics
    assert good.reply.rows == ({"version": "1"},)
    assert [d.code for d in missing.diagnostics] == ["param_missing"]
    assert {d.code for d in wrong.diagnostics} == {"param_invalid", "param_unknown"}


async def test_a_query_that_was_not_applied_is_unknown(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)

    for address in ("query.supply.nothing", "graph.supply", "not an address"):
        outcome = await run_query(cluster, bench.agent, address, {}, 10)
        assert outcome.reply is None
        assert [d.code for d in outcome.diagnostics] == ["query_not_found"]


class Drifted(MemoryGraphs):
    """Graphs whose live schema is another one than was applied."""

    async def observe(self, graph_id: str) -> LiveGraph:
        live = await super().observe(graph_id)
        catalog = compile_schema(b"node Other { name: String @key }\n", file="x.pg").catalog
        assert catalog is not None
        return msgspec.structs.replace(live, ir=evolve_ir(None, catalog, lambda: "0" * 26))


async def test_a_query_is_checked_against_the_schema_that_the_graph_has_now(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    await begun(bench)

    def wrap(graphs: GraphPort) -> GraphPort:
        return Drifted(bench.roots, uri=graphs.uri("x").removesuffix("/graphs/x.omni"))

    bench.wrap_graphs = wrap
    cluster = await bench.open()
    outcome = await run_query(cluster, bench.agent, "query.supply.all_packages", {}, 10)
    listed = await list_queries(cluster, bench.agent)

    assert outcome.reply is None
    assert {d.code for d in outcome.diagnostics} == {"query_typecheck_error"}
    assert all(entry.trouble is not None for entry in listed)


async def test_queries_are_listed_with_what_they_take_and_give(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)

    everything, by_name = await list_queries(cluster, bench.agent)

    assert everything.address == "query.supply.all_packages"
    assert by_name.description == "One package."
    assert [(p.name, p.kind) for p in by_name.params] == [("name", "string")]
    assert [c.name for c in by_name.columns] == ["version"]


async def test_a_load_is_one_op_and_one_commit_that_names_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)

    more = b'{"type": "Package", "data": {"name": "c"}}\n'
    report, op = await load(cluster, bench.agent, "supply", [more], "append", "one more")
    shown = await graph_show(cluster, bench.agent, "supply")

    assert report.commit == "main:3"
    assert op is not None
    assert (op.action, op.component, op.status) == ("load", "graph.supply", "success")
    assert shown is not None
    assert shown.commits[0].op == op.id
    assert shown.commits[0].intent == "one more"
    parent = await cluster.journal.get(op.lineage.parent_op or "")
    assert parent is not None
    assert parent.action == "load"
    assert (await cluster.ledger.head()).seq == 2  # type: ignore[union-attr]  # rows move no ledger


async def test_a_load_with_a_bad_line_loads_nothing_and_its_op_failed(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)
    lines = [b'{"type": "Package", "data": {"name": "c"}}\n', b"{\n"]

    report, op = await load(cluster, bench.agent, "supply", lines, "append", "bad rows")

    assert report.commit is None
    assert {d.code for d in report.diagnostics} == {"load_line_invalid"}
    assert op is not None
    assert op.status == "failed"
    assert (await cluster.graphs.observe("supply")).commit == 2


async def test_a_load_needs_an_intent_a_ledger_and_a_recorded_graph(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.write(folder_files("supply"))
    cluster = await bench.open()

    without_ledger, _ = await load(cluster, bench.sarah, "supply", LINES, "append", "x")
    cluster = await begun(bench)
    without_intent, _ = await load(cluster, bench.sarah, "supply", LINES, "append", " ")
    unknown, op = await load(cluster, bench.sarah, "other", LINES, "append", "x")

    assert [d.code for d in without_ledger.diagnostics] == ["state_missing"]
    assert [d.code for d in without_intent.diagnostics] == ["intent_required"]
    assert [d.code for d in unknown.diagnostics] == ["graph_not_found"]
    assert op is None


async def test_two_writers_of_one_graph_do_not_meet(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)

    async with cluster.leases.hold("graph.supply@main", principal="tom", operation="load"):
        with pytest.raises(StateLockHeldError):
            await load(cluster, bench.sarah, "supply", LINES, "append", "x")


async def test_the_writer_after_a_dead_one_fences_it_and_settles_its_op(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await begun(bench)
    more = [b'{"type": "Package", "data": {"name": "c"}}\n']
    dying, store = await bench.crashing(NEVER)
    await load(dying, bench.sarah, "supply", more, "merge", "count the writes")
    table = next(n for n, label in enumerate(store.labels, 1) if label.startswith("table"))
    dying, _ = await bench.crashing(table)
    with pytest.raises(Crash):
        await load(dying, bench.sarah, "supply", more, "merge", "dies")
    cluster = await bench.open()

    report, _ = await load(cluster, bench.sarah, "supply", more, "merge", "goes on")
    kinds = [c.kind for c in await cluster.graphs.history("supply")]
    ops = {op.intent: op.status for op in await cluster.journal.list()}

    assert report.commit is not None
    assert kinds[:2] == ["write", "fence"]
    assert ops["dies"] == "failed"
    assert ops["goes on"] == "success"
