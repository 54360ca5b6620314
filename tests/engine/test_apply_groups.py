"""A group is applied all or nothing at the ledger commit, whatever fails and wherever. Source: control-plane 3.1."""

from pathlib import Path

import pytest

from agentctl.diagnostics.diagnostic import error
from agentctl.engine.apply import apply
from agentctl.engine.cluster import Cluster
from agentctl.engine.data import load, run_query
from agentctl.engine.refresh import refresh
from agentctl.engine.results import ApplyResult
from agentctl.graph.port import GraphError, GraphPort, SchemaPayload, Stamp
from agentctl.testing.builders import (
    QUERY,
    ROWS,
    SCHEMA,
    WIDER_SCHEMA,
    Bench,
    Files,
    ask,
    cluster_yaml,
    decide,
    folder_files,
    recorded,
    wanting,
)
from agentctl.testing.graphs import MemoryGraphs

GROUP = "apply: {concurrency: 1, groups: {both: [graph.alpha, graph.beta]}}"
TIGHTER_SCHEMA = SCHEMA.replace("  version: String?\n", "  version: String\n")
TWO = ("alpha", "beta")


class Failing(MemoryGraphs):
    """Graphs of which one can be neither created nor migrated."""

    failing = "beta"

    async def create(
        self, graph_id: str, *, schema: SchemaPayload, incarnation: str, stamp: Stamp
    ) -> int:
        self._fail(graph_id)
        return await super().create(graph_id, schema=schema, incarnation=incarnation, stamp=stamp)

    async def migrate(
        self, graph_id: str, *, schema: SchemaPayload, observed: int, stamp: Stamp
    ) -> int:
        self._fail(graph_id)
        return await super().migrate(graph_id, schema=schema, observed=observed, stamp=stamp)

    def _fail(self, graph_id: str) -> None:
        if graph_id == self.failing:
            raise GraphError(error("graph_corrupt", f"graph.{graph_id}", "the disk is full"))


class Killed(BaseException):
    """Nothing of the product catches it, as nothing catches a SIGKILL."""


class Dying(Failing):
    """The process ends in the middle of the second graph."""

    def _fail(self, graph_id: str) -> None:
        if graph_id == self.failing:
            raise Killed


async def broken(bench: Bench, kind: type[Failing] = Failing) -> Cluster:
    """Returns the cluster as a process sees it for which one graph does not work."""

    def wrap(graphs: GraphPort) -> GraphPort:
        return kind(bench.roots, uri=graphs.uri("x").removesuffix("/graphs/x.omni"))

    bench.wrap_graphs = wrap
    return await bench.open()


async def mended(bench: Bench) -> Cluster:
    bench.wrap_graphs = lambda graphs: graphs
    return await bench.open()


def grouped(*graphs: str) -> Files:
    return {**folder_files(*graphs), "cluster.yaml": cluster_yaml(*graphs, more=GROUP)}


async def applied(bench: Bench) -> Cluster:
    """A cluster with both graphs, in whose force the group is."""
    cluster = await bench.begun(dict(grouped(*TWO)))
    await apply(cluster, bench.agent, wanting())
    await decide(cluster, await ask(cluster, bench.agent, "cluster"))
    assert (await apply(cluster, bench.agent, wanting())).converged
    return cluster


def held(result: ApplyResult) -> set[str]:
    return {c.resource for c in result.changes if c.disposition == "blocked"}


def codes(result: ApplyResult) -> list[str]:
    return [d.code for d in result.diagnostics if d.code == "apply_group_split"]


async def sidecars(cluster: Cluster) -> int:
    return len(await cluster.store.list("__cluster/recoveries/"))


