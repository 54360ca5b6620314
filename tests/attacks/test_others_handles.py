"""Handles of somebody else: drafts, plans, keys, sessions. Each is checked on every call."""

import json
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError

from agentctl.testing.builders import QUERY

EDITED = {"supply.gq": f"// mine\n{QUERY}"}
USES = {
    "config_read": {"path": "supply.gq"},
    "validate": {},
    "plan": {},
    "lint": {},
    "config_search": {"text": "mine"},
    "schema": {"graph": "supply"},
}


@pytest.mark.parametrize("tool_name", USES)
async def test_a_stolen_draft_is_read_through_no_tool(
    fort: Any, codes: Any, tool_name: str
) -> None:
    await fort.begin()
    draft = await fort.drafted(EDITED)

    async with (
        fort.served(),
        fort.mcp("agent:eve") as tool,
        fort.holds("draft_read", reason="not_the_owner"),
    ):
        answer = await tool(tool_name, **USES[tool_name], in_=draft)

    assert codes(answer) == ["draft_not_found"]
    assert "mine" not in json.dumps(answer).replace(draft, "")


@pytest.mark.parametrize("operation", ["draft_show", "draft_diff", "deps", "policy_simulate"])
async def test_a_stolen_draft_is_read_through_no_route(
    fort: Any, codes: Any, operation: str
) -> None:
    await fort.begin()
    draft = await fort.drafted(EDITED)
    named = {"draft": draft} if operation.startswith("draft") else {"in": draft}

    async with fort.served(), fort.holds("draft_read", reason="not_the_owner"):
        answer = await fort.post("agent:eve", operation, **named)

    assert codes(answer) == ["draft_not_found"]


@pytest.mark.parametrize(
    ("operation", "arguments", "action"),
    [
        ("draft_edit", {"path": "supply.gq", "content": "x"}, "draft_edit"),
        ("apply", {"intent": "x"}, "cluster_apply"),
        ("request_approval", {"gate": "graph.spare", "intent": "x"}, "approval_request"),
        ("draft_discard", {}, "draft_edit"),
    ],
)
async def test_a_stolen_draft_is_changed_and_applied_through_no_route(
    fort: Any, codes: Any, operation: str, arguments: dict[str, Any], action: str
) -> None:
    await fort.begin()
    draft = await fort.drafted(EDITED)
    named = {"draft": draft} if operation == "draft_discard" else {"in": draft}

    async with fort.served(), fort.holds(action, decision="allow"):
        answer = await fort.post("agent:eve", operation, **arguments, **named)

    assert codes(answer) == ["draft_not_found"]


async def test_a_stolen_draft_is_in_nobody_elses_list(fort: Any) -> None:
    await fort.begin()
    draft = await fort.drafted(EDITED)

    async with fort.served(), fort.holds(unrecorded="a list of one's own is no attempt"):
        answer = await fort.post("agent:eve", "draft_list")

    assert draft not in answer.text


async def test_a_stolen_plan_is_neither_read_nor_applied(fort: Any, codes: Any) -> None:
    """Its id is in the request that everybody sees; the plan is the agent's and the humans'."""
    await fort.begin()
    draft = await fort.drafted(EDITED)

    async with fort.served():
        async with fort.mcp("agent:ci") as tool:
            plan_id = (await tool("plan", in_=draft))["data"]["plan_id"]
        async with fort.mcp("agent:eve") as tool, fort.holds("cluster_apply", decision="allow"):
            applied = await tool("apply", plan_id=plan_id, intent="x", idempotency_key="1")
            shown = await fort.post("agent:eve", "plan_show", plan_id=plan_id)
            with pytest.raises(MCPError):
                await tool.client.read_resource(f"agentctl://plan/{plan_id}")

    assert codes(applied) == codes(shown) == ["plan_not_found"]


async def test_a_stolen_draft_does_not_come_as_a_plan_file(fort: Any) -> None:
    """The whole text of the plan, in place of its id, opens the other's draft no more."""
    await fort.begin()
    draft = await fort.drafted(EDITED)

    async with fort.served():
        async with fort.mcp("agent:ci") as tool:
            plan_id = (await tool("plan", in_=draft))["data"]["plan_id"]
        shown = await fort.post("agent:ci", "plan_show", plan_id=plan_id)
        text = json.dumps(shown.json()["data"])
        async with fort.holds("cluster_apply", decision="allow"):
            answer = await fort.post("agent:eve", "apply", intent="x", plan_file=text)

    assert not answer.json()["ok"]


async def test_a_stolen_idempotency_key_gives_nobody_elses_answer(fort: Any) -> None:
    """Keys are of a principal: another's is as if it were new."""
    await fort.begin()
    rows = '{"type": "Package", "data": {"name": "ci"}}\n'
    load = {"graph": "supply", "intent": "x", "mode": "merge", "idempotency_key": "shared"}

    async with fort.served():
        mine = await fort.post("agent:ci", "load_rows", rows=rows, **load)
        again = await fort.post("agent:ci", "load_rows", rows=rows, **load)
        async with fort.holds("change", decision="allow", runs=True):
            others = await fort.post("agent:eve", "load_rows", rows="not a row\n", **load)

    assert mine.json()["data"] == again.json()["data"]
    assert not others.json()["ok"]
    assert "idempotency_conflict" not in others.text, "not even that the key was used is told"


async def test_a_stolen_idempotency_key_is_not_spent_for_its_owner(fort: Any, codes: Any) -> None:
    """Whoever guesses the key that another will use next takes nothing from it."""
    await fort.begin()
    request = await fort.without_spare()
    asking = {"gate": "graph.spare", "intent": "x", "idempotency_key": "next"}

    async with (
        fort.served(),
        fort.mcp("agent:eve") as eve,
        fort.mcp("agent:ci") as ci,
        fort.holds("approval_request", decision="allow", runs=True),
    ):
        first = await eve("approve", **{**asking, "intent": "squat"})
        second = await ci("approve", **asking)

    assert first["ok"]
    assert second["ok"], codes(second)
    assert second["data"]["request_id"] == request.request_id


async def test_an_mcp_session_of_somebody_else_is_not_entered(fort: Any) -> None:
    await fort.begin()
    opening = {
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {"protocolVersion": "2025-11-25", "capabilities": {},
                   "clientInfo": {"name": "t", "version": "1"}},
    }  # fmt: skip
    steal = {
        "jsonrpc": "2.0", "id": 2, "method": "tools/call",
        "params": {"name": "apply", "arguments": {"intent": "x", "in": "cluster"}},
    }  # fmt: skip

    async with (
        fort.served(),
        fort.holds(unrecorded="the SDK knows no such session of this principal; no call is made"),
    ):
        opened = await fort.raw("agent:ci", "/mcp", json.dumps(opening))
        session = opened.headers["mcp-session-id"]
        stolen = await fort.raw(
            "agent:eve", "/mcp", json.dumps(steal), **{"mcp-session-id": session}
        )

    assert opened.status_code == 200
    assert stolen.status_code == 404
