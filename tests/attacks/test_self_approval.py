"""Self-approval by every route that a token opens: whoever asks for something does not decide it.

Each attack tries to have `spare` deleted, or its own powers widened, without a human at a terminal.
The same over stdio, with forged bytes of every kind: tests/trust/test_no_consent_over_mcp.py.
"""

import json
from datetime import timedelta
from typing import Any

import pytest
from mcp.client.context import ClientRequestContext
from mcp_types import ElicitRequestParams, ElicitResult

from agentctl.domain.approval.codec import encode
from agentctl.domain.approval.decision import decision_bytes, decision_statement, make_artifact
from agentctl.domain.approval.records import (
    GATE_NAMESPACE,
    ApprovalRequest,
    DecisionArtifact,
    Seen,
)
from agentctl.domain.policy.principals import Principal
from agentctl.testing.builders import cluster_yaml, decide, folder_files
from agentctl.testing.consent import key_of
from agentctl_tools.door import call

YES = {"verdict": "approve", "confirmation": "spare"}
EVERYTHING = "permit (principal, action, resource);"
TOOL_ROUTES = ("decide", "approve_it", "deny", "thaw", "delegate", "revoke", "identity_add_human")


def signed_by(
    signer: str, request: ApprovalRequest, *, approver: str = "sarah"
) -> DecisionArtifact:
    """Returns a decision about *request* in the name of *approver*, signed with the key of *signer*."""
    statement = decision_statement(
        request,
        decision="approve",
        reason=None,
        approver=approver,
        decided_at=request.created_at,
        seen=Seen(plan_digest=request.plan_digest, ledger_seq=1, audit_head=None, audit_length=0),
    )
    _, signature = key_of(signer).sign(decision_bytes(statement), GATE_NAMESPACE)
    who = Principal(id=approver, kind="human", key=key_of(signer).key, assurance="file")
    return make_artifact(request, statement, who, signature)


async def test_the_forger_of_these_tests_would_succeed_with_the_humans_key(fort: Any) -> None:
    """What is refused below is refused for whose key it is, not for how it is made."""
    await fort.begin()
    genuine = encode(signed_by("sarah", await fort.without_spare())).decode()

    async with fort.served():
        answer = await fort.post("agent:ci", "submit_decision", decision=genuine, intent="x")

    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("who", ["agent:ci", "sarah"])
async def test_self_approval_over_http_with_a_token(fort: Any, codes: Any, who: str) -> None:
    """Also with a human's own token: a token is at no terminal."""
    await fort.begin()
    request = await fort.without_spare()
    asked = {"request_id": request.request_id, "gate_digest": request.gate_digest, **YES}

    async with fort.served(), fort.holds("approval_decide", reason="human_only"):
        answer = await fort.post(who, "decide", **asked)

    assert answer.status_code == 403
    assert codes(answer) == ["human_only"]


@pytest.mark.parametrize("name", ["approve", "deny"])
async def test_self_approval_over_http_by_the_verb_that_people_use(
    fort: Any, codes: Any, name: str
) -> None:
    await fort.begin()
    request = await fort.without_spare()

    async with fort.served(), fort.holds("approval_decide", reason="human_only"):
        answer = await fort.post("agent:ci", name, request_id=request.request_id, **YES)

    assert codes(answer) == ["human_only"]


async def test_self_approval_by_a_tool_with_a_humans_token(fort: Any, codes: Any) -> None:
    """Over MCP a human's token is an agent of that human."""
    await fort.begin()
    request = await fort.without_spare()
    asked = {"request_id": request.request_id, "gate_digest": request.gate_digest, **YES}

    async with fort.served(), fort.mcp("sarah") as tool:
        async with fort.holds("approval_decide", reason="human_only"):
            answer = await tool("decide", **asked)
        you = (await tool("status"))["data"]["you"]

    assert codes(answer) == ["human_only"]
    assert (you["principal"], you["kind"]) == ("agent:for:sarah", "agent")


