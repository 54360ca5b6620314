"""Stored and ad hoc reads: at any point of a branch, explained, bounded, by whoever may read it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from agentctl.engine.cluster import Cluster
from agentctl.testing.builders import QUERY, SCHEMA, Bench, cluster_yaml, folder_files
from agentctl_tools.door import call
from agentctl_tools.operation import Envelope
from tests.data.data_rig import cut

ADD = "query add($name: String) { insert Package { name: $name } }\n"
TEXT = "query q($n: String) { match { $p: Package $p.name >= $n } return { $p.name } order { $p.name asc } }"
POLICY = """\
version: 1
groups: { readers: ["agent:sarah"], writers: [sarah] }
protected_branches: [main]
rules:
  - id: look
    allow: { actors: { group: readers }, actions: [read], branch_scope: protected }
  - id: ask
    allow: { actors: { group: readers }, actions: [invoke_query] }
  - id: work
    allow: { actors: { group: writers }, actions: [read, invoke_query, change] }
"""


async def begun(bench: Bench, files: Mapping[str, str] | None = None) -> Cluster:
    """A graph with `a` in commit 2 and `b` in commit 3 of main, and `c` in branch trial."""
    cluster = await bench.begun(
        folder_files("supply") | {"supply.gq": f"{QUERY}\n{ADD}"} | dict(files or {})
    )
    assert (await call(cluster, bench.sarah, "apply", {"intent": "begin"})).ok
    for name in ("a", "b"):
        await add(cluster, bench, name, "main")
    await cut(cluster, "trial")
    await add(cluster, bench, "c", "trial")
    return cluster


async def add(cluster: Cluster, bench: Bench, name: str, branch: str) -> None:
    asked = {"query": "supply.add", "params": {"name": name}, "branch": branch, "intent": "a row"}
    done = await call(cluster, bench.sarah, "mutate", asked)
    assert done.ok, done


async def stored(cluster: Cluster, bench: Bench, **more: object) -> Envelope:
    asked = {"query": "supply.all_packages", **more}
    return await call(cluster, bench.sarah, "run_query", asked)


async def text(cluster: Cluster, bench: Bench, **more: object) -> Envelope:
    asked = {"graph": "supply", "query": TEXT, "params": {"n": "a"}, **more}
    return await call(cluster, bench.sarah, "query", asked)


def names(envelope: Envelope) -> list[str]:
    assert envelope.ok, envelope
    reply: Any = envelope.data
    return [row["p.name"] for row in reply.rows]


async def test_a_read_looks_at_a_commit_a_branch_or_a_time(tmp_path: Path) -> None:
    bench = Bench(tmp_path, where="lance")
    cluster = await begun(bench)
    newest, before, *_ = await cluster.graphs.history("supply")

    assert names(await stored(cluster, bench)) == ["a", "b"]
    assert names(await stored(cluster, bench, at=before.id)) == ["a"]
    assert names(await stored(cluster, bench, at=before.created_at)) == ["a"]
    assert names(await stored(cluster, bench, branch="trial")) == ["a", "b", "c"]
    assert names(await text(cluster, bench, at=before.id)) == ["a"]
    assert names(await text(cluster, bench, branch="trial", params={"n": "b"})) == ["b", "c"]
    missing = await stored(cluster, bench, at="main:99")
    assert [d.code for d in missing.diagnostics] == ["graph_point_missing"]
    told: Any = (await stored(cluster, bench)).data
    assert told.graph_commit_id == newest.id


async def test_a_plan_is_told_with_estimates_and_after_a_run_with_what_was_done(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path, where="lance")
    cluster = await begun(bench)

    planned: Any = (await text(cluster, bench, explain="plan")).data
    analyzed: Any = (await stored(cluster, bench, explain="analyze")).data

    assert (planned.rows, planned.plan.analyzed) == ((), False)
    assert planned.plan.steps[0].rows is None
    assert (analyzed.plan.analyzed, analyzed.plan.rows) == (True, 2)
    assert analyzed.plan.steps[0].rows == 2
    assert msgspec.json.decode(msgspec.json.encode(analyzed), type=type(analyzed)) == analyzed


async def test_a_read_that_is_too_late_or_too_large_says_which(tmp_path: Path) -> None:
    bench = Bench(tmp_path, where="lance")
    cluster = await begun(bench)

    late = await text(cluster, bench, deadline_s=1e-9)
    small = await text(cluster, bench, memory_bytes=1)

    assert [d.code for d in late.diagnostics] == ["query_deadline_exceeded"]
    assert [d.code for d in small.diagnostics] == ["invalid_arguments"]


async def test_an_ad_hoc_text_is_one_read_that_fits_the_schema(tmp_path: Path) -> None:
    bench = Bench(tmp_path, where="lance")
    cluster = await begun(bench)

    twice = await text(cluster, bench, query=f"{QUERY}\n{QUERY.replace('all_', 'no_')}", params={})
    changing = await text(cluster, bench, query=ADD, params={"name": "z"})
    wrong = await text(
        cluster, bench, query="query q() { match { $p: Nothing } return { $p } }", params={}
    )
    broken = await text(cluster, bench, query="query q(", params={})
    nowhere = await text(cluster, bench, graph="nothing")

    assert [d.code for d in twice.diagnostics] == ["invalid_arguments"]
    assert [d.code for d in changing.diagnostics] == ["query_wrong_kind"]
    assert [d.code for d in wrong.diagnostics] == ["query_typecheck_error"]
    assert not broken.ok
    assert [d.code for d in nowhere.diagnostics] == ["graph_not_found"]
    assert names(await stored(cluster, bench)) == ["a", "b"]


async def test_who_may_read_main_alone_reads_no_other_branch_by_any_name_of_its_commits(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path, where="lance")
    policies = "policies:\n  work:\n    file: work.yaml\n    applies_to: [graph.supply]\n"
    files = {"cluster.yaml": cluster_yaml("supply", policies=policies), "work.yaml": POLICY}
    cluster = await begun(bench, files)
    asked = {"graph": "supply", "query": TEXT, "params": {"n": "a"}}
    named = {"query": "supply.all_packages"}
    elsewhere: tuple[dict[str, object], ...] = ({"branch": "trial"}, {"at": "trial:2"})

    for more in elsewhere:
        for operation, given in (("query", asked), ("run_query", named)):
            denied = await call(cluster, bench.agent, operation, {**given, **more})
            assert [(d.code, d.path) for d in denied.diagnostics] == [
                ("denied", "graph.supply@trial")
            ], (operation, more)
    assert names(await call(cluster, bench.agent, "query", asked)) == ["a", "b"]
    assert names(await call(cluster, bench.agent, "run_query", named)) == ["a", "b"]


async def test_a_query_is_checked_against_the_schema_of_the_commit_that_it_reads(
    tmp_path: Path,
) -> None:
    """A branch keeps the schema that it was cut with, and so does an earlier commit."""
    bench = Bench(tmp_path, where="lance")
    cluster = await begun(bench)
    renamed = SCHEMA.replace("version: String?", 'release: String? @rename_from("version")')
    assert renamed != SCHEMA
    ask = "query q() {{ match {{ $p: Package }} return {{ $p.name, $p.{} }} order {{ $p.name asc }} }}"
    bench.write({"supply.pg": renamed, "supply.gq": f"{ask.format('release')}\n{ADD}"})
    applied = await call(cluster, bench.sarah, "apply", {"intent": "another name"})
    assert applied.ok, applied
    of_old, of_new = ({"query": ask.format(p), "params": {}} for p in ("version", "release"))

    assert names(await text(cluster, bench, **of_new)) == ["a", "b"]
    assert names(await text(cluster, bench, branch="trial", **of_old)) == ["a", "b", "c"]
    assert names(await text(cluster, bench, at="main:2", **of_old)) == ["a"]
    stored_now = await stored(cluster, bench, query="supply.q")
    assert names(stored_now) == ["a", "b"]
    for refused in (
        await text(cluster, bench, **of_old),
        await text(cluster, bench, branch="trial", **of_new),
        await text(cluster, bench, at="main:2", **of_new),
        await stored(cluster, bench, query="supply.q", branch="trial"),
        await stored(cluster, bench, query="supply.q", at="main:2"),
    ):
        assert [d.code for d in refused.diagnostics] == ["query_typecheck_error"], refused


async def test_a_mutation_of_a_branch_is_checked_against_the_branchs_schema(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path, where="lance")
    cluster = await begun(bench)
    wider = SCHEMA.replace("version: String?", "version: String?\n  licence: String?")
    add = 'query add($name: String) { insert Package { name: $name licence: "MIT" } }\n'
    bench.write({"supply.pg": wider, "supply.gq": f"{QUERY}\n{add}"})
    assert (await call(cluster, bench.sarah, "apply", {"intent": "licences"})).ok
    asked = {"query": "supply.add", "params": {"name": "d"}, "intent": "a row"}

    refused = await call(cluster, bench.sarah, "mutate", {**asked, "branch": "trial"})
    done = await call(cluster, bench.sarah, "mutate", asked)

    assert [d.code for d in refused.diagnostics] == ["query_typecheck_error"], refused
    assert done.ok, done
    assert names(await stored(cluster, bench, branch="trial")) == ["a", "b", "c"]
