"""A renamed graph whose ledger is lost, or forgot it, is found under its newest name. Source: ADR 13."""

from pathlib import Path

import pytest

from agentctl.engine.apply import apply
from agentctl.engine.cluster import Cluster
from agentctl.engine.data import load, run_query
from agentctl.engine.planning import make_plan
from agentctl.engine.refresh import import_, refresh
from agentctl.engine.results import RefreshResult
from agentctl.testing.builders import (
    QUERY,
    ROWS,
    SCHEMA,
    Bench,
    Files,
    Where,
    ask,
    cluster_yaml,
    decide,
    folder_files,
    recorded,
    wanting,
)
from agentctl.testing.consent import caller

LINES = ROWS.splitlines(keepends=True)
NAMES = "graphs/supply.omni/_graph/names/"


def moved(source: str, target: str, *others: str) -> Files:
    move = f"moved: [{{from: graph.{source}, to: graph.{target}}}]\n"
    return {
        "cluster.yaml": cluster_yaml(target, *others) + move,
        f"{target}.pg": SCHEMA,
        f"{target}.gq": QUERY,
    }


async def renamed(bench: Bench) -> Cluster:
    """A graph with two rows, which lies in the root `supply` and is called `parts`."""
    cluster = await bench.begun(folder_files("supply"))
    assert (await apply(cluster, bench.agent, wanting())).converged
    await load(cluster, bench.sarah, "supply", LINES, "append", "first rows")
    bench.write(moved("supply", "parts"))
    assert (await apply(cluster, bench.agent, wanting())).converged
    bench.write({"cluster.yaml": cluster_yaml("parts")})
    return cluster


async def lose_ledger(cluster: Cluster) -> None:
    for prefix in ("__cluster/ledger/", "__cluster/state.json"):
        for key in await cluster.store.list(prefix):
            await cluster.store.delete(key)


async def rows(cluster: Cluster, graph: str) -> list[object]:
    query = f"query.{graph}.all_packages"
    outcome = await run_query(cluster, caller("sarah"), query, {}, 10)
    assert outcome.reply is not None, outcome.diagnostics
    return [row["p.name"] for row in outcome.reply.rows]


def codes(result: RefreshResult) -> list[str]:
    return [d.code for d in result.diagnostics]


async def imported(bench: Bench) -> tuple[Cluster, RefreshResult]:
    cluster = await bench.open()
    await lose_ledger(cluster)
    cluster = await bench.open()
    return cluster, await import_(cluster, bench.sarah, "the ledger was lost")


@pytest.mark.parametrize("where", ["memory", pytest.param("lance", marks=pytest.mark.slow)])
async def test_import_finds_a_renamed_graph_under_its_newest_name(
    tmp_path: Path, where: Where
) -> None:
    bench = Bench(tmp_path, where=where)
    await renamed(bench)

    cluster, found = await imported(bench)
    state = await recorded(cluster)
    applied = await apply(cluster, bench.agent, wanting())

    assert found.ok, found.diagnostics
    assert "graph_root_renamed" in codes(found)
    assert "graph_undeclared" not in codes(found)
    assert state.applied_revision.resources["graph.parts"].root == "supply"
    assert applied.converged, applied.diagnostics
    assert [s.resource for s in applied.steps] == ["query.parts.all_packages"]
    assert await rows(cluster, "parts") == ["a", "b"]
    assert await cluster.graphs.port.roots() == ("supply",)


async def test_each_graph_is_found_where_it_lies_though_roots_are_called_otherwise(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await renamed(bench)
    bench.write({"cluster.yaml": cluster_yaml("parts", "supply")})
    assert (await apply(cluster, bench.agent, wanting())).converged

    cluster, found = await imported(bench)
    resources = (await recorded(cluster)).applied_revision.resources
    applied = await apply(cluster, bench.agent, wanting())

    assert found.ok, found.diagnostics
    assert resources["graph.parts"].root == "supply"
    assert resources["graph.supply"].root == "supply~2"
    assert applied.converged, applied.diagnostics
    assert await rows(cluster, "parts") == ["a", "b"]
    assert await rows(cluster, "supply") == []


async def test_a_graph_that_was_moved_back_is_found_under_its_first_name(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await renamed(bench)
    bench.write(moved("parts", "supply"))
    assert (await apply(cluster, bench.agent, wanting())).converged

    cluster, found = await imported(bench)
    resources = (await recorded(cluster)).applied_revision.resources

    assert found.ok, found.diagnostics
    assert "graph_root_renamed" not in codes(found)
    assert resources["graph.supply"].root is None


async def test_a_name_from_an_attempt_that_died_is_corrected_by_the_next_refresh(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await renamed(bench)
    key = f"{NAMES}{2:020}.json"
    wrong = bench.objects[f"{NAMES}{1:020}.json"].replace(b"parts", b"other")
    await cluster.store.create(key, wrong)

    refreshed = await refresh(cluster, bench.sarah, "look")
    cluster, found = await imported(bench)

    assert refreshed.diagnostics == ()
    assert found.ok, found.diagnostics
    assert (await recorded(cluster)).applied_revision.resources["graph.parts"].root == "supply"


async def forgotten(bench: Bench) -> Cluster:
    """The ledger has forgotten the renamed graph, and the folder declares it again."""
    cluster = await renamed(bench)
    bench.write({"cluster.yaml": cluster_yaml() + "forget: [graph.parts]\n"})
    await decide(cluster, await ask(cluster, bench.agent, "graph.parts"))
    assert (await apply(cluster, bench.agent, wanting())).converged
    bench.write({"cluster.yaml": cluster_yaml("parts")})
    return cluster


async def test_no_empty_graph_is_made_beside_a_root_that_has_its_name_on_record(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await forgotten(bench)

    planned = await make_plan(cluster, bench.agent)
    applied = await apply(cluster, bench.agent, wanting())

    (told,) = [d for d in planned.result.diagnostics if d.code == "graph_root_renamed"]
    assert told.path == "graph.parts"
    assert told.remedy == "agentctl refresh"
    assert [d.code for d in applied.diagnostics if d.severity == "error"] == ["graph_create_failed"]
    assert await cluster.graphs.port.roots() == ("supply",)


async def test_refresh_adopts_a_renamed_graph_that_is_declared_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await forgotten(bench)

    refreshed = await refresh(cluster, bench.sarah, "it is declared again")
    applied = await apply(cluster, bench.agent, wanting())

    assert refreshed.ok, refreshed.diagnostics
    assert "graph_root_renamed" in codes(refreshed)
    assert applied.converged, applied.diagnostics
    assert await rows(cluster, "parts") == ["a", "b"]


async def test_a_name_that_cannot_be_read_stops_an_import(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await renamed(bench)
    bench.objects[f"{NAMES}{1:020}.json"] = b"{"

    cluster, found = await imported(bench)

    assert not found.ok
    assert "graph_corrupt" in codes(found)
    assert await cluster.ledger.head() is None