@pytest.mark.parametrize("signer", ["agent:ci", "agent:eve", "mallory", "tom"])
async def test_self_approval_by_a_decision_signed_with_another_key_than_the_humans(
    fort: Any, codes: Any, signer: str
) -> None:
    await fort.begin()
    forged = encode(signed_by(signer, await fort.without_spare())).decode()

    async with (
        fort.served(),
        fort.mcp("agent:ci") as tool,
        fort.holds("approval_submit", decision="allow"),
    ):
        over_mcp = await tool("approve", decision=forged, intent="x", idempotency_key="1")
        over_http = await fort.post("agent:ci", "submit_decision", decision=forged, intent="x")

    assert not over_mcp["ok"]
    assert codes(over_mcp) == codes(over_http)


async def test_self_approval_by_an_agent_as_the_approver_in_its_own_name(
    fort: Any, codes: Any
) -> None:
    await fort.begin()
    own = signed_by("agent:ci", await fort.without_spare(), approver="agent:ci")

    async with fort.served(), fort.holds("approval_submit", decision="allow"):
        answer = await fort.post(
            "agent:ci", "submit_decision", decision=encode(own).decode(), intent="x"
        )

    assert answer.status_code >= 400
    assert codes(answer)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_self_approval_by_a_client_that_says_yes_to_every_elicitation(
    fort: Any, mode: str
) -> None:
    """The server never elicits, so that a client's own yes is nobody's consent."""
    await fort.begin()
    await fort.without_spare()
    questions: list[object] = []

    async def yes(_: ClientRequestContext, question: ElicitRequestParams) -> ElicitResult:
        questions.append(question)
        return ElicitResult(action="accept", content={"approve": True, "confirmation": "spare"})

    async with fort.served(), fort.mcp("agent:ci", mode=mode, elicitation_callback=yes) as tool:
        async with fort.holds("cluster_apply", decision="allow", runs=True):
            held = await tool(
                "apply", intent="x", idempotency_key="1", without_gated=True, in_="cluster"
            )
        asked = await tool("approve", gate="graph.spare", intent="x", idempotency_key="2")
        waited = await tool("approval_wait", id=asked["data"]["request_id"], timeout_s=0)

    assert questions == []
    assert [g["satisfied"] for g in held["data"]["gates"]] == [False]
    assert waited["data"]["standing"] == "waiting"


@pytest.mark.parametrize("id_", [1, "elicit-1", None])
async def test_self_approval_by_an_elicitation_answer_that_nobody_asked_for(
    fort: Any, id_: object
) -> None:
    await fort.begin()
    await fort.without_spare()
    told = {
        "jsonrpc": "2.0",
        "id": id_,
        "result": {"action": "accept", "content": {"approve": True, "confirmation": "spare"}},
    }

    async with (
        fort.served(),
        fort.holds(unrecorded="a forged answer of the protocol reaches no operation"),
    ):
        answer = await fort.raw("agent:ci", "/mcp", json.dumps(told))

    assert answer.status_code < 500


@pytest.mark.parametrize("argument", ["input_responses", "elicitation", "_meta", "approved_by"])
async def test_self_approval_by_an_answer_that_comes_with_the_call(
    fort: Any, codes: Any, argument: str
) -> None:
    """The newer revision lets a client bring what it was asked for: here nothing is ever asked for."""
    await fort.begin()
    await fort.without_spare()
    gate = {"gate": "graph.spare", "intent": "x", "idempotency_key": "1"}

    async with (
        fort.served(),
        fort.mcp("agent:ci") as tool,
        fort.holds(
            unrecorded="arguments of an unknown name are refused before anything is decided"
        ),
    ):
        answer = await tool("approve", **gate, **{argument: {"action": "accept"}})

    assert codes(answer) == ["invalid_arguments"]


