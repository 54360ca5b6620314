"""Mutations: stored, applied and listed like all queries, and refused when called as reads are.

Source: ADR 7.
"""

from pathlib import Path

from agentctl.engine.apply import apply
from agentctl.engine.cluster import Cluster
from agentctl.engine.data import list_queries, load, run_query
from agentctl.testing.builders import QUERY, Bench, folder_files, wanting

BEYOND = """\
query loners($names: [String]) {
  match { $p: Package not { $p dependsOn $_ } $p.name in $names }
  return distinct { $p.name }
  offset 1
}
query add($name: String) { insert Package { name: $name version: "1" } }
"""


ROWS = b"""\
{"type": "Package", "data": {"name": "a", "version": "1"}}
{"type": "Package", "data": {"name": "b", "version": "1"}}
{"type": "Package", "data": {"name": "c", "version": "1"}}
{"edge": "DependsOn", "from": "a", "to": "b"}
"""


async def begun(bench: Bench) -> Cluster:
    cluster = await bench.begun(folder_files("supply") | {"supply.gq": f"{QUERY}\n{BEYOND}"})
    result = await apply(cluster, bench.agent, wanting())
    assert result.converged, result.diagnostics
    return cluster


async def test_a_read_of_the_whole_language_runs(tmp_path: Path) -> None:
    bench = Bench(tmp_path, where="lance")
    cluster = await begun(bench)
    lines = ROWS.splitlines(keepends=True)
    report, _ = await load(cluster, bench.sarah, "supply", lines, "append", "rows")
    assert report.diagnostics == ()

    names = {"names": ["a", "b", "c"]}
    outcome = await run_query(cluster, bench.agent, "query.supply.loners", names, 10)

    assert outcome.diagnostics == ()
    assert outcome.reply is not None
    assert outcome.reply.rows == ({"p.name": "c"},)


async def test_a_mutation_is_refused_before_its_parameters_are_looked_at(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)

    outcome = await run_query(cluster, bench.agent, "query.supply.add", {}, None)

    assert [d.code for d in outcome.diagnostics] == ["query_wrong_kind"]
    assert outcome.diagnostics[0].remedy == "agentctl mutate supply.add"


async def test_the_list_of_queries_says_which_change(
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
    assert (add.trouble, loners.trouble, plain.trouble) == (None, None, None)
