"""What an agent hands in and does not hold is a denial on record, not an allowed write alone."""

from pathlib import Path

import msgspec

from agentctl.domain.audit.record import AuditRecord
from agentctl.testing.builders import Bench, folder_files
from agentctl_tools.door import call


async def test_a_decision_that_nobody_signed_leaves_a_denial(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    arguments = {"decision": "{}", "intent": "hand it in", "idempotency_key": "k1"}

    envelope = await call(cluster, bench.agent, "submit_decision", arguments)

    stored = [data for _, data in await cluster.audit.records()]
    newest = msgspec.json.decode(stored[-1], type=AuditRecord)
    assert not envelope.ok
    assert (newest.action, newest.decision) == ("approval_submit", "deny")
    assert newest.actor.kind == "agent"
    assert newest.reason == envelope.diagnostics[0].code