async def test_self_approval_by_another_agent(fort: Any, codes: Any) -> None:
    """The gate that one agent asked about is decided by no other, whoever it acts for."""
    await fort.begin()
    request = await fort.without_spare()
    forged = encode(signed_by("agent:eve", request, approver="agent:eve")).decode()

    async with fort.served(), fort.mcp("agent:eve") as tool:
        async with fort.holds("approval_decide", reason="human_only"):
            decided = await tool("decide", request_id=request.request_id, **YES)
        async with fort.holds("approval_submit", decision="allow"):
            handed = await tool("approve", decision=forged, intent="x", idempotency_key="1")
        async with fort.holds("approval_request", decision="allow", runs=True):
            again = await tool("approve", gate="graph.spare", intent="x", idempotency_key="2")

    assert codes(decided) == ["human_only"]
    assert not handed["ok"]
    assert again["data"]["request_id"] == request.request_id, "asking twice is one question"


@pytest.mark.parametrize("name", ["on_behalf_of", "principal", "as", "via", "kind", "caller"])
async def test_on_behalf_of_is_no_argument(fort: Any, codes: Any, name: str) -> None:
    await fort.begin()
    request = await fort.without_spare()

    async with fort.served():
        async with fort.holds("approval_decide", reason="human_only"):
            decided = await fort.post(
                "agent:ci", "decide", request_id=request.request_id, **YES, **{name + "_": "sarah"}
            )
        async with fort.holds(unrecorded="unknown arguments are refused before the door decides"):
            applied = await fort.post(
                "agent:ci", "apply", intent="x", in_="cluster", **{name + "_": "sarah"}
            )

    assert codes(decided) == ["human_only"]
    assert codes(applied) == ["invalid_arguments"]


@pytest.mark.parametrize(
    "header",
    ["x-on-behalf-of", "x-forwarded-user", "x-remote-user", "remote-user", "x-agentctl-principal"],
)
async def test_on_behalf_of_is_no_header(fort: Any, header: str) -> None:
    """A proxy's word says nothing here: only the token names somebody."""
    await fort.begin()
    request = await fort.without_spare()
    asked = {"request_id": request.request_id, "gate_digest": request.gate_digest, **YES}

    async with (
        fort.served(),
        fort.holds("approval_decide", reason="human_only"),
        fort.web("agent:ci", **{header: "sarah"}) as web,
    ):
        you = (await web.post("/v1/ops/status", json={})).json()["data"]["you"]
        await web.post("/v1/ops/decide", json=asked)
    record = (await fort.records())[-1]

    assert (you["principal"], you["on_behalf_of"]) == ("agent:ci", "sarah"), "as its token says"
    assert record.actor.identity == "agent:ci"


async def test_on_behalf_of_a_human_who_is_gone(fort: Any) -> None:
    await fort.begin()
    await fort.cluster.principals.revoke(
        principal_id="tom", reason="left", by="sarah", signer=key_of("sarah")
    )

    async with fort.served(), fort.holds("authenticate", reason="token_invalid"):
        answer = await fort.post("agent:eve", "status")

    assert answer.status_code == 401


async def test_on_behalf_of_does_not_help_a_human_to_approve_what_their_agent_asked(
    fort: Any,
) -> None:
    """`separate`: the agent asks for sarah, and a signature of sarah's own key counts for nothing."""
    await fort.begin()
    rule = "approvals:\n  two:\n    separate: true\n"
    fort.bench.write({"cluster.yaml": cluster_yaml("supply", "spare", more=rule)})
    await call(fort.cluster, fort.bench.sarah, "apply", {"intent": "x"})
    await decide(fort.cluster, await fort.asked("approval.two"))
    await call(fort.cluster, fort.bench.sarah, "apply", {"intent": "x"})
    fort.bench.write(
        {"spare.pg": None, "spare.gq": None, "cluster.yaml": cluster_yaml("supply", more=rule)}
    )

    async with fort.served(), fort.mcp("agent:ci") as tool:
        asked = await tool("approve", gate="graph.spare", intent="x", idempotency_key="1")
        request = await fort.cluster.approvals.find(asked["data"]["request_id"])
        own = encode(signed_by("sarah", request)).decode()
        async with fort.holds("approval_submit", decision="allow"):
            handed = await tool("approve", decision=own, intent="x", idempotency_key="2")

    assert request.on_behalf_of == "sarah"
    assert not handed["ok"]


