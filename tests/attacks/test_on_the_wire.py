"""What comes over the wire: names and pages of others, tokens that are none, bodies made to hurt, floods."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from agentctl.domain.policy.tokens import token_id
from agentctl.engine.tokens import Tokens
from agentctl.instants import format_instant
from agentctl.testing.builders import cluster_yaml, folder_files
from agentctl.testing.consent import key_of

APPLY = {
    "jsonrpc": "2.0", "id": 1, "method": "tools/call",
    "params": {"name": "apply", "arguments": {"intent": "x", "in": "cluster", "idempotency_key": "k"}},
}  # fmt: skip
PATHS = {
    "/mcp": APPLY,
    "/v1/ops/apply": {"intent": "x", "in": "cluster", "without_gated": True},
    "/graphs/supply/load/ndjson": {"type": "Package", "data": {"name": "evil"}},
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"host": "rebound.example"}, "host_refused"),
        ({"host": "rebound.example:7077"}, "host_refused"),
        ({"origin": "http://rebound.example"}, "origin_refused"),
        ({"origin": "null"}, "origin_refused"),
        ({"origin": "http://127.0.0.1.rebound.example"}, "origin_refused"),
    ],
)
async def test_rebinding_a_name_to_the_listener_reaches_no_operation(
    fort: Any, path: str, headers: dict[str, str], reason: str
) -> None:
    """With a good token, as a page would have that found one."""
    await fort.begin()

    async with fort.served(), fort.holds("authenticate", reason=reason):
        answer = await fort.raw("agent:ci", path, json.dumps(PATHS[path]), **headers)

    assert answer.status_code in {403, 421}
    assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_rebinding_with_two_host_headers_is_refused(fort: Any) -> None:
    await fort.begin()
    two = [("host", "127.0.0.1:7077"), ("host", "rebound.example"),
           ("authorization", f"Bearer {fort.secrets['agent:ci']}")]  # fmt: skip

    async with (
        fort.served(),
        fort.holds("authenticate", reason="host_refused"),
        fort.web(None) as web,
    ):
        answer = await web.post("/v1/ops/apply", json=PATHS["/v1/ops/apply"], headers=two)

    assert answer.status_code == 421


@pytest.mark.parametrize("name", ["access_token", "token", "q", "Authorization"])
@pytest.mark.parametrize(
    "path", ["/mcp", "/v1/ops/apply", "/v1/ops/x/events", "/healthz", "/graphs", "/nowhere"]
)
async def test_a_token_in_a_query_string_is_not_taken(fort: Any, path: str, name: str) -> None:
    await fort.begin()
    secret = fort.secrets["agent:ci"]
    method = "POST" if path in {"/mcp", "/v1/ops/apply"} else "GET"

    async with (
        fort.served(),
        fort.holds("authenticate", reason="secret_in_url"),
        fort.web(None) as web,
    ):
        answer = await web.request(method, f"{path}?{name}={secret}", json={})

    assert answer.status_code == 400
    assert secret not in answer.text


# --- credentials that are none ---------------------------------------------------------------------


async def _expired(fort: Any) -> str:
    now = fort.cluster.world.now()
    made = {"created_at": format_instant(now - timedelta(hours=2))}
    return str(
        await fort.token("sarah", **made, expires_at=format_instant(now - timedelta(hours=1)))
    )


async def _revoked(fort: Any) -> str:
    secret = await fort.token("sarah")
    await Tokens(fort.cluster.store, fort.cluster.world).revoke(
        token_id(secret) or "", reason="stolen", by="sarah"
    )
    return str(secret)


async def _of_another_audience(fort: Any) -> str:
    return str(await fort.token("sarah", audience="https://other.example"))


async def _of_another_cluster(fort: Any) -> str:
    twin = await type(fort)(fort.bench.path.parent / "twin", seed=1).begin()
    return str(twin.secrets["sarah"])


async def _of_another_cluster_copied(fort: Any) -> str:
    """Its record was even put into this root: its audience is the other cluster."""
    twin = await type(fort)(fort.bench.path.parent / "twin", seed=1).begin()
    secret = twin.secrets["sarah"]
    for key, data in twin.bench.objects.items():
        if token_id(secret) in key:
            fort.bench.objects[key] = data
    return str(secret)


async def _of_somebody_revoked(fort: Any) -> str:
    await fort.cluster.principals.revoke(
        principal_id="tom", reason="left", by="sarah", signer=key_of("sarah")
    )
    return str(fort.secrets["tom"])


async def _of_nobody(fort: Any) -> str:
    return str(await fort.token("mallory"))


async def _with_a_digit_more(fort: Any) -> str:
    return str(fort.secrets["sarah"]) + "A"


async def _the_digest_for_the_secret(fort: Any) -> str:
    """Whoever reads the store has the digests: none of them is a secret."""
    return f"agentctl_{token_id(fort.secrets['sarah'])}"


async def _guessed(_: Any) -> str:
    return "agentctl_" + "A" * 43


TOKENS: dict[str, Callable[[Any], Any]] = {
    "expired": _expired,
    "revoked": _revoked,
    "of another audience": _of_another_audience,
    "of another cluster": _of_another_cluster,
    "of another cluster, copied": _of_another_cluster_copied,
    "of somebody who was revoked": _of_somebody_revoked,
    "of somebody who is not enrolled": _of_nobody,
    "with a digit more": _with_a_digit_more,
    "the digest for the secret": _the_digest_for_the_secret,
    "guessed": _guessed,
}


@pytest.mark.parametrize("kind", TOKENS)
async def test_a_token_that_is_none_opens_neither_face(fort: Any, kind: str) -> None:
    await fort.begin()
    (fort.bench.path.parent / "twin").mkdir()
    secret = await TOKENS[kind](fort)

    async with fort.served(), fort.holds("authenticate"):
        over_http = await fort.post(secret, "apply", intent="x", in_="cluster")
        over_mcp = await fort.raw(secret, "/mcp", json.dumps(APPLY))

    assert (over_http.status_code, over_mcp.status_code) == (401, 401)
    assert secret not in over_http.text + over_mcp.text + str(over_mcp.headers)


@pytest.mark.parametrize(
    "header",
    ["Basic {}", "Token {}", "{}", "Bearer", "Bearer {} {}", "Bearer {},Bearer {}", "bearer\t{}"],
)
async def test_a_header_that_is_none_opens_nothing(fort: Any, header: str) -> None:
    await fort.begin()
    secret = fort.secrets["sarah"]
    given = header.replace("{}", secret)

    async with (
        fort.served(),
        fort.holds(unrecorded="where no token was read there is nobody to record, and no guess"),
        fort.web(None, authorization=given) as web,
    ):
        over_http = await web.post("/v1/ops/apply", json={"intent": "x", "in": "cluster"})
        over_mcp = await web.post("/mcp", json=APPLY)

    assert (over_http.status_code, over_mcp.status_code) == (401, 401)
    assert secret not in over_http.text + over_mcp.text


# --- bodies made to hurt -----------------------------------------------------------------------------

DEEP = 20_000
HURTFUL: dict[str, bytes] = {
    "too large": b'{"intent": "' + b"x" * (3 << 20) + b'"}',
    "lists too deep": b'{"gates": ' + b"[" * DEEP + b"]" * DEEP + b"}",
    "objects too deep": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "deep and never closed": b'{"a":' * DEEP,
    "a list": b"[1]",
    "no JSON": b"intent=x",
    "two documents": b'{"intent": "x"}{"intent": "y"}',
    "no UTF-8": b'{"intent": "\xff\xfe"}',
    "a lone surrogate": b'{"intent": "\\ud800", "in": "cluster"}',
    "a number without end": b'{"wait_s": ' + b"9" * 100_000 + b"}",
    "an infinity": b'{"intent": "x", "in": "cluster", "wait_s": 1e999}',
    "not a number": b'{"intent": "x", "in": "cluster", "wait_s": NaN}',
    "a wait without end": b'{"intent": "x", "in": "cluster", "wait_s": 100000000}',
}
BEFORE_THE_DOOR = "what cannot be read as arguments reaches no decision; bodies are not kept"


@pytest.mark.parametrize("kind", HURTFUL)
async def test_a_body_made_to_hurt_changes_nothing_over_http(fort: Any, kind: str) -> None:
    await fort.begin()

    async with fort.served(), fort.holds(unrecorded=BEFORE_THE_DOOR):
        answer = await fort.raw("agent:ci", "/v1/ops/apply", HURTFUL[kind])
        well = await fort.post("agent:ci", "status")

    assert 400 <= answer.status_code < 500, answer.text
    assert "Traceback" not in answer.text
    assert well.status_code == 200


@pytest.mark.parametrize("kind", HURTFUL)
async def test_arguments_made_to_hurt_change_nothing_over_mcp(fort: Any, kind: str) -> None:
    await fort.begin()
    body = json.dumps(APPLY).encode()
    sent = body.replace(json.dumps(APPLY["params"]["arguments"]).encode(), HURTFUL[kind])  # type: ignore[index]
    assert sent != body

    async with fort.served(), fort.holds(unrecorded=BEFORE_THE_DOOR):
        answer = await fort.raw("agent:ci", "/mcp", sent, **{"mcp-protocol-version": "2025-11-25"})
        well = await fort.post("agent:ci", "status")

    assert answer.status_code < 500
    assert "Traceback" not in answer.text
    assert well.status_code == 200


@pytest.mark.parametrize(
    ("body", "moved"),
    [
        (b'{"intent": "x", "in": "DRAFT", "in": "cluster"}', "cluster"),
        (b'{"intent": "x", "in": "cluster", "in": "DRAFT"}', "DRAFT"),
        (b'{"intent": "x", "in": "DRAFT", "\\u0069n": "cluster"}', "cluster"),
    ],
)
async def test_duplicated_keys_mean_one_thing_to_policy_and_to_what_runs(
    fort: Any, body: bytes, moved: str
) -> None:
    """Decided over is what is done, and recorded is what was decided over: the body is read once."""
    await fort.begin()
    draft = await fort.drafted(
        {"supply.gq": "// a draft\nquery d() { match { $p: Package } return { $p.name } }\n"}
    )
    before = len(await fort.records())

    async with fort.served():
        await fort.raw("agent:ci", "/v1/ops/apply", body.replace(b"DRAFT", draft.encode()))
    (record,) = [r for r in (await fort.records())[before:] if r.action == "cluster_apply"]
    applied = (await fort.cluster.ledger.head()).envelope.state.applied_revision.resources

    assert record.resource == ("cluster" if moved == "cluster" else f"draft:{draft}")
    assert ("query.supply.d" in applied) is (moved == "DRAFT")


async def test_duplicated_keys_make_no_decision_of_a_forgery(fort: Any) -> None:
    """A decision has one form: what says two things is none."""
    await fort.begin()
    request = await fort.without_spare()
    twice = f'{{"decision":"deny","decision":"approve","request_id":"{request.request_id}"}}'

    async with fort.served(), fort.holds("approval_submit", decision="allow"):
        answer = await fort.post("agent:ci", "submit_decision", decision=twice, intent="x")

    assert not answer.json()["ok"]


async def test_duplicated_keys_in_a_draft_of_the_cluster_are_refused(fort: Any) -> None:
    await fort.begin()
    text = "version: 1\nmetadata: {name: b}\npolicies: {}\npolicies: {p: {file: p.cedar, applies_to: [cluster]}}\n"

    async with (
        fort.served(),
        fort.mcp("agent:ci") as tool,
        fort.holds("draft_edit", decision="allow", moves=("sandboxes/",)),
    ):
        edited = await tool("draft_edit", path="cluster.yaml", content=text)

    assert edited["data"]["valid"] is False
    assert "duplicate_yaml_key" in {d["code"] for d in edited["diagnostics"]}


async def test_duplicated_keys_in_rows_are_refused(fort: Any) -> None:
    await fort.begin()
    row = '{"type": "Package", "data": {"name": "a", "name": "b"}}\n'

    async with fort.served(), fort.holds("change", decision="allow", runs=True):
        answer = await fort.post(
            "agent:ci", "load_rows", graph="supply", rows=row, intent="x", idempotency_key="k"
        )

    assert not answer.json()["ok"]


# --- floods --------------------------------------------------------------------------------------------


async def test_a_flood_of_denials_costs_one_record_and_is_told_with_its_number(fort: Any) -> None:
    await fort.begin()
    request = await fort.without_spare()
    before = len(await fort.records())

    async with fort.served(), fort.holds("approval_decide", reason="human_only"):
        statuses = set()
        for _ in range(300):
            answer = await fort.post("agent:ci", "decide", request_id=request.request_id)
            statuses.add(answer.status_code)
            fort.bench.world.advance(0.05)
    records = [r for r in (await fort.records())[before:] if r.action == "approval_decide"]

    assert statuses <= {403, 429}
    assert len(records) <= 2, "the first at once, the others as a count"
    assert sum(getattr(r, "count", None) or 1 for r in records) > 100


async def test_a_flood_of_guessed_tokens_is_slowed_and_keeps_no_good_token_out(fort: Any) -> None:
    await fort.begin()
    before = len(await fort.records())

    async with fort.served(), fort.holds("authenticate"):
        statuses = [
            (await fort.post(f"agentctl_{n:043d}", "status")).status_code for n in range(200)
        ]
        well = await fort.post("agent:ci", "status")

    assert set(statuses) == {401, 429}
    assert well.status_code == 200
    assert len(await fort.records()) - before <= 3


async def test_a_flood_of_requests_to_humans_is_bounded(fort: Any) -> None:
    """Who is asked at every turn says yes at last: an agent has five questions open, no more."""
    names = [f"g{n}" for n in range(8)]
    await fort.begin(folder_files("supply", "spare", *names))
    gone = {f"{n}.{end}": None for n in names for end in ("pg", "gq")}
    fort.bench.write({**gone, "cluster.yaml": cluster_yaml("supply", "spare")})

    async with fort.served(), fort.mcp("agent:ci") as tool:
        asked = [
            await tool("approve", gate=f"graph.{n}", intent="please", idempotency_key=n)
            for n in names
        ]
    records = [r for r in await fort.records() if r.action == "approval_request"]

    assert [one["ok"] for one in asked] == [True] * 5 + [False] * 3
    assert len(records) >= len(names)
