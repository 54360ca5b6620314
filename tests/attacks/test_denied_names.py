"""What policy denies has no other way in: names of queries, URIs, completions, streams, subscriptions."""

import json
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import (
    PromptReference,
    ResourceTemplateReference,
    ResourceUpdatedNotification,
)

from agentctl.faces.mcp_server.server import make_server
from agentctl.testing.builders import QUERY, folder_files
from agentctl.testing.consent import caller
from agentctl_tools.entrance import Entrance

SECRET = "secret_packages"
TWO = QUERY + QUERY.replace("all_packages", SECRET)
NO_SECRET = f"""\
@id("all") permit (principal, action, resource);
@id("not-that") forbid (
  principal is AgentCtl::Agent,
  action in [AgentCtl::Action::"list_query", AgentCtl::Action::"invoke_query"],
  resource == AgentCtl::Query::"supply.{SECRET}"
);
@id("promoted") @promote permit (
  principal, action == AgentCtl::Action::"invoke_query",
  resource == AgentCtl::Query::"supply.{SECRET}"
);
"""
BLIND = """\
@id("all") permit (principal, action, resource) unless {
  principal == AgentCtl::Agent::"agent:eve"
};
@id("eve") permit (
  principal == AgentCtl::Agent::"agent:eve",
  action in [AgentCtl::Action::"explain", AgentCtl::Action::"list_query"],
  resource
);
"""
EVERYTHING = '@id("all") permit (principal, action, resource);\n'
EVE = caller("agent:eve", "agent", "mcp", on_behalf_of="tom", enrolled=True)


async def guarded(fort: Any, policy: str = NO_SECRET) -> None:
    """A cluster whose query `supply.secret_packages` no agent may list or run."""
    await fort.begin({**folder_files("supply", "spare"), "supply.gq": TWO})
    await fort.govern(policy)


WAYS = {
    "the route of operations": ("/v1/ops/run_query", {"query": f"supply.{SECRET}"}),
    "its whole address": ("/v1/ops/run_query", {"query": f"query.supply.{SECRET}"}),
    "the route of the graph": (f"/graphs/supply/queries/{SECRET}", {}),
    "the route of another query, named in the body": (
        "/graphs/supply/queries/all_packages",
        {"query": f"supply.{SECRET}", "params": {}},
    ),
}


@pytest.mark.parametrize("way", [w for w in WAYS if "body" not in w])
async def test_a_denied_query_is_run_by_no_way(fort: Any, way: str) -> None:
    await guarded(fort)
    path, body = WAYS[way]

    async with fort.served(), fort.holds("invoke_query"):
        answer = await fort.raw("agent:ci", path, json.dumps(body))

    assert answer.status_code in {404, 422}
    assert "query_not_found" in answer.text


async def test_a_body_that_names_another_query_than_its_path_is_of_the_path(fort: Any) -> None:
    await guarded(fort)
    path, body = WAYS["the route of another query, named in the body"]

    async with (
        fort.served(),
        fort.holds(unrecorded="the query of the path runs, which is permitted"),
    ):
        answer = await fort.raw("agent:ci", path, json.dumps(body))

    assert answer.json()["query_name"] == "all_packages"


SPELLINGS = [
    f"supply.{SECRET} ", f" supply.{SECRET}", f"SUPPLY.{SECRET}", f"supply.{SECRET.upper()}",
    f"supply..{SECRET}", f"supply.{SECRET}\x00", f"query.query.supply.{SECRET}",
    f"supply/{SECRET}", f"supply.all_packages;{SECRET}", f"\uff53upply.{SECRET}", f"supply.{SECRET}.",
]  # fmt: skip


@pytest.mark.parametrize("spelling", SPELLINGS, ids=[ascii(s) for s in SPELLINGS])
async def test_a_denied_query_is_run_under_no_other_spelling(fort: Any, spelling: str) -> None:
    """Where policy and engine read a name differently, the one would permit what the other runs."""
    await guarded(fort)

    async with (
        fort.served(),
        fort.mcp("agent:ci") as tool,
        fort.holds(
            unrecorded="no query has that name: policy permits asking for what is not there"
        ),
    ):
        answer = await tool("run_query", query=spelling)

    assert not answer["ok"]