@pytest.mark.parametrize("who", ["agent:ci", "sarah"])
@pytest.mark.parametrize(
    ("operation", "arguments", "action"),
    [
        ("token_create", {"principal": "sarah"}, "token_create"),
        ("token_create", {"principal": "agent:ci"}, "token_create"),
        ("identity_add_human", {"id": "mallory", "key": "k"}, "principal_add_human"),
        ("identity_groups", {"id": "agent:ci", "in_groups": ["x"]}, "principal_add_human"),
        ("identity_rotate", {"id": "sarah", "key": "k"}, "principal_revoke"),
        ("identity_delegate", {"to": "tom", "seconds": 60}, "principal_delegate"),
        ("identity_recover", {"id": "m", "act": "add", "key": "k"}, "principal_recover"),
        ("thaw", {"freeze": "x"}, "cluster_thaw"),
        ("approval_review", {"approval_id": "x", "finding": "fine"}, "approval_decide"),
    ],
)
async def test_self_made_authority_comes_over_no_wire(
    fort: Any, who: str, operation: str, arguments: dict[str, Any], action: str
) -> None:
    """More tokens, more humans, more groups, new keys: each with an agent's and a human's token."""
    await fort.begin()
    if operation == "identity_recover":
        arguments = {"id": "sarah", "act": "rotate", "key": key_of("mallory").key}

    async with fort.served(), fort.holds(action):
        answer = await fort.post(who, operation, **arguments)

    assert answer.status_code in {401, 403}, answer.text


async def test_an_agent_enrols_no_second_agent(fort: Any, codes: Any) -> None:
    await fort.begin()

    async with fort.served(), fort.holds("principal_add"):
        answer = await fort.post(
            "agent:ci", "identity_add", id="agent:two", of_kind="agent", key=key_of("two").key
        )

    assert codes(answer) == ["denied"]


GRANTS = {
    "everything in Cedar": (EVERYTHING, "main.cedar", "cluster"),
    "to itself by name": (
        'permit (principal == AgentCtl::Agent::"agent:ci", action, resource);',
        "main.cedar",
        "cluster",
    ),
    "under a condition that nobody can enumerate": (
        'permit (principal, action, resource) when { context.via like "m*" };',
        "main.cedar",
        "cluster",
    ),
    "in YAML, of its graph": (
        "version: 1\ngroups: {ops: ['agent:ci']}\nrules:\n"
        "  - {id: r, allow: {actors: {group: ops}, actions: [branch_create, read]}}\n",
        "main.yaml",
        "supply",
    ),
}


@pytest.mark.parametrize("grant", GRANTS)
async def test_config_that_grants_itself_waits_for_a_human(fort: Any, grant: str) -> None:
    """It drafts a policy, plans it, applies it every way there is, and rolls forward: it waits."""
    await fort.begin()
    policy, name, on = GRANTS[grant]
    bound = f"policies:\n  main:\n    file: {name}\n    applies_to: [{on}]\n"
    text = cluster_yaml("supply", "spare", policies=bound)

    async with fort.served(), fort.mcp("agent:ci") as tool:
        draft = (await tool("draft_edit", path="cluster.yaml", content=text))["data"]["draft"]
        edited = await tool("draft_edit", path=name, content=policy, in_=draft)
        planned = await tool("plan", in_=draft)
        async with fort.holds("cluster_apply", decision="allow", moves=("sandboxes/",), runs=True):
            for number, more in enumerate(
                ({}, {"without_gated": True}, {"without_gated": True, "exact": True})
            ):
                applied = await tool(
                    "apply",
                    plan_id=planned["data"]["plan_id"],
                    intent="x",
                    idempotency_key=f"k{number}",
                    **more,
                )
                assert not (applied["data"] or {}).get("done")

    assert edited["data"]["valid"], edited
    assert planned["data"]["gates"], planned


