"""Queries beyond what graphs run: stored, applied and listed like all, and refused when called.

Source: ADR 7.
"""

from pathlib import Path

from agentctl.engine.apply import apply
from agentctl.engine.cluster import Cluster
from agentctl.engine.data import list_queries, run_query
from agentctl.testing.builders import QUERY, Bench, folder_files, wanting

BEYOND = """\
query loners($names: [String]) {
  match { $p: Package not { $p dependsOn $_ } $p.name in $names }
  return distinct { $p.name }
  offset 2
}
query add($name: String) { insert Package { name: $name version: "1" } }
"""


async def begun(bench: Bench) -> Cluster:
    cluster = await bench.begun(folder_files("supply") | {"supply.gq": f"{QUERY}\n{BEYOND}"})
    result = await apply(cluster, bench.agent, wanting())
    assert result.converged, result.diagnostics
    return cluster


async def test_a_query_that_graphs_do_not_run_is_applied_and_refused_by_name(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)

    outcome = await run_query(cluster, bench.agent, "query.supply.loners", {"names": []}, 10)

    assert outcome.reply is None
    assert [(d.code, d.path) for d in outcome.diagnostics] == [
        ("not_supported_yet", "query.supply.loners")
    ]
    assert outcome.diagnostics[0].message == (
        "`loners` uses `in`, `not { … }`, `distinct`, `offset`, which this release does not run yet"
    )


async def test_a_mutation_is_refused_before_its_parameters_are_looked_at(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)

    outcome = await run_query(cluster, bench.agent, "query.supply.add", {}, None)

    assert [d.code for d in outcome.diagnostics] == ["not_supported_yet"]
    assert "`insert`" in outcome.diagnostics[0].message


async def test_the_list_of_queries_says_which_change_and_which_cannot_run_now(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)

    listed = {str(e.address): e for e in await list_queries(cluster, bench.agent)}

    add, loners = listed["query.supply.add"], listed["query.supply.loners"]
    plain = listed["query.supply.all_packages"]
    assert (add.mutation, loners.mutation, plain.mutation) == (True, False, False)
    assert [p.name for p in add.params] == ["name"]
    assert [c.name for c in loners.columns] == ["p.name"]
    assert loners.trouble is not None
    assert "`distinct`" in loners.trouble
    assert plain.trouble is None
