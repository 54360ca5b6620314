"""Column A of trust.md, cell by cell: an agent that has only MCP tools. Each promise holds.

What each consent by name answers, and that no handed-in bytes become one, is in
`test_no_consent_over_mcp.py`.
"""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from agentctl.faces.mcp_client.client import ToolConnection, connect
from agentctl.testing.shell import AUDIT, Shell

pytestmark = pytest.mark.slow

SECRET = "sk-only-in-the-servers-environment-1234567890"


@asynccontextmanager
async def agent(shell: Shell, **environ: str) -> AsyncIterator[ToolConnection]:
    """An agent connected to a server that the human started, with the human's key at hand."""
    command, *rest = shell.argv("mcp")
    async with connect(command, rest, env=shell.env | environ) as connection:
        yield connection


async def asked(tools: ToolConnection, tool: str, **arguments: object) -> Any:
    """Returns the envelope of an answer."""
    _, envelope = await tools.call(tool, arguments)
    return envelope


def texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, part in value.items():
            yield str(name)
            yield from texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from texts(part)


def presence(shell: Shell, graph: str) -> str:
    return next(
        str(g["presence"]) for g in shell.json("graph", "list")["graphs"] if g["id"] == graph
    )


async def test_cell_a1_nothing_irreversible_or_widening_happens_without_a_human(
    removing: Shell,
) -> None:
    """It takes the graph out in a draft of its own, asks, applies every way there is: it stays."""
    async with agent(removing) as tools:
        planned = await asked(tools, "plan")
        applied = []
        plan_id = planned["data"]["plan_id"]
        for number, more in enumerate(
            ({}, {"without_gated": True}, {"exact": True}, {"without_gated": True, "exact": True})
        ):
            arguments = {"intent": "x", "idempotency_key": f"k{number}", "plan_id": plan_id}
            applied.append(await asked(tools, "apply", **arguments, **more))
        answer = await asked(
            tools, "approve", gate="graph.spare", intent="x", idempotency_key="ask"
        )
        applied.append(
            await asked(
                tools, "apply", intent="x", idempotency_key="after", plan_id=plan_id,
                without_gated=True,
            )
        )  # fmt: skip

    assert presence(removing, "spare") == "live"
    assert any(one["ok"] for one in applied), "it was let do what needs nobody"
    assert answer["ok"]
    assert removing.json("approvals", "list")["requests"][0]["statement"]["requester"].startswith(
        "agent:"
    )


async def test_cell_a2_a_decision_is_of_the_enrolled_key_whatever_an_agent_hands_in(
    removing: Shell,
) -> None:
    """The human's key is in the server's reach; the agent's tools cannot make it sign."""
    before = set((removing.folder / "__cluster" / "principals").iterdir())
    async with agent(removing) as tools:
        await tools.call("approve", {"gate": "graph.spare", "intent": "x", "idempotency_key": "a"})
        (request,) = removing.json("approvals", "list")["requests"]
        forged = json.dumps({"request_id": request["request_id"], "decision": "approve"})
        handed_in = await asked(tools, "approve", decision=forged, intent="x", idempotency_key="b")
        for name in ("identity_add_human", "identity_recover", "identity_groups", "decide"):
            failed, _ = await tools.call(name, {"id": "mallory"})
            assert failed

    assert not handed_in["ok"]
    assert removing.json("approvals", "list")["requests"] == [request]
    assert set((removing.folder / "__cluster" / "principals").iterdir()) == before


async def test_cell_a3_history_is_not_within_an_agents_reach_and_its_attempts_are_in_it(
    removing: Shell,
) -> None:
    def records() -> dict[str, bytes]:
        return {f.name: f.read_bytes() for f in (removing.folder / AUDIT).glob("*.json")}

    before = records()
    async with agent(removing) as tools:
        for path in ("__cluster/audit/x.json", "../cluster/__cluster/state.json", "ops/x"):
            edit = {"path": path, "content": "x", "intent": "x"}
            failed, _ = await tools.call("draft_edit", edit)
            assert failed
        await tools.call("deny", {"request_id": "x"})
    after = records()

    assert {name: after[name] for name in before} == before
    assert "cluster_thaw" not in str(after)
    tried = [json.loads(data) for name, data in after.items() if name not in before]
    assert any(r["action"] == "approval_decide" and r["decision"] == "deny" for r in tried)
    assert removing.run("audit", "verify").returncode == 0


async def test_cell_a4_secrets_of_the_server_are_in_no_answer(shell: Shell) -> None:
    (shell.folder / ".env").write_text(f"API_KEY={SECRET}\n")
    answers: list[Any] = []
    async with agent(shell, API_KEY=SECRET, AWS_SECRET_ACCESS_KEY=SECRET) as tools:
        for tool, arguments in (
            ("status", {}),
            ("config_read", {"path": ".env"}),
            ("config_read", {"path": "cluster.yaml"}),
            ("config_read", {"path": "../home/.config/agentctl/keys"}),
            ("validate", {}),
            ("plan", {}),
            ("ops", {}),
            ("explain", {"what": "${API_KEY}"}),
        ):
            answers.append(await tools.call(tool, dict(arguments)))

    told = [text for answer in answers for text in texts(list(answer))]
    assert not any(SECRET in text for text in told)
    assert not any("PRIVATE KEY" in text for text in told)


async def test_and_doctor_says_which_column_the_machine_is_in(shell: Shell) -> None:
    """Column A holds everywhere; what is told is the strongest attacker to expect."""
    line = shell.done("doctor", "--trust")

    assert line.startswith(("column B", "column E"))