async def test_config_that_grants_consent_to_an_agent_gives_none_even_when_a_human_applied_it(
    fort: Any, codes: Any
) -> None:
    await fort.begin()
    await fort.govern(EVERYTHING)
    request = await fort.without_spare()
    asked = {"request_id": request.request_id, "gate_digest": request.gate_digest, **YES}

    async with fort.served(), fort.holds("approval_decide", reason="human_only"):
        answer = await fort.post("agent:ci", "decide", **asked)
        minted = await fort.post("agent:ci", "token_create", principal="agent:ci")

    assert codes(answer) == ["human_only"]
    assert codes(minted) == ["denied"]


async def test_config_that_takes_the_approval_rules_away_waits_for_a_human(fort: Any) -> None:
    await fort.begin()
    rule = "approvals:\n  two:\n    need: {count: 2}\n"
    fort.bench.write({"cluster.yaml": cluster_yaml("supply", "spare", more=rule)})
    await call(fort.cluster, fort.bench.sarah, "apply", {"intent": "x"})
    await decide(fort.cluster, await fort.asked("approval.two"))
    await call(fort.cluster, fort.bench.sarah, "apply", {"intent": "x"})

    async with fort.served(), fort.mcp("agent:ci") as tool:
        edited = await tool(
            "draft_edit", path="cluster.yaml", content=cluster_yaml("supply", "spare")
        )
        draft = edited["data"]["draft"]
        async with fort.holds("cluster_apply", decision="allow", moves=("sandboxes/",), runs=True):
            applied = await tool(
                "apply", intent="x", idempotency_key="1", without_gated=True, in_=draft
            )

    assert [g["resource"] for g in applied["data"]["gates"]] == ["approval.two"]
    assert not applied["data"]["done"]


async def test_a_replayed_approval_of_a_gate_that_was_used_opens_nothing(fort: Any) -> None:
    """The graph is deleted, restored and declared again; the old signature is handed in once more."""
    await fort.begin()
    request = await fort.without_spare()
    decision = await decide(fort.cluster, request)
    made: Any = await call(fort.cluster, fort.bench.sarah, "apply", {"intent": "delete"})
    assert made.data.converged, made
    restored = await call(
        fort.cluster, fort.bench.sarah, "graph_restore", {"graph": "spare", "intent": "back"}
    )
    assert restored.ok, restored
    fort.bench.write(folder_files("supply", "spare"))
    await call(fort.cluster, fort.bench.sarah, "apply", {"intent": "again"})
    await call(fort.cluster, fort.bench.sarah, "refresh", {"intent": "look"})
    fort.bench.write({"spare.pg": None, "spare.gq": None, "cluster.yaml": cluster_yaml("supply")})
    old = encode(decision).decode()

    async with (
        fort.served(),
        fort.mcp("agent:ci") as tool,
        fort.holds("approval_submit", decision="allow", runs=True),
    ):
        await tool("approve", decision=old, intent="x", idempotency_key="1")
        applied = await tool(
            "apply", intent="x", idempotency_key="2", without_gated=True, in_="cluster"
        )

    assert [(g["resource"], g["satisfied"]) for g in applied["data"]["gates"]] == [
        ("graph.spare", False)
    ]


async def test_a_replayed_approval_of_another_cluster_opens_nothing(
    fort: Any, tmp_path_factory: Any
) -> None:
    """The twin has the same people, keys, graphs and words; only its id is another."""
    await fort.begin()
    await fort.without_spare()
    twin = await type(fort)(tmp_path_factory.mktemp("twin"), seed=1).begin()
    decision = await decide(twin.cluster, await twin.without_spare())

    async with fort.served(), fort.holds("approval_submit", decision="allow"):
        answer = await fort.post(
            "agent:ci", "submit_decision", decision=encode(decision).decode(), intent="x"
        )

    assert answer.status_code >= 400


async def test_a_replayed_approval_after_its_request_expired_opens_nothing(fort: Any) -> None:
    await fort.begin()
    request = await fort.without_spare()
    decision = encode(signed_by("sarah", request)).decode()
    days = timedelta(days=30).total_seconds()
    fort.bench.world.advance(days)

    async with fort.served(), fort.holds("approval_submit", decision="allow"):
        answer = await fort.post("agent:ci", "submit_decision", decision=decision, intent="x")

    assert answer.status_code >= 400