async def test_nothing_of_a_group_is_recorded_until_all_of_it_is_done(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.begun(dict(grouped(*TWO)))
    cluster = await broken(bench)

    split = await apply(cluster, bench.agent, wanting())
    between = (await recorded(cluster)).applied_revision.resources
    left = await sidecars(cluster)
    once_more = await apply(cluster, bench.agent, wanting())
    still = (await recorded(cluster)).applied_revision.resources
    cluster = await mended(bench)
    again = await apply(cluster, bench.agent, wanting())

    assert [(s.resource, s.outcome) for s in split.steps if s.resource.startswith("graph")] == [
        ("graph.alpha", "done"),
        ("graph.beta", "not_done"),
    ]
    assert codes(split) == codes(once_more) == ["apply_group_split"]
    assert codes(again) == []
    assert {"graph.alpha", "graph.beta", "schema.alpha", "query.alpha.all_packages"} <= held(split)
    assert between == still == {}
    assert left == 1
    after = (await recorded(cluster)).applied_revision.resources
    assert {"graph.alpha", "graph.beta"} <= set(after)
    assert await sidecars(cluster) == 0


async def test_a_group_that_a_crash_split_is_recorded_whole_or_not_at_all(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.begun(dict(grouped(*TWO)))
    with pytest.raises(Killed):
        await apply(await broken(bench, Dying), bench.agent, wanting())
    bench.world.advance(600)
    cluster = await broken(bench)

    swept = await apply(cluster, bench.agent, wanting())
    between = (await recorded(cluster)).applied_revision.resources
    refreshed = await refresh(cluster, bench.agent, "what is there?")
    looked = (await recorded(cluster)).applied_revision.resources
    cluster = await mended(bench)
    await apply(cluster, bench.agent, wanting())

    assert codes(swept) == ["apply_group_split"]
    assert "apply_group_split" in {d.code for d in refreshed.diagnostics}
    assert not {"graph.alpha", "graph.beta"} & (set(between) | set(looked))
    after = (await recorded(cluster)).applied_revision.resources
    assert {"graph.alpha", "graph.beta"} <= set(after)


async def test_a_refresh_records_a_group_of_which_all_is_there(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await applied(bench)
    before = await recorded(cluster)
    bench.write({f"{g}.pg": WIDER_SCHEMA for g in TWO})
    await apply(await broken(bench), bench.agent, wanting())
    split = await recorded(cluster)
    bench.write({"beta.pg": SCHEMA, "alpha.pg": WIDER_SCHEMA})
    cluster = await mended(bench)

    await refresh(cluster, bench.agent, "beta stays as it is")

    after = await recorded(cluster)
    was = before.applied_revision.resources["schema.alpha"]
    assert split.applied_revision.resources["schema.alpha"] == was
    assert after.applied_revision.resources["schema.alpha"] != was
    assert await sidecars(cluster) == 0


async def test_the_approval_of_a_step_that_is_not_recorded_is_not_used_up(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await applied(bench)
    bench.write({"alpha.pg": TIGHTER_SCHEMA, "beta.pg": WIDER_SCHEMA})
    request = await ask(cluster, bench.agent, "schema.alpha")
    decision = await decide(cluster, request)

    split = await apply(await broken(bench), bench.agent, wanting())
    unused = (await recorded(cluster)).approval_records
    cluster = await mended(bench)
    again = await apply(cluster, bench.agent, wanting())

    assert codes(split) == ["apply_group_split"]
    assert decision.approval_id not in unused
    assert again.converged, again.diagnostics
    assert decision.approval_id in (await recorded(cluster)).approval_records


async def test_rows_of_a_graph_whose_group_is_not_whole_are_read_and_not_lost(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await applied(bench)
    lines = ROWS.splitlines(keepends=True)
    await load(cluster, bench.sarah, "alpha", lines, "append", "rows")
    bench.write({f"{g}.pg": WIDER_SCHEMA for g in TWO})
    cluster = await broken(bench)
    assert codes(await apply(cluster, bench.agent, wanting())) == ["apply_group_split"]

    await load(cluster, bench.sarah, "alpha", [lines[0].replace(b'"a"', b'"z"')], "append", "more")
    cluster = await mended(bench)
    assert (await apply(cluster, bench.agent, wanting())).converged
    outcome = await run_query(cluster, bench.sarah, "query.alpha.all_packages", {}, 10)

    assert outcome.reply is not None, outcome.diagnostics
    assert [row["p.name"] for row in outcome.reply.rows] == ["a", "b", "z"]


async def test_an_alias_of_a_query_that_its_group_holds_back_waits_too(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    alias = "aliases: {every: {query: query.alpha.all_packages}}"
    text = cluster_yaml(*TWO, more=f"{GROUP}\n{alias}")
    await bench.begun({**folder_files(*TWO), "cluster.yaml": text})
    cluster = await broken(bench)

    split = await apply(cluster, bench.agent, wanting())

    assert "alias.every" in held(split)
    assert (await recorded(cluster)).applied_revision.resources == {}


async def test_a_graph_that_is_in_no_group_is_recorded_beside_one_that_is_split(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    await bench.begun(
        {**folder_files("aaa", *TWO), "cluster.yaml": cluster_yaml("aaa", *TWO, more=GROUP)}
    )
    cluster = await broken(bench)

    await apply(cluster, bench.agent, wanting())

    found = (await recorded(cluster)).applied_revision.resources
    assert {r for r in found if r.startswith("graph.")} == {"graph.aaa"}
    assert QUERY.split("(")[0].split()[-1] in {r.rpartition(".")[2] for r in found}
