"""Policy that is taken away, widened, bound elsewhere, rolled back or broken; and what moves in between."""

import itertools
import json
from collections.abc import Mapping
from typing import Any

import pytest

from agentctl.canonical import sha256_hex
from agentctl.engine.data import load
from agentctl.engine.policies import live_policies
from agentctl.testing.builders import QUERY, cluster_yaml, decide, folder_files
from agentctl_tools.door import call
from agentctl_tools.serving import Premises

EVERYTHING = '@id("all") permit (principal, action, resource);\n'
TIGHT = EVERYTHING + (
    '@id("no-rows") forbid (principal is AgentCtl::Agent, '
    'action == AgentCtl::Action::"invoke_query", resource);\n'
)
UNSAID = (
    '@id("all") permit (principal, action, resource) unless { principal is AgentCtl::Agent'
    ' && action == AgentCtl::Action::"invoke_query" };\n'
)
"""The same by leaving it out: what a nearer policy permits is permitted."""
ON_CLUSTER = "policies:\n  main:\n    file: main.cedar\n    applies_to: [cluster]\n"
APPLYING = {"decision": "allow", "moves": ("sandboxes/",), "runs": True}


async def tightened(fort: Any, policy: str = TIGHT) -> None:
    """A cluster whose policy lets agents do everything but run queries."""
    await fort.begin()
    await fort.govern(policy)


async def tries_to_apply(fort: Any, files: Mapping[str, str | None]) -> tuple[Any, Any]:
    """The agent drafts these files, plans and applies; returns the plan and what came of it."""
    async with fort.mcp("agent:ci") as tool:
        draft = ""
        for path, text in files.items():
            how: dict[str, Any] = {"remove": True} if text is None else {"content": text}
            where = {"in_": draft} if draft else {}
            edited = await tool("draft_edit", path=path, **how, **where)
            assert edited["ok"], edited
            draft = edited["data"]["draft"]
        planned = await tool("plan", in_=draft)
        applied = await tool(
            "apply", in_=draft, intent="x", idempotency_key="1", without_gated=True
        )
        assert not (await tool("run_query", query="supply.all_packages"))["ok"]
    return planned, applied


WIDENED: dict[str, Mapping[str, str | None]] = {
    "deleted": {"cluster.yaml": cluster_yaml("supply", "spare")},
    "widened": {"main.cedar": EVERYTHING},
    "widened by a condition": {
        "main.cedar": TIGHT.replace("resource);\n", 'resource) unless { context.via == "mcp" };\n')
    },
    "widened by one agent": {
        "main.cedar": TIGHT.replace(
            "principal is AgentCtl::Agent", 'principal == AgentCtl::Agent::"agent:eve"'
        )
    },
    "bound to a graph": {
        "cluster.yaml": cluster_yaml(
            "supply", "spare", policies=ON_CLUSTER.replace("[cluster]", "[spare]")
        )
    },
    "outweighed by one of the graph": {
        "cluster.yaml": cluster_yaml(
            "supply",
            "spare",
            policies=ON_CLUSTER + "  near:\n    file: near.cedar\n    applies_to: [supply]\n",
        ),
        "near.cedar": EVERYTHING,
    },
    "moved by a block and widened": {
        "cluster.yaml": cluster_yaml(
            "supply",
            "spare",
            policies=ON_CLUSTER.replace("main:", "other:"),
            more="moved: [{from: policy.main, to: policy.other}]",
        ),
        "main.cedar": EVERYTHING,
    },
    "forgotten by a block": {
        "cluster.yaml": cluster_yaml("supply", "spare", more="forget: [policy.main]")
    },
}  # fmt: skip


@pytest.mark.parametrize("how", WIDENED)
async def test_a_policy_is_not_opened_without_a_human(fort: Any, how: str) -> None:
    await tightened(fort, UNSAID if how.startswith("outweighed") else TIGHT)
    before = await live_policies(fort.cluster)

    async with fort.served(), fort.holds("cluster_apply", **APPLYING):
        planned, applied = await tries_to_apply(fort, WIDENED[how])

    assert (await live_policies(fort.cluster)).digest == before.digest
    assert not (applied["data"] or {}).get("done"), applied
    if planned["ok"]:
        assert planned["data"]["gates"], "a human is asked"


HARMLESS: dict[str, Mapping[str, str | None]] = {
    "a second name for it": {
        "cluster.yaml": cluster_yaml(
            "supply", "spare", policies=ON_CLUSTER.replace("main:", "other:")
        )
    },
    "moved as it is": {
        "cluster.yaml": cluster_yaml(
            "supply",
            "spare",
            policies=ON_CLUSTER.replace("main:", "other:"),
            more="moved: [{from: policy.main, to: policy.other}]",
        )
    },
    "everything in a graph, which the cluster forbids": {
        "cluster.yaml": cluster_yaml(
            "supply",
            "spare",
            policies=ON_CLUSTER + "  near:\n    file: near.cedar\n    applies_to: [supply]\n",
        ),
        "near.cedar": EVERYTHING,
    },
}


