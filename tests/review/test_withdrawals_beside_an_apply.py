"""What is being removed for good is not taken back at the same time: one of the two happens."""

from pathlib import Path

import pytest

from agentctl.engine import garbage
from agentctl.engine.apply import apply
from agentctl.engine.cluster import Cluster
from agentctl.engine.data import load
from agentctl.engine.erasure import propose_erasure
from agentctl.engine.events import ApplyEvent
from agentctl.testing.builders import (
    ROWS,
    Bench,
    ask,
    cluster_yaml,
    decide,
    folder_files,
    wanting,
)
from agentctl.testing.crash import Crash
from agentctl_tools.door import call
from agentctl_tools.operation import Envelope  # noqa: TC001  # beside run-time types

PAST = "graph.supply@past"


async def loaded(bench: Bench) -> Cluster:
    cluster = await bench.begun(folder_files("supply"))
    assert (await apply(cluster, bench.sarah, wanting())).converged
    lines = ROWS.splitlines(keepends=True)
    report, _ = await load(cluster, bench.sarah, "supply", lines, "append", "rows")
    assert report.diagnostics == ()
    return cluster


async def test_an_erasure_that_an_apply_is_about_to_carry_out_is_not_taken_back(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await loaded(bench)
    await propose_erasure(cluster, bench.agent, "supply", "for good")
    await decide(cluster, await ask(cluster, bench.agent, PAST))
    bench.write(folder_files("other") | {"cluster.yaml": cluster_yaml("supply", "other")})
    told: list[Envelope] = []

    async def meanwhile(event: ApplyEvent) -> None:
        if event.kind == "step_started" and event.resource == "graph.other":
            asked = {"graph": "supply", "intent": "not now", "withdraw": True}
            told.append(await call(cluster, bench.sarah, "graph_erase", asked))

    done = await apply(cluster, bench.agent, wanting(), meanwhile)
    after = await call(
        cluster, bench.sarah, "graph_erase", {"graph": "supply", "intent": "x", "withdraw": True}
    )

    assert [d.code for e in told for d in e.diagnostics] == ["state_lock_held"]
    assert (PAST, "done") in [(s.resource, s.outcome) for s in done.steps]
    assert done.converged, done.diagnostics
    assert after.summary == "Nothing was proposed."


async def test_a_collection_is_not_taken_back_beside_another_command(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await loaded(bench)

    async with cluster.leases.hold("cluster", principal="sarah", operation="apply"):
        told = await call(cluster, bench.sarah, "gc_withdraw", {"intent": "not now"})

    assert [d.code for d in told.diagnostics] == ["state_lock_held"]


async def test_a_proposal_after_a_dead_holder_owes_nobody_another_fence(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await loaded(bench)
    dying, _ = await bench.crashing(3)
    with pytest.raises(Crash):
        async with dying.leases.hold("cluster", principal="sarah", operation="apply"):
            await dying.store.create("__cluster/any.json", b"{}")
    cluster = await bench.open()

    await garbage.propose(cluster, bench.sarah, "tidy")
    before = await cluster.ledger.head()
    async with cluster.leases.hold("cluster", principal="sarah", operation="apply") as lease:
        owed = lease.fence_needed

    assert before is not None
    assert before.envelope.kind == "fence"
    assert not owed
