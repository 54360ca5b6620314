"""A read or a change that cannot be is told what is wrong, where, and what to do: one error each."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from agentctl.engine.cluster import Cluster
from agentctl.testing.builders import QUERY, ROWS, Bench, folder_files
from agentctl_tools.door import call

QUERIES = f"""{QUERY}
query add($name: String) {{ insert Package {{ name: $name }} }}
"""
READ = "query q() { match { $p: Package } return { $p.name } }"
ASKS = READ.replace("q()", "q($n: String)").replace("Package }", "Package $p.name >= $n }")

Given = Mapping[str, object]
READS: tuple[tuple[Given, str, str], ...] = (
    ({"query": "query q( {"}, "query_parse_error", "query"),
    ({"query": READ.replace("Package", "Pakage")}, "query_typecheck_error", "query"),
    ({"query": ASKS, "params": {"n": 1}}, "param_invalid", "query"),
    ({"query": ASKS}, "param_missing", "query"),
    ({"query": READ, "params": {"n": 1}}, "param_unknown", "query"),
    ({"query": 'query q() { insert Package { name: "a" } }'}, "query_wrong_kind", "query"),
    ({"query": READ, "branch": "nowhere"}, "graph_branch_missing", "graph.supply"),
    ({"query": READ, "at": "main:99"}, "graph_point_missing", "graph.supply"),
    ({"query": READ, "limit": 0}, "invalid_arguments", "$.limit"),
    ({"query": READ, "limit": 10**9}, "invalid_arguments", "$.limit"),
    ({"query": READ, "deadline_s": 1e-9}, "query_deadline_exceeded", "query"),
    ({"query": READ, "graph": "nothing"}, "graph_not_found", "graph.nothing"),
)
CHANGES: tuple[tuple[Given, str, str], ...] = (
    ({"params": {"name": 1}}, "param_invalid", "query.supply.add"),
    ({}, "param_missing", "query.supply.add"),
    ({"query": "supply.all_packages"}, "query_wrong_kind", "query.supply.all_packages"),
    ({"query": "supply.ad"}, "query_not_found", "query.supply.ad"),
    ({"params": {"name": "z"}, "branch": "nowhere"}, "graph_branch_missing", "graph.supply"),
    ({"params": {"name": "z"}, "if_commit": "main:1"}, "read_set_conflict", "graph.supply"),
    ({"params": {"name": "z"}, "if_commit": "newest"}, "invalid_arguments", "$.if_commit"),
)


async def begun(bench: Bench) -> Cluster:
    cluster = await bench.begun(folder_files("supply") | {"supply.gq": QUERIES})
    assert (await call(cluster, bench.sarah, "apply", {"intent": "begin"})).ok
    rows = {"graph": "supply", "rows": ROWS.decode(), "intent": "rows"}
    assert (await call(cluster, bench.sarah, "load_rows", rows)).ok
    return cluster


@pytest.mark.parametrize("operation", ["query", "mutate"])
async def test_whatever_is_wrong_is_told_with_its_place_and_a_remedy(
    tmp_path: Path, operation: str
) -> None:
    bench = Bench(tmp_path, where="lance")
    cluster = await begun(bench)
    common: Given = {"graph": "supply"}
    if operation == "mutate":
        common = {"query": "supply.add", "intent": "a row"}
    before = (await cluster.graphs.history("supply"))[0].id

    for given, code, path in READS if operation == "query" else CHANGES:
        refused = await call(cluster, bench.sarah, operation, {**common, **given})
        (told,) = refused.diagnostics
        assert told.code == code, given
        assert (told.path, told.severity) == (path, "error"), given
        assert told.message, given
        assert told.remedy, given

    assert (await cluster.graphs.history("supply"))[0].id == before


async def test_a_read_that_gives_no_row_is_no_mistake(tmp_path: Path) -> None:
    bench = Bench(tmp_path, where="lance")
    cluster = await begun(bench)
    asked = {"graph": "supply", "query": READ.removesuffix("}") + "limit 0 }"}

    found = await call(cluster, bench.sarah, "query", asked)

    assert (found.ok, found.summary) == (True, "0 rows.")
