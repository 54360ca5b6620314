"""An op that somebody interrupted ends by the machine's rule for a cancel. Source: ops 2."""

from pathlib import Path

import msgspec
import pytest

from agentctl.domain.ops.machine import status_key
from agentctl.domain.ops.record import Constraint, Constraints, Op, RecoveryAction
from agentctl.engine.apply import apply
from agentctl.engine.cluster import Cluster
from agentctl.engine.events import ApplyEvent
from agentctl.engine.leases import CLUSTER
from agentctl.engine.results import ApplyResult
from agentctl.testing.builders import QUERY, WIDER_SCHEMA, Bench, folder_files, wanting

GRAPHS = ("supply", "zebra")
BACKUPS = tuple(Constraint(kind="backup", resource=f"graph.{g}") for g in GRAPHS)
RESTORE = RecoveryAction(kind="restore", resource="cluster")


async def wider(bench: Bench) -> Cluster:
    """Two graphs, of which the folder wants both wider, and then other queries."""
    cluster = await bench.begun(folder_files(*GRAPHS))
    assert (await apply(cluster, bench.agent, wanting())).converged
    bench.write({f"{graph}.pg": WIDER_SCHEMA for graph in GRAPHS})
    bench.write({f"{graph}.gq": QUERY + "// more\n" for graph in GRAPHS})
    return cluster


async def interrupted(
    bench: Bench, cluster: Cluster, *, after: int, constraints: Constraints
) -> tuple[ApplyResult, Op]:
    """Applies, one step at a time, and is interrupted after so many."""
    done: list[str | None] = []

    async def on_event(event: ApplyEvent) -> None:
        done.extend([event.resource] if event.kind == "step_finished" else [])

    result = await apply(
        cluster,
        bench.agent,
        wanting(constraints=constraints),
        on_event,
        is_interrupted=lambda: len(done) >= after,
    )
    op = await cluster.journal.get(result.op or "")
    assert op is not None
    return result, op


def told(result: ApplyResult) -> str:
    (one,) = [d.message for d in result.diagnostics if d.code == "interrupted"]
    return one


def statuses(bench: Bench, op: Op) -> list[str]:
    keys = [status_key(op.id, n) for n in range(1, 9)]
    return [msgspec.json.decode(bench.objects[k])["status"] for k in keys if k in bench.objects]


@pytest.mark.parametrize("actions", [(), (RESTORE,)])
async def test_one_that_did_nothing_is_cancelled_and_the_ledger_hears_nothing_of_it(
    tmp_path: Path, actions: tuple[RecoveryAction, ...]
) -> None:
    bench = Bench(tmp_path)
    cluster = await wider(bench)
    before = await cluster.ledger.head()
    constraints = Constraints(pre=BACKUPS, on_failure=actions)

    result, op = await interrupted(bench, cluster, after=0, constraints=constraints)

    after = await cluster.ledger.head()
    assert before is not None
    assert after is not None
    assert after.seq == before.seq
    assert statuses(bench, op) == ["running", "cancelled"]
    assert (op.recovery, op.needs_human, result.state_written) == ((), False, False)
    assert told(result) == "the apply was interrupted: nothing had been done"
    assert await cluster.journal.post(op.id) is None
    assert (await apply(cluster, bench.agent, wanting())).converged


async def test_one_that_did_something_is_recovering_and_what_it_recorded_stays(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await wider(bench)

    result, op = await interrupted(bench, cluster, after=1, constraints=Constraints())

    assert statuses(bench, op) == ["running", "recovering", "failed"]
    assert not op.needs_human
    assert result.state_written
    assert op.reason == (
        "it was interrupted; what it had done is recorded, and the next one does the rest"
    )
    assert told(result).endswith("finished and recorded")
    assert (await apply(cluster, bench.agent, wanting())).converged


async def test_one_with_recovery_actions_is_rolled_back_and_records_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await wider(bench)
    before = await cluster.ledger.head()
    constraints = Constraints(pre=BACKUPS, on_failure=(RESTORE,))

    result, op = await interrupted(bench, cluster, after=1, constraints=constraints)

    pre = await cluster.journal.pre(op.id)
    after = await cluster.ledger.head()
    assert pre is not None
    assert before is not None
    assert after is not None
    assert statuses(bench, op) == ["running", "recovering", "rolled_back"]
    assert after.seq == before.seq
    for graph in GRAPHS:
        assert (await cluster.graphs.observe(graph)).content == pre.contents[graph]
    assert not result.state_written
    assert told(result).endswith("what it had done was taken back")
    assert await cluster.store.list("__cluster/recoveries/") == ()
    assert (await apply(cluster, bench.agent, wanting())).converged


async def test_one_whose_recovery_fails_needs_a_human_and_says_so(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await wider(bench)

    result, op = await interrupted(
        bench, cluster, after=1, constraints=Constraints(on_failure=(RESTORE,))
    )

    assert statuses(bench, op) == ["running", "recovering", "failed"]
    assert op.needs_human
    assert told(result).endswith("what it had done could not be taken back")


async def test_the_answer_of_an_interrupted_apply_is_not_replayed_under_its_key(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await wider(bench)

    first = await apply(
        cluster, bench.agent, wanting(idempotency_key="once"), is_interrupted=lambda: True
    )
    again = await apply(cluster, bench.agent, wanting(idempotency_key="once"))

    assert not first.converged
    assert again.converged, again.diagnostics
    async with cluster.leases.hold(CLUSTER, principal="x", operation="look"):
        assert await cluster.journal.unfinished() == ()
