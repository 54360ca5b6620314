"""Column A: an agent with MCP tools only, on a server that a human started with their own key."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from agentctl.adapters.keys.keyfile import public_of_file
from agentctl.adapters.keys.signer import KeyFileSigner, SeedSigner
from agentctl.canonical import canonical_bytes
from agentctl.domain.approval.codec import decode, encode
from agentctl.domain.approval.decision import decision_bytes, decision_statement, make_artifact
from agentctl.domain.approval.records import (
    GATE_NAMESPACE,
    ApprovalRequest,
    DecisionArtifact,
    Seen,
)
from agentctl.domain.policy.principals import Principal
from agentctl.faces.mcp_client.client import ToolConnection, connect
from agentctl.testing.consent import key_of
from agentctl.testing.shell import Shell
from agentctl_tools.catalog import CONSENT_WORDS, OPERATIONS

HUMAN_ONLY = sorted(n for n, o in OPERATIONS.items() if o.operation_class == "human_only")
CONSENTS = sorted((set(CONSENT_WORDS) | set(HUMAN_ONLY)) - {"approve"})
NO_TOOL = ("force_unlock", "force-unlock", "graph_purge", "load", "approval_export", "tui")


@asynccontextmanager
async def server(shell: Shell, *arguments: str) -> AsyncIterator[ToolConnection]:
    """A real server of this user, whose keys folder holds the human's key without a passphrase."""
    command, *rest = shell.argv("mcp", *arguments)
    async with connect(command, rest, env=shell.env) as connection:
        yield connection


async def asked(connection: ToolConnection, tool: str, **arguments: object) -> dict[str, Any]:
    failed, envelope = await connection.call(tool, arguments)
    assert isinstance(envelope, dict)
    assert failed is not envelope["ok"]
    return envelope


def codes(envelope: dict[str, Any]) -> list[str]:
    return [d["code"] for d in envelope["diagnostics"]]


def audit(shell: Shell) -> list[dict[str, Any]]:
    files = sorted((shell.folder / "__cluster" / "audit").glob("*.json"))
    return [json.loads(f.read_bytes()) for f in files]


def decisions(shell: Shell) -> list[str]:
    """The files under approvals that are neither a request nor a consumption."""
    found = (shell.folder / "__cluster" / "approvals").glob("*.json")
    return [f.name for f in found if f.name.count(".") == 1]


def human_key(shell: Shell) -> Path:
    (found,) = shell.keys.glob("human-*[!b]")
    return found


def stored_request(shell: Shell) -> ApprovalRequest:
    (found,) = (shell.folder / "__cluster" / "approvals").glob("*.request.json")
    request = decode(ApprovalRequest, found.read_bytes(), path="request")
    assert isinstance(request, ApprovalRequest)
    return request


async def test_every_consent_by_name_is_refused_over_a_real_connection_and_recorded(
    removing: Shell,
) -> None:
    assert human_key(removing).is_file(), "the human's credentials are there"
    assert "decide" in HUMAN_ONLY
    before = len(audit(removing))

    async with server(removing) as connection:
        ask = await asked(
            connection, "approve", gate="graph.spare", intent="unused", idempotency_key="1"
        )
        arguments = {
            "request_id": ask["data"]["request_id"],
            "verdict": "approve",
            "gate_digest": stored_request(removing).gate_digest,
            "confirmation": "spare",
        }
        refused = {name: await asked(connection, name, **arguments) for name in CONSENTS}
        listed = {tool["name"] for tool in await connection.tools()}

    assert {name: codes(e) for name, e in refused.items()} == {n: ["human_only"] for n in CONSENTS}
    assert not listed & set(CONSENTS)
    denied = [r for r in audit(removing)[before:] if r.get("reason") == "human_only"]
    # Equal denials are counted, one record for each action. Source: control-plane 3.2.
    tried = {CONSENT_WORDS.get(n) or OPERATIONS[n].action for n in CONSENTS}
    assert {r["action"] for r in denied} == tried
    assert all(r["decision"] == "deny" and r["actor"]["kind"] == "agent" for r in denied)
    assert decisions(removing) == []
    assert (removing.folder / "graphs" / "spare.omni").is_dir()


