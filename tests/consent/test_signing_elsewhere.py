"""A decision can be signed with ssh-keygen alone, far from the cluster, and handed in."""

import shutil
import subprocess
from pathlib import Path

import pytest

from agentctl.adapters.keys.keyfile import make_key
from agentctl.domain.approval.codec import encode
from agentctl.domain.approval.decision import decision_bytes, decision_statement, make_artifact
from agentctl.domain.approval.records import GATE_NAMESPACE, DecisionArtifact, Seen
from agentctl.domain.policy.principals import Registry
from agentctl.testing.consent import PLAN, consent, key_of


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="openssh-client is not installed")
async def test_what_ssh_keygen_signed_is_a_decision(tmp_path: Path) -> None:
    bench = await consent()
    key = make_key(tmp_path / "eve", passphrase=b"", comment="eve")
    registry = await bench.principals.add(
        principal_id="eve", kind="human", key=key, assurance="file", by="sarah",
        signer=key_of("sarah"),
    )  # fmt: skip
    assert isinstance(registry, Registry)
    request = await bench.ask()
    statement = decision_statement(
        request,
        decision="approve",
        reason="tried in a sandbox",
        approver="eve",
        decided_at=request.created_at,
        seen=Seen(plan_digest=PLAN, ledger_seq=0, audit_head=None, audit_length=0),
    )
    (tmp_path / "decision").write_bytes(decision_bytes(statement))
    command = ["ssh-keygen", "-q", "-Y", "sign", "-f", str(tmp_path / "eve"), "-n", GATE_NAMESPACE]
    subprocess.run([*command, str(tmp_path / "decision")], check=True)  # noqa: ASYNC221  # a short command
    signature = (tmp_path / "decision.sig").read_text()

    artifact = make_artifact(request, statement, registry.principals["eve"], signature)
    recorded = await bench.approvals.submit(encode(artifact), caller=bench.agent)

    assert isinstance(recorded, DecisionArtifact)
    gate = bench.gate()
    assert (await bench.approvals.standings((gate,)))[gate.key].state == "approved"
