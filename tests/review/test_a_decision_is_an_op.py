"""A decision is an Op that tells of the signed artifact, and the artifact stays the truth."""

import contextlib
from pathlib import Path

import pytest

from agentctl.domain.approval.codec import encode
from agentctl.domain.approval.records import ApprovalRequest, DecisionArtifact
from agentctl.domain.ops.record import Op
from agentctl.engine import decisions
from agentctl.engine.apply import apply
from agentctl.engine.cluster import Cluster
from agentctl.engine.refresh import refresh
from agentctl.testing.builders import Bench, ask, cluster_yaml, folder_files, wanting
from agentctl.testing.consent import key_of
from agentctl.testing.crash import Crash
from agentctl_tools.door import call

HOUR_S = 3600.0


async def asked(bench: Bench) -> tuple[Cluster, ApprovalRequest]:
    cluster = await bench.begun(folder_files("supply"))
    await apply(cluster, bench.agent, wanting())
    bench.write({"cluster.yaml": cluster_yaml()})
    return cluster, await ask(cluster, bench.agent, "graph.supply")


async def decision_ops(cluster: Cluster) -> list[Op]:
    listed = await cluster.journal.list()
    return [o for o in listed if o.action in {"decide", "submit_decision"}]


async def test_a_decision_through_the_door_is_an_op_with_snapshots(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster, request = await asked(bench)
    arguments = {
        "request_id": request.request_id,
        "verdict": "approve",
        "gate_digest": request.gate_digest,
        "confirmation": "supply",
    }

    envelope = await call(cluster, bench.sarah, "decide", arguments, signer=key_of("sarah"))

    assert envelope.ok, envelope
    (op,) = await decision_ops(cluster)
    assert (op.action, op.operation, op.component) == ("decide", "update", "graph.supply")
    assert (op.status, op.intent) == ("success", "approve graph.supply")
    assert op.targets == (f"approval:{envelope.data.approval_id}",)  # type: ignore[attr-defined]
    assert await cluster.journal.pre(op.id) == await cluster.journal.post(op.id) is not None


async def test_what_is_refused_or_handed_in_again_is_no_op(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster, request = await asked(bench)
    decided = await decisions.decide(
        cluster,
        bench.sarah,
        request.request_id,
        verdict="deny",
        reason="it is in use",
        signer=key_of("sarah"),
    )
    assert isinstance(decided, DecisionArtifact)

    again = await decisions.submit(cluster, bench.agent, encode(decided), "hand it in")
    garbage = await decisions.submit(cluster, bench.agent, b"{}", "try")

    assert again == decided
    assert isinstance(garbage, tuple)
    assert [o.intent for o in await decision_ops(cluster)] == ["it is in use"]


@pytest.mark.parametrize("at", range(1, 13))
async def test_a_crash_at_any_write_leaves_an_op_that_agrees_with_the_artifact(
    tmp_path: Path, at: int
) -> None:
    bench = Bench(tmp_path)
    _, request = await asked(bench)
    dying, _store = await bench.crashing(at)
    with contextlib.suppress(Crash):
        await decisions.decide(
            dying,
            bench.sarah,
            request.request_id,
            verdict="approve",
            reason=None,
            signer=key_of("sarah"),
        )

    cluster = await bench.open()
    bench.world.advance(HOUR_S)
    looked = await refresh(cluster, bench.sarah, "settle")

    assert looked.ok, looked.diagnostics
    artifacts = (await cluster.approvals.records()).artifacts
    ops = await decision_ops(cluster)
    assert all(o.status in {"success", "failed", "cancelled"} for o in ops)
    assert [o.status for o in ops if o.status == "success"] == ["success"] * len(artifacts)
