"""A stored mutation is one op and one commit, asked of policy twice, done once under its key."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agentctl.engine.cluster import Cluster
from agentctl.testing.builders import QUERY, SCHEMA, Bench, cluster_yaml, folder_files
from agentctl_tools.door import call
from agentctl_tools.operation import Envelope
from tests.data.data_rig import cut

ADD = """\
query add($name: String, $version: String?) {
  insert Package { name: $name version: $version }
}
query rename_version($name: String, $version: String) {
  update Package set { version: $version } where name = $name
}
"""
POLICY = """\
version: 1
groups: { readers: ["agent:sarah"], writers: [sarah] }
rules:
  - id: look
    allow: { actors: { group: readers }, actions: [read, invoke_query] }
  - id: work
    allow: { actors: { group: writers }, actions: [read, invoke_query, change] }
"""


async def begun(bench: Bench, files: Mapping[str, str] | None = None) -> Cluster:
    cluster = await bench.begun(
        folder_files("supply") | {"supply.gq": f"{QUERY}\n{ADD}"} | dict(files or {})
    )
    applied = await call(cluster, bench.sarah, "apply", {"intent": "begin"})
    assert applied.ok, applied
    return cluster


async def add(cluster: Cluster, bench: Bench, name: str, **more: object) -> Envelope:
    asked = {"query": "supply.add", "params": {"name": name}, "intent": "a row", **more}
    return await call(cluster, bench.sarah, "mutate", asked)


async def names(cluster: Cluster, bench: Bench) -> list[str]:
    read = await call(cluster, bench.sarah, "run_query", {"query": "supply.all_packages"})
    assert read.ok, read
    rows: Any = read.data
    return [row["p.name"] for row in rows.rows]


async def test_a_mutation_is_one_op_and_one_commit_that_name_each_other(tmp_path: Path) -> None:
    bench = Bench(tmp_path, where="lance")
    cluster = await begun(bench)

    done = await add(cluster, bench, "a")
    again = await add(cluster, bench, "b")

    assert done.ok, done
    answer: Any = done.data
    (newest, before, *_) = await cluster.graphs.history("supply")
    assert (before.id, before.op, before.kind) == (answer.report.commit, answer.op.id, "write")
    assert (answer.report.affected_nodes, answer.report.affected_edges) == (1, 0)
    assert (answer.op.action, answer.op.status, answer.op.component) == (
        "mutate", "success", "graph.supply",
    )  # fmt: skip
    pre, post = await cluster.journal.pre(answer.op.id), await cluster.journal.post(answer.op.id)
    assert pre is not None
    assert post is not None
    assert post.graphs == {"supply": before.id}
    assert pre.graphs != post.graphs
    assert newest.op == again.data.op.id  # type: ignore[attr-defined]  # a MutateAnswer
    assert again.data.op.lineage.parent_op == answer.op.id  # type: ignore[attr-defined]
    assert await names(cluster, bench) == ["a", "b"]


async def test_a_conditional_write_that_comes_too_late_names_both_commits(tmp_path: Path) -> None:
    bench = Bench(tmp_path, where="lance")
    cluster = await begun(bench)
    seen = (await cluster.graphs.history("supply", limit=1))[0].id

    first = await add(cluster, bench, "a", if_commit=seen)
    late = await add(cluster, bench, "b", if_commit=seen)

    assert first.ok, first
    assert [d.code for d in late.diagnostics] == ["read_set_conflict"]
    answer: Any = late.data
    assert (answer.race.expected, answer.race.actual) == (seen, first.data.report.commit)  # type: ignore[attr-defined]
    assert answer.op.status == "failed"
    assert await names(cluster, bench) == ["a"]


async def test_the_same_key_changes_the_graph_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path, where="lance")
    cluster = await begun(bench)

    first = await add(cluster, bench, "a", idempotency_key="k")
    again = await add(cluster, bench, "a", idempotency_key="k")
    other = await add(cluster, bench, "b", idempotency_key="k")

    assert first.data == again.data
    assert [d.code for d in other.diagnostics] == ["idempotency_conflict"]
    assert [c.kind for c in await cluster.graphs.history("supply")].count("write") == 1


async def test_what_the_schema_does_not_permit_changes_nothing_and_ends_the_op(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path, where="lance")
    schema = SCHEMA.replace("version: String?", "version: enum(one, two)?")
    cluster = await begun(bench, {"supply.pg": schema})

    wrong = await add(cluster, bench, "a", params={"name": "a", "version": "three"})
    unbound = await add(cluster, bench, "a", params={"name": 1})
    unknown = await add(cluster, bench, "a", query="supply.nothing")
    read = await add(cluster, bench, "a", query="supply.all_packages", params={})
    as_read = await call(cluster, bench.sarah, "run_query", {"query": "supply.add"})

    answer: Any = wrong.data
    assert not wrong.ok
    assert (answer.op.status, answer.report.commit) == ("failed", None)
    assert [d.code for d in unbound.diagnostics] == ["param_invalid"]
    assert [d.code for d in unknown.diagnostics] == ["query_not_found"]
    assert [d.code for d in read.diagnostics] == ["query_wrong_kind"]
    assert [d.code for d in as_read.diagnostics] == ["query_wrong_kind"]
    assert await names(cluster, bench) == []


async def test_who_may_invoke_a_mutation_and_not_change_the_graph_is_denied(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path, where="lance")
    policies = "policies:\n  work:\n    file: work.yaml\n    applies_to: [graph.supply]\n"
    files = {"cluster.yaml": cluster_yaml("supply", policies=policies), "work.yaml": POLICY}
    cluster = await begun(bench, files)
    asked = {
        "query": "supply.add",
        "params": {"name": "a"},
        "intent": "a row",
        "idempotency_key": "k",
    }

    denied = await call(cluster, bench.agent, "mutate", asked)
    permitted = await call(cluster, bench.sarah, "mutate", asked)

    assert [(d.code, d.path) for d in denied.diagnostics] == [("denied", "graph.supply")]
    assert permitted.ok, permitted
    assert await names(cluster, bench) == ["a"]


async def test_a_mutation_of_a_branch_leaves_main_and_holds_that_branch_alone(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path, where="lance")
    cluster = await begun(bench)
    await cut(cluster, "trial")

    async with cluster.leases.hold("graph.supply@main", principal="tom", operation="load"):
        done = await add(cluster, bench, "a", branch="trial")
    missing = await add(cluster, bench, "a", branch="nowhere")

    answer: Any = done.data
    assert done.ok, done
    assert answer.report.commit.startswith("trial:")
    assert answer.op.component == "graph.supply@trial"
    assert [d.code for d in missing.diagnostics] == ["graph_branch_missing"]
    assert await names(cluster, bench) == []


@pytest.mark.parametrize("over", ["mcp"])
async def test_over_mcp_a_mutation_needs_its_reason_and_its_key(tmp_path: Path, over: str) -> None:
    bench = Bench(tmp_path, where="lance")
    cluster = await begun(bench)
    assert bench.agent.via == over

    bare = {"query": "supply.add", "params": {"name": "a"}}
    without = await call(cluster, bench.agent, "mutate", {**bare, "intent": "a row"})
    done = await call(
        cluster, bench.agent, "mutate", {**bare, "intent": "a row", "idempotency_key": "k"}
    )

    assert [d.code for d in without.diagnostics] == ["idempotency_key_required"]
    assert done.ok, done