async def test_a_denied_query_is_no_promoted_tool_and_its_name_answers_as_unknown(
    fort: Any,
) -> None:
    """`@promote` skips no policy."""
    await guarded(fort)

    async with fort.served(), fort.mcp("agent:ci") as tool:
        listed = {t.name for t in (await tool.client.list_tools()).tools}
        async with fort.holds(unrecorded="a tool that is not there is no call of an operation"):
            hidden = await tool.client.call_tool(f"q_supply_{SECRET}", {})
            unknown = await tool.client.call_tool("q_supply_nothing", {})

    assert not any(SECRET in name for name in listed)
    assert hidden.is_error
    told = [json.dumps(one.structured_content) for one in (hidden, unknown)]
    assert told[0] == told[1]


async def test_a_promoted_tool_takes_no_name_of_another_query_as_an_argument(fort: Any) -> None:
    policy = NO_SECRET + (
        '@id("p2") @promote permit (principal, action == AgentCtl::Action::"invoke_query",'
        ' resource == AgentCtl::Query::"supply.all_packages");\n'
    )
    await guarded(fort, policy)

    async with (
        fort.served(),
        fort.mcp("agent:ci") as tool,
        fort.holds(unrecorded="an argument that the query does not declare is refused"),
    ):
        result = await tool.client.call_tool(
            "q_supply_all_packages", {"query": f"supply.{SECRET}", "limit": 5}
        )

    assert result.is_error


@pytest.mark.parametrize(
    "uri",
    [
        f"agentctl://rows/supply.{SECRET}/%7B%7D",
        f"agentctl://rows/query.supply.{SECRET}/%7B%7D",
        f"agentctl://rows/supply%2E{SECRET}/%7B%7D",
    ],
)
async def test_a_resource_uri_reaches_no_row_that_the_tools_do_not(fort: Any, uri: str) -> None:
    await guarded(fort)

    async with fort.served(), fort.mcp("agent:ci") as tool, fort.holds("invoke_query"):
        with pytest.raises(MCPError):
            await tool.client.read_resource(uri)


@pytest.mark.parametrize(
    ("uri", "action"),
    [
        ("agentctl://cluster", "cluster_status"),
        ("agentctl://approvals", "approval_read"),
        ("agentctl://ops", "ops_read"),
        ("agentctl://schema/supply", "schema_read"),
        ("agentctl://rows/supply.all_packages/%7B%7D", "invoke_query"),
        ("agentctl://plan/" + "a" * 64, "cluster_plan"),
        ("agentctl://op/x", "ops_read"),
    ],
)
async def test_a_resource_uri_is_asked_of_policy_like_its_tool(
    fort: Any, uri: str, action: str
) -> None:
    await guarded(fort, BLIND)

    async with fort.served(), fort.mcp("agent:eve") as tool, fort.holds(action):
        with pytest.raises(MCPError):
            await tool.client.read_resource(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "agentctl://../cluster", "agentctl://cluster/../../.env", "file:///etc/passwd",
        "agentctl://schema/..%2F..%2F.env", "agentctl://schema/supply%00", "http://127.0.0.1:7077/",
        "agentctl://config_read/.env", "agentctl://decide/x", "agentctl://op/..%2Fhead",
        "agentctl://plan/..%2F..%2Ftokens",
    ],
)  # fmt: skip
async def test_a_resource_uri_leads_nowhere_else(fort: Any, uri: str) -> None:
    await fort.begin()

    async with (
        fort.served(),
        fort.mcp("agent:ci") as tool,
        fort.holds(unrecorded="a URI of no resource is asked of no operation, or of one permitted"),
    ):
        with pytest.raises(MCPError):
            await tool.client.read_resource(uri)


@pytest.mark.parametrize("value", ["", "secret", "supply.sec"])
async def test_completions_tell_no_denied_name(fort: Any, value: str) -> None:
    await guarded(fort)
    rows = ResourceTemplateReference(type="ref/resource", uri="agentctl://rows/{query}/{params}")

    async with fort.served(), fort.mcp("agent:ci") as tool:
        prompts = (await tool.client.list_prompts()).prompts
        taking = [p.name for p in prompts if any(a.name == "resource" for a in p.arguments or ())]
        told: list[str] = []
        async with fort.holds(
            unrecorded="a completion lists what is permitted, and denies nothing"
        ):
            done = await tool.client.complete(rows, {"name": "query", "value": value})
            told += done.completion.values
            for name in taking:
                ref = PromptReference(type="ref/prompt", name=name)
                done = await tool.client.complete(ref, {"name": "resource", "value": value})
                told += done.completion.values

    assert taking
    assert not [t for t in told if SECRET in t]


