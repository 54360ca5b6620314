"""A gate waits for a human, however often an agent applies and whatever it edits in between."""

from pathlib import Path

from agentctl.engine.apply import apply
from agentctl.engine.data import load
from agentctl.engine.detached import graph_restore
from agentctl.engine.planning import make_plan
from agentctl.engine.refresh import refresh
from agentctl.testing.builders import (
    POLICY,
    ROWS,
    Bench,
    ask,
    cluster_yaml,
    decide,
    folder_files,
    recorded,
    wanting,
)

POLICIES = "policies:\n  p:\n    file: p.yaml\n    applies_to: [cluster]\n"
OTHER = "version: 1\n# another text\n"


def lose_policy(bench: Bench) -> None:
    """Its payload, and whatever a refresh would put it back from: files of sources, and the folder's."""
    bench.write({"p.yaml": OTHER})
    for folder in ("__cluster/resources/policy/", "__cluster/resources/source/"):
        for key in [k for k in bench.objects if k.startswith(folder)]:
            del bench.objects[key]


async def test_a_lost_graph_is_still_lost_after_an_apply_that_was_held_back(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    await apply(cluster, bench.agent, wanting())
    del bench.roots.by_id["supply"]
    await refresh(cluster, bench.sarah, "look")
    await apply(cluster, bench.agent, wanting())

    again = await apply(cluster, bench.agent, wanting())

    assert [n.resource for n in again.approvals_required] == ["graph.supply"]
    assert "graph.supply" not in (await recorded(cluster)).applied_revision.resources


async def test_a_lost_graph_stays_lost_when_it_is_taken_out_of_the_folder_and_put_back(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    files = folder_files("supply")
    cluster = await bench.begun(files)
    await apply(cluster, bench.agent, wanting())
    del bench.roots.by_id["supply"]
    await refresh(cluster, bench.sarah, "look")
    await refresh(cluster, bench.sarah, "look again")
    await apply(cluster, bench.agent, wanting())
    bench.write({"cluster.yaml": cluster_yaml()})
    await apply(cluster, bench.agent, wanting())
    bench.write(files)

    again = await apply(cluster, bench.agent, wanting())

    assert [n.resource for n in again.approvals_required] == ["graph.supply"]


async def test_a_policy_whose_payload_was_lost_is_not_replaced_by_applying_twice(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    files = folder_files("supply") | {
        "cluster.yaml": cluster_yaml("supply", policies=POLICIES),
        "p.yaml": POLICY,
    }
    cluster = await bench.begun(files)
    await apply(cluster, bench.agent, wanting())
    applied = (await recorded(cluster)).applied_revision.resources["policy.p"]
    lose_policy(bench)
    await refresh(cluster, bench.sarah, "look")
    await apply(cluster, bench.agent, wanting())

    again = await apply(cluster, bench.agent, wanting())

    assert [n.resource for n in again.approvals_required] == ["policy.p"]
    assert (await recorded(cluster)).applied_revision.resources["policy.p"] == applied


async def test_a_policy_whose_payload_was_lost_is_remembered_when_the_folder_drops_it(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    files = folder_files("supply") | {
        "cluster.yaml": cluster_yaml("supply", policies=POLICIES),
        "p.yaml": POLICY,
    }
    cluster = await bench.begun(files)
    await apply(cluster, bench.agent, wanting())
    lose_policy(bench)
    await refresh(cluster, bench.sarah, "look")
    await apply(cluster, bench.agent, wanting())
    bench.write({"cluster.yaml": cluster_yaml("supply")})
    await apply(cluster, bench.agent, wanting())
    bench.write({"cluster.yaml": cluster_yaml("supply", policies=POLICIES), "p.yaml": OTHER})

    again = await apply(cluster, bench.agent, wanting())

    assert [n.resource for n in again.approvals_required] == ["policy.p"]


async def test_an_older_approval_of_the_same_gate_does_not_delete_a_restored_graph(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    await apply(cluster, bench.agent, wanting())
    first, second, _ = ROWS.splitlines(keepends=True)
    await load(cluster, bench.sarah, "supply", [first], "append", "begin")
    bench.write({"cluster.yaml": cluster_yaml()})
    await decide(cluster, await ask(cluster, bench.agent, "graph.supply"))
    await load(cluster, bench.sarah, "supply", [second], "append", "grow")
    await decide(cluster, await ask(cluster, bench.agent, "graph.supply"))
    deleted = await apply(cluster, bench.agent, wanting())
    assert deleted.ok
    restored = await graph_restore(cluster, bench.sarah, "supply", "it was needed")
    assert restored.ok, restored.diagnostics
    # Back to one row, which is what the first decision was about.
    await load(cluster, bench.sarah, "supply", [first], "overwrite", "start over")

    planned = await make_plan(cluster, bench.agent)

    assert [n.satisfied for n in planned.result.approvals_required] == [False]