@pytest.mark.parametrize("how", HARMLESS)
async def test_a_policy_that_an_agent_may_bring_gives_it_nothing(fort: Any, how: str) -> None:
    """It lands without a human, since it opens nothing: what was denied is denied behind it."""
    await tightened(fort)

    async with fort.served():
        _, applied = await tries_to_apply(fort, HARMLESS[how])
        async with fort.holds("invoke_query"), fort.mcp("agent:ci") as tool:
            assert not (await tool("run_query", query="supply.all_packages"))["ok"]

    assert applied["data"]["done"], "else this says nothing"


@pytest.mark.parametrize("by", ["op", "to"])
async def test_the_op_that_tightened_policy_is_not_rolled_back_without_a_human(
    fort: Any, by: str
) -> None:
    await fort.begin()
    await fort.govern(EVERYTHING)
    open_seq = (await fort.cluster.ledger.head()).seq
    fort.bench.write({"main.cedar": TIGHT})
    made: Any = await call(fort.cluster, fort.bench.sarah, "apply", {"intent": "tighten"})
    assert made.data.converged, made
    before = await live_policies(fort.cluster)
    named = {"op": made.data.op} if by == "op" else {"to": open_seq}

    async with (
        fort.served(),
        fort.mcp("agent:ci") as tool,
        fort.holds("op_rollback", decision="allow", moves=("sandboxes/",), runs=True),
    ):
        back = await tool("rollback", intent="x", idempotency_key="1", without_gated=True, **named)
        over_http = await fort.post("agent:ci", "rollback", intent="x", without_gated=True, **named)
        assert not (await tool("run_query", query="supply.all_packages"))["ok"]

    assert (await live_policies(fort.cluster)).digest == before.digest
    assert "policy.main" in json.dumps(back)
    assert "policy.main" in over_http.text


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("permit (principal, action, resource", "policy_"),
        ('permit (principal, action == AgentCtl::Action::"no_such", resource);', "policy_"),
        ("permit (principal, action, resource) when { principal.root };", "policy_"),
        ("", "policy_"),
        ("\x00", "policy_"),
        ("{" * 50_000, "policy_"),
    ],
)
async def test_a_policy_that_does_not_parse_is_applied_neither_by_itself_nor_as_nothing(
    fort: Any, text: str, code: str
) -> None:
    """Fail closed: what decided before decides still, and nothing of the plan is done."""
    await tightened(fort)
    before = await live_policies(fort.cluster)
    files = {"main.cedar": text, "supply.gq": f"// {QUERY[:3]}\n{QUERY}"}

    async with fort.served(), fort.holds("cluster_apply", **APPLYING):
        _, applied = await tries_to_apply(fort, files)

    assert not applied["ok"] or applied["data"]["gates"], applied
    assert (await live_policies(fort.cluster)).digest == before.digest
    assert code


async def test_a_policy_that_stopped_parsing_between_plan_and_apply_changes_nothing(
    fort: Any, codes: Any
) -> None:
    await tightened(fort)
    before = await live_policies(fort.cluster)
    fort.bench.write({"main.cedar": TIGHT + "// and a word\n", "supply.gq": f"// x\n{QUERY}"})

    async with fort.served(), fort.mcp("agent:ci") as tool:
        plan_id = (await tool("plan"))["data"]["plan_id"]
        fort.bench.write({"main.cedar": TIGHT.replace("permit", "permitt")})
        async with fort.holds("cluster_apply", decision="allow", runs=True):
            applied = await tool("apply", plan_id=plan_id, intent="x", idempotency_key="1")

    assert not applied["ok"]
    assert any(code.startswith(("policy", "plan", "invalid")) for code in codes(applied))
    assert (await live_policies(fort.cluster)).digest == before.digest


async def test_a_payload_that_was_swapped_under_its_digest_opens_nothing(
    fort: Any, codes: Any
) -> None:
    """Time of check, time of use: what decides is hashed when it is read."""
    await tightened(fort)
    (key,) = [k for k in fort.bench.objects if k.startswith("__cluster/resources/policy/")]
    fort.bench.objects[key] = EVERYTHING.encode()
    fort.cluster = await fort.bench.open()
    fort.premises = Premises(fort.cluster, "http://127.0.0.1:7077")

    async with fort.served(), fort.holds("invoke_query", decision="error"):
        answer = await fort.post("agent:ci", "run_query", query="supply.all_packages")

    assert codes(answer) == ["policy_evaluation_error"]


# --- time of check, time of use, on a plan -----------------------------------------------------------


async def test_a_folder_that_moved_after_the_plan_is_not_applied_by_it(
    fort: Any, codes: Any
) -> None:
    await fort.begin()
    fort.bench.write({"supply.gq": f"// harmless\n{QUERY}"})

    async with fort.served(), fort.mcp("agent:ci") as tool:
        plan_id = (await tool("plan"))["data"]["plan_id"]
        fort.bench.write({"supply.gq": QUERY.replace("all_packages", "other")})
        async with fort.holds("cluster_apply", decision="allow", runs=True):
            applied = await tool("apply", plan_id=plan_id, intent="x", idempotency_key="1")
            exact = await tool(
                "apply", plan_id=plan_id, intent="x", idempotency_key="2", exact=True
            )

    assert "plan_stale" in codes(applied)
    assert "plan_stale" in codes(exact)


