"""A policy whose payload is lost still stands: only a person lets it go, or has it otherwise. Source: ADR 14."""

from pathlib import Path

import pytest

from agentctl.engine.apply import apply
from agentctl.engine.cluster import Cluster
from agentctl.engine.planning import Look, make_plan
from agentctl.engine.refresh import refresh
from agentctl.testing.builders import (
    POLICY,
    Bench,
    ask,
    cluster_yaml,
    decide,
    folder_files,
    recorded,
    wanting,
)

POLICIES = "policies: {p: {file: p.yaml, applies_to: [supply]}}\n"
ADDRESS = "policy.p"
WITHOUT = {"cluster.yaml": cluster_yaml("supply")}
OTHER = {"p.yaml": POLICY + "# other rules\n"}


async def begun(bench: Bench) -> Cluster:
    yaml = cluster_yaml("supply", policies=POLICIES)
    cluster = await bench.begun(folder_files("supply") | {"cluster.yaml": yaml, "p.yaml": POLICY})
    assert (await apply(cluster, bench.agent, wanting())).converged
    return cluster


def key_of_payload(bench: Bench) -> str:
    (key,) = [k for k in bench.objects if k.startswith("__cluster/resources/policy/")]
    return key


def lose(bench: Bench) -> str:
    key = key_of_payload(bench)
    del bench.objects[key]
    return key


def alter(bench: Bench) -> str:
    key = key_of_payload(bench)
    bench.objects[key] = b"version: 1\n# everything goes\n"
    return key


@pytest.mark.parametrize("spoil", [lose, alter])
async def test_a_lost_policy_that_left_the_folder_waits_for_a_person(
    tmp_path: Path, spoil: object
) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)
    assert callable(spoil)
    spoil(bench)
    bench.write(WITHOUT)

    refreshed = await refresh(cluster, bench.sarah, "look")
    planned = await make_plan(cluster, bench.agent)
    waiting = await apply(cluster, bench.agent, wanting())
    again = await refresh(cluster, bench.sarah, "look again")
    still = await recorded(cluster)
    await decide(cluster, await ask(cluster, bench.agent, ADDRESS))
    applied = await apply(cluster, bench.agent, wanting())
    gone = await recorded(cluster)

    assert refreshed.ok
    assert again.ok
    (change,) = planned.result.changes
    assert (change.resource, change.operation, change.classes, change.reason) == (
        ADDRESS,
        "delete",
        ("authority",),
        "approval_required",
    )
    assert not waiting.converged
    assert ADDRESS in still.applied_revision.resources
    assert applied.converged, applied.diagnostics
    assert ADDRESS not in gone.applied_revision.resources
    assert ADDRESS not in gone.resource_statuses


@pytest.mark.parametrize("how", ["recorded", "looked at"])
async def test_a_lost_policy_with_other_content_waits_for_a_person(
    tmp_path: Path, how: str
) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)
    lose(bench)
    bench.write(OTHER)
    if how == "recorded":
        await refresh(cluster, bench.sarah, "look")

    planned = await make_plan(cluster, bench.agent, look=Look(refresh=how == "looked at"))
    (change,) = planned.result.changes
    await decide(cluster, await ask(cluster, bench.agent, ADDRESS))
    applied = await apply(cluster, bench.agent, wanting())
    state = await recorded(cluster)

    assert (change.operation, change.classes) == ("update", ("authority",))
    assert change.before_digest is not None
    assert change.reason == "approval_required"
    assert applied.converged, applied.diagnostics
    assert state.resource_statuses[ADDRESS].status == "applied"


async def test_a_lost_policy_that_the_folder_has_is_written_again_and_asks_nobody(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)
    good = bench.objects[key_of_payload(bench)]
    key = lose(bench)
    bench.write(WITHOUT)
    await refresh(cluster, bench.sarah, "the folder does not have it")
    lost = (await recorded(cluster)).resource_statuses[ADDRESS]
    bench.write({"cluster.yaml": cluster_yaml("supply", policies=POLICIES)})

    healed = await refresh(cluster, bench.sarah, "the folder has it again")
    planned = await make_plan(cluster, bench.agent)

    assert (lost.status, lost.conditions) == ("error", ("payload_missing",))
    assert healed.diagnostics == ()
    assert bench.objects[key] == good
    assert planned.result.changes == ()
    assert (await recorded(cluster)).resource_statuses[ADDRESS].status == "applied"