async def test_no_list_and_no_suggestion_tells_a_denied_name(fort: Any) -> None:
    """`status` lists what is applied, `queries` and `schema` what may be run, a mistake what is near."""
    await guarded(fort)

    async with fort.served(), fort.mcp("agent:ci") as tool:
        told = [
            await tool("status"),
            await tool("queries"),
            await tool("queries", search="secret"),
            await tool("schema", graph="supply"),
            await tool("run_query", query="supply.secret_package"),
        ]
        told += [(await fort.post("agent:ci", o)).json() for o in ("status", "queries", "served")]
        async with fort.web("agent:ci") as web:
            told += [(await web.get("/graphs/supply/queries")).json()]
            whole = await tool.client.read_resource("agentctl://cluster")

    assert not [t for t in told if SECRET in json.dumps(t)]
    assert SECRET not in str(whole)
    assert "all_packages" in str(whole)


# --- streams ---------------------------------------------------------------------------------------


async def test_a_stream_of_somebody_elses_op_is_asked_of_policy(fort: Any) -> None:
    await guarded(fort, BLIND)
    op = (await fort.cluster.journal.list(1))[0].id

    async with fort.served(), fort.holds("ops_read"):
        async with fort.web("agent:eve") as web:
            stolen = await web.get(f"/v1/ops/{op}/events")
        async with fort.web("agent:ci") as web:
            allowed = await web.get(f"/v1/ops/{op}/events")

    assert stolen.status_code == 403
    assert "event:" not in stolen.text
    assert allowed.status_code == 200


async def test_a_stream_of_an_op_tells_no_secret_name_by_its_prefix(fort: Any) -> None:
    """An op is found by the beginning of its id: also that is asked of policy first."""
    await guarded(fort, BLIND)
    op = (await fort.cluster.journal.list(1))[0].id

    async with fort.served(), fort.holds("ops_read"), fort.web("agent:eve") as web:
        known = await web.get(f"/v1/ops/{op[:6]}/events")
        unknown = await web.get("/v1/ops/zzzzzz/events")

    assert (known.status_code, known.json()["diagnostics"]) == (
        unknown.status_code,
        unknown.json()["diagnostics"],
    )


@pytest.mark.filterwarnings("ignore:resources/.*subscribe is removed")
async def test_a_subscription_to_what_may_not_be_read_is_none(fort: Any) -> None:
    await guarded(fort, BLIND)

    async with fort.served(), fort.mcp("agent:eve", mode="legacy") as tool:
        async with fort.holds("approval_read"):
            with pytest.raises(MCPError) as refused:
                await tool.client.subscribe_resource("agentctl://approvals")
        async with fort.holds(unrecorded="a repeat within the minute is counted"):
            with pytest.raises(MCPError) as absent:
                await tool.client.subscribe_resource("agentctl://nothing")

    assert "spare" not in str(refused.value)
    assert absent.value is not None


@pytest.mark.filterwarnings("ignore:resources/.*subscribe is removed")
async def test_a_subscription_of_whom_a_policy_shut_out_ends_with_a_denial(fort: Any) -> None:
    """What was subscribed to is looked at as the subscriber, each time anew; it tells no content."""
    await guarded(fort, EVERYTHING)
    heard: list[Any] = []
    news = anyio.Event()

    async def hear(message: object) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            heard.append(message.params)
            news.set()

    server = make_server(Entrance(fort.cluster, EVE), poll_s=0.02)
    async with Client(server, mode="legacy", message_handler=hear) as client:
        with anyio.fail_after(30):
            await client.subscribe_resource("agentctl://approvals")
            await fort.govern(BLIND)
            before = await fort.standing()
            await news.wait()
    records = await fort.records()

    assert [set(one.model_dump(exclude_none=True)) - {"meta"} for one in heard] == [{"uri"}]
    assert {(r.action, r.decision) for r in records if r.actor.identity == EVE.identity} == {
        ("approval_read", "deny")
    }
    assert await fort.standing() == before