async def test_a_draft_that_changed_after_the_approval_does_more_without_a_human(
    fort: Any,
) -> None:
    """`spare` goes with sarah's signature; what the agent added behind it waits."""
    await fort.begin()
    async with fort.served(), fort.mcp("agent:ci") as tool:
        edited = await tool("draft_edit", path="cluster.yaml", content=cluster_yaml("supply"))
        draft = edited["data"]["draft"]
        asked = await tool(
            "approve", gate="graph.spare", intent="x", idempotency_key="1", in_=draft
        )
        request = await fort.cluster.approvals.find(asked["data"]["request_id"])
        await decide(fort.cluster, request)
        more = "metadata:\n  name: bench\ngraphs: {}\n"
        await tool("draft_edit", path="cluster.yaml", content=f"version: 1\n{more}", in_=draft)
        async with fort.holds("cluster_apply", **APPLYING):
            applied = await tool("apply", intent="x", idempotency_key="2", in_=draft)

    waiting = {g["resource"] for g in applied["data"]["gates"] if not g["satisfied"]}
    assert waiting == {"graph.supply"}


async def test_rows_that_came_after_the_approval_are_not_lost_by_it(fort: Any) -> None:
    """An empty graph was shown; with a thousand rows in it the signature counts no more."""
    await fort.begin()
    request = await fort.without_spare()
    await decide(fort.cluster, request)
    rows = "".join(
        f'{{"type": "Package", "data": {{"name": "n{n}"}}}}\n' for n in range(1000)
    ).encode()
    fort.bench.write(folder_files("supply", "spare"))
    await load(
        fort.cluster, fort.bench.sarah, "spare", rows.splitlines(keepends=True), "append", "r"
    )
    fort.bench.write({"spare.pg": None, "spare.gq": None, "cluster.yaml": cluster_yaml("supply")})

    async with fort.served(), fort.mcp("agent:ci") as tool, fort.holds("cluster_apply", **APPLYING):
        applied = await tool(
            "apply", intent="x", idempotency_key="1", without_gated=True, in_="cluster"
        )

    (gate,) = applied["data"]["gates"]
    assert (gate["resource"], gate["satisfied"], gate["standing"]) == (
        "graph.spare", False, "stale",
    )  # fmt: skip


@pytest.mark.parametrize("field", ["plan_digest", "gate_digest"])
async def test_a_gate_that_is_named_by_other_digests_is_not_asked_about(
    fort: Any, field: str
) -> None:
    await fort.begin()
    request = await fort.without_spare()

    async with (
        fort.served(),
        fort.mcp("agent:ci") as tool,
        fort.holds("approval_request", decision="allow", runs=True),
    ):
        answer = await tool(
            "approve", gate=getattr(request, field), intent="x", idempotency_key="1"
        )

    assert not answer["ok"]


async def test_a_file_that_changes_while_it_is_applied_lands_as_one_of_its_readings(
    fort: Any,
) -> None:
    """The folder is another each time that it is read; what is recorded is what was stored and hashed."""
    await fort.begin()
    texts = [f"// {n}\n{QUERY}" for n in range(2)]
    folder = fort.cluster.folder
    read, readings = folder._load, itertools.count()

    def moving(*arguments: Any, **named: Any) -> Any:
        fort.bench.write({"supply.gq": texts[next(readings) % 2]})
        return read(*arguments, **named)

    folder._load = moving
    async with fort.served():
        await fort.post("agent:ci", "plan")
        await fort.post("agent:ci", "apply", intent="x", in_="cluster", without_gated=True)
    head = await fort.cluster.ledger.head()
    recorded = head.envelope.state.applied_revision.resources["query.supply.all_packages"].digest
    payloads = [
        sha256_hex(data)
        for key, data in fort.bench.objects.items()
        if recorded in key and key.startswith("__cluster/resources/query/")
    ]

    assert next(readings) > 1, "it was read more than once"
    assert payloads == [recorded]
    assert any(r.action == "cluster_apply" for r in await fort.records())


async def test_a_widening_that_is_read_behind_the_judgement_is_not_what_lands(fort: Any) -> None:
    """The policy is tight when it is planned and open when its bytes are wanted."""
    await fort.begin()
    await fort.govern(TIGHT)
    tighter = (
        TIGHT
        + '@id("nor-schemas") forbid (principal is AgentCtl::Agent, action =='
        + (' AgentCtl::Action::"schema_read", resource);\n')
    )
    folder = fort.cluster.folder
    read, readings = folder._load, itertools.count()

    def moving(*arguments: Any, **named: Any) -> Any:
        fort.bench.write({"main.cedar": EVERYTHING if next(readings) % 2 else tighter})
        return read(*arguments, **named)

    folder._load = moving
    async with fort.served():
        for _ in range(2):
            await fort.post("agent:ci", "apply", intent="x", in_="cluster", without_gated=True)
        async with fort.holds("invoke_query"):
            answer = await fort.post("agent:ci", "run_query", query="supply.all_packages")

    assert not answer.json()["ok"]
