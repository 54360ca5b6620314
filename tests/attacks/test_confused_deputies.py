"""Stored queries as deputies: what they may read is lent to nobody who may not run them.

The policy of these tests lets `agent:ci` run one query of `supply`, and read nothing else of it.
"""

import json
from typing import Any

import pytest

from agentctl.testing.builders import QUERY, folder_files

SECRET = "secret_packages"
TWO = QUERY.replace("$p.name, $p.version", "$p.name") + QUERY.replace("all_packages", SECRET)
WIDER = QUERY + QUERY.replace("all_packages", SECRET)
CURATED = """\
@id("control") permit (
  principal is AgentCtl::Agent,
  action in [AgentCtl::Action::"cluster_apply", AgentCtl::Action::"cluster_plan",
    AgentCtl::Action::"cluster_status", AgentCtl::Action::"config_read",
    AgentCtl::Action::"draft_edit", AgentCtl::Action::"draft_read", AgentCtl::Action::"ops_read",
    AgentCtl::Action::"cluster_validate", AgentCtl::Action::"approval_request"],
  resource
);
@id("one") permit (
  principal is AgentCtl::Agent,
  action in [AgentCtl::Action::"invoke_query", AgentCtl::Action::"list_query"],
  resource == AgentCtl::Query::"supply.all_packages"
);
@id("people") permit (principal is AgentCtl::Human, action, resource);
"""


async def curated(fort: Any) -> None:
    await fort.begin({**folder_files("supply", "spare"), "supply.gq": TWO})
    await fort.govern(CURATED)


async def rewrites(fort: Any, text: str) -> Any:
    """The agent applies another text of the queries, and runs what it may."""
    async with fort.mcp("agent:ci") as tool:
        edited = await tool("draft_edit", path="supply.gq", content=text)
        assert edited["data"]["valid"], edited
        return await tool(
            "apply", in_=edited["data"]["draft"], intent="x", idempotency_key="1",
            without_gated=True,
        )  # fmt: skip


async def test_a_deputy_that_an_agent_wrote_for_itself_is_run_by_nobody_whom_policy_does_not_name(
    fort: Any,
) -> None:
    await curated(fort)
    mine = TWO + QUERY.replace("all_packages", "mine")

    async with fort.served():
        await rewrites(fort, mine)
        async with fort.holds("invoke_query"), fort.mcp("agent:ci") as tool:
            answer = await tool("run_query", query="supply.mine")
            listed = await tool("queries")

    assert not answer["ok"]
    assert "mine" not in json.dumps(listed)


@pytest.mark.parametrize(
    "params",
    [
        {"graph": "spare"},
        {"query": f"supply.{SECRET}"},
        {"__proto__": {}},
        {"name": '" } return { $p.version } //'},
    ],
)
async def test_a_deputy_takes_no_parameter_that_it_does_not_declare(
    fort: Any, params: dict[str, Any]
) -> None:
    await curated(fort)

    async with (
        fort.served(),
        fort.mcp("agent:ci") as tool,
        fort.holds(unrecorded="the query may be run; its parameters are checked behind the door"),
    ):
        answer = await tool("run_query", query="supply.all_packages", params=params)

    assert not answer["ok"]


async def test_a_deputys_parameter_is_a_value_and_never_a_query(fort: Any) -> None:
    text = (
        "query by_name($name: String) {\n  match { $p: Package { name: $name } }\n"
        "  return { $p.name }\n}\n"
    )
    await fort.begin({**folder_files("supply", "spare"), "supply.gq": text})

    async with (
        fort.served(),
        fort.mcp("agent:ci") as tool,
        fort.holds(unrecorded="a look that policy permits"),
    ):
        answers = [
            await tool("run_query", query="supply.by_name", params={"name": value})
            for value in ('a" } return { $p.version } //', "' OR 1=1 --", "$p", "*", "")
        ]

    assert [one["data"]["row_count"] for one in answers] == [0] * 5, answers


async def test_a_deputy_that_may_be_run_is_not_reworded_to_read_more(fort: Any) -> None:
    """`all_packages` gives names; the agent makes it give versions, and runs it."""
    await curated(fort)

    async with fort.served():
        applied = await rewrites(fort, WIDER)
        async with fort.mcp("agent:ci") as tool:
            answer = await tool("run_query", query="supply.all_packages")

    assert applied["data"]["gates"], "a human is asked"
    assert "version" not in json.dumps(answer["data"])