async def test_the_tool_approve_only_asks_whatever_it_is_told(removing: Shell) -> None:
    """It takes nothing that a decision is made of."""
    ask = {"gate": "graph.spare", "intent": "yes", "idempotency_key": "1"}

    async with server(removing) as connection:
        for more in (
            {"verdict": "approve"},
            {"confirmation": "spare"},
            {"as": "root", "via": "cli"},
            {"signer": "human"},
            {"approver": "root"},
        ):
            answer = await asked(connection, "approve", **ask, **more)
            assert codes(answer) == ["invalid_arguments"], more
        asking = await asked(connection, "approve", **ask)
        applied = await asked(
            connection,
            "apply",
            intent="go",
            idempotency_key="2",
            without_gated=True,
            **{"in": "cluster"},
        )
        waited = await asked(
            connection, "approval_wait", id=asking["data"]["request_id"], timeout_s=0
        )

    assert asking["ok"]
    assert decisions(removing) == []
    assert [n["standing"] for n in applied["data"]["gates"]] == ["waiting"]
    assert waited["data"]["standing"] == "waiting"


@pytest.mark.parametrize("name", NO_TOOL)
async def test_a_write_without_a_tool_is_not_reached_by_its_name(shell: Shell, name: str) -> None:
    before = shell.digests()

    async with server(shell) as connection:
        answer = await asked(connection, name, graph="spare", intent="x", lock_id="x", id="x")

    assert codes(answer) == ["unknown_operation"]
    assert shell.digests() == before


def forgeries(shell: Shell) -> dict[str, bytes]:
    """What an agent may hand in that no enrolled human's key signed for this."""
    request = stored_request(shell)
    registry = shell.json("identity", "list")["identities"]
    human = next(i["id"] for i in registry if i["kind"] == "human")
    public = public_of_file(human_key(shell))
    agent_key = next(f for f in shell.keys.iterdir() if "agent" in f.name and f.suffix != ".pub")
    genuine = KeyFileSigner(human_key(shell), passphrase=lambda _: b"")

    def made(
        signer: SeedSigner | KeyFileSigner,
        *,
        verdict: str = "approve",
        namespace: str = GATE_NAMESPACE,
    ) -> DecisionArtifact:
        statement = decision_statement(
            request,
            decision=verdict,  # type: ignore[arg-type]  # one of the verdicts
            reason=None,
            approver=human,
            decided_at=request.created_at,
            seen=Seen(
                plan_digest=request.plan_digest, ledger_seq=1, audit_head=None, audit_length=0
            ),
        )
        _, signature = signer.sign(decision_bytes(statement), namespace)
        who = Principal(id=human, kind="human", key=public, assurance="file")
        return make_artifact(request, statement, who, signature)

    def edited(artifact: DecisionArtifact, **fields: object) -> bytes:
        return canonical_bytes(json.loads(encode(artifact)) | fields)

    stranger = made(key_of("stranger"))
    denial = made(genuine, verdict="deny")
    agents = KeyFileSigner(agent_key, passphrase=lambda _: b"")
    return {
        "nothing": b"",
        "no JSON": b"approve",
        "an empty record": b"{}",
        "the request itself": encode(request),
        "unsigned": edited(stranger, signature=""),
        "signed by a stranger": encode(stranger),
        "signed by the agent's own key": encode(made(agents)),
        "the agent's key as the agent's": edited(made(agents), approver="agent:root"),
        "a denial turned into an approval": edited(denial, decision="approve"),
        "a denial with the stranger's signature": edited(denial, signature=stranger.signature),
        "signed for another purpose": encode(made(genuine, namespace="git")),
        "another graph": edited(made(genuine), resource="graph.supply"),
        "another gate": edited(made(genuine), gate_digest="0" * 64),
        "another approver": edited(made(genuine), approver="agent:root"),
        "not canonical": json.dumps(json.loads(encode(made(genuine))), indent=1).encode(),
    }


@pytest.mark.slow
async def test_approve_never_makes_a_decision_that_no_enrolled_key_signed(removing: Shell) -> None:
    async with server(removing) as connection:
        await asked(connection, "approve", gate="graph.spare", intent="x", idempotency_key="1")
        for number, (name, artifact) in enumerate(forgeries(removing).items()):
            answer = await asked(
                connection,
                "approve",
                decision=artifact.decode(),
                intent="it was signed elsewhere",
                idempotency_key=f"forged {number}",
            )
            assert not answer["ok"], name
            assert decisions(removing) == [], name
        applied = await asked(
            connection,
            "apply",
            intent="go",
            idempotency_key="2",
            without_gated=True,
            **{"in": "cluster"},
        )

    assert [n["satisfied"] for n in applied["data"]["gates"]] == [False]
    assert (removing.folder / "graphs" / "spare.omni").is_dir()
    assert "spare" in removing.done("graph", "list")
