"""`POST /v1/ops/{operation}`: any operation, through the door, as whom the token names."""

from typing import Any

import httpx2
import pytest

from agentctl.faces.http.body import BODY_BYTES_MAX, DEPTH_MAX, depth_of
from agentctl.faces.http.problems import status_of
from agentctl_tools.catalog import CONSENT_WORDS, OPERATIONS
from agentctl_tools.envelopes import refused
from agentctl_tools.operation import Envelope
from agentctl_tools.projections import HTTP_FORCED, HTTP_LEFT_OUT

Post = Any
CONSENTS = sorted(
    {o.name for o in OPERATIONS.values() if o.operation_class == "human_only"} | set(CONSENT_WORDS)
)


def code(answer: httpx2.Response) -> str:
    found: str = answer.json()["diagnostics"][0]["code"]
    return found


async def test_a_read_is_answered_in_the_envelope_and_leaves_no_record(
    house: Any, posted: Post
) -> None:
    await house.begin()
    before = await house.cluster.audit.head()

    async with house.served() as client:
        answer = await posted(client, "status")

    assert answer.status_code == 200
    assert set(answer.json()) == {"ok", "summary", "next", "data", "diagnostics", "more"}
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert await house.cluster.audit.head() == before


async def test_a_change_is_recorded_as_the_agents_on_behalf_of_its_human(
    house: Any, posted: Post
) -> None:
    await house.begin()

    async with house.served() as client:
        answer = await posted(client, "apply", intent="make it so", **{"in": "cluster"})

    assert answer.json()["ok"], answer.json()
    record = next(r for r in reversed(await house.records()) if r.action == "cluster_apply")
    assert (record.actor.identity, record.on_behalf_of) == ("agent:ci", "sarah")
    op = await house.cluster.journal.get(answer.json()["data"]["op"])
    assert (op.on_behalf_of, op.actor.identity) == ("sarah", "agent:ci")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Basic YTpi"},
        {"authorization": "Bearer "},
        {"authorization": f"Bearer {'x' * 20_000}"},
        [("authorization", "Bearer a"), ("authorization", "Bearer b")],
    ],
    ids=["none", "basic", "empty", "endless", "two"],
)
async def test_without_one_bearer_token_nobody_is_known(house: Any, headers: Any) -> None:
    await house.begin()

    async with house.served(who="nobody") as client:
        answer = await client.post("/v1/ops/status", json={}, headers=headers)

    assert (answer.status_code, code(answer)) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"] == 'Bearer realm="agentctl"'


async def test_a_false_token_is_recorded_and_neither_told_nor_kept(
    house: Any, posted: Post
) -> None:
    await house.begin()
    false = f"agentctl_{'Z' * 43}"
    house.secrets["thief"] = false

    async with house.served("thief") as client:
        answers = [await posted(client, "status") for _ in range(10)]

    assert {(a.status_code, code(a)) for a in answers} == {(401, "token_invalid")}
    assert all('error="invalid_token"' in a.headers["www-authenticate"] for a in answers)
    assert all(false not in a.text for a in answers)
    tried = [r for r in await house.records() if r.action == "authenticate"]
    assert len(tried) == 1, "a flood costs one record a minute"
    assert (tried[0].decision, tried[0].reason) == ("deny", "token_invalid")
    stored = b"".join(data for _, data in await house.cluster.audit.records())
    assert false.encode() not in stored


async def test_a_revoked_principals_token_is_worth_nothing(house: Any, posted: Post) -> None:
    await house.begin()

    async with house.served() as client:
        before = await posted(client, "status")
        await house.cluster.principals.revoke(
            principal_id="agent:ci", reason="gone", by="sarah", signer=_key("sarah")
        )
        after = await posted(client, "status")

    assert (before.status_code, after.status_code) == (200, 401)


@pytest.mark.parametrize("name", CONSENTS)
@pytest.mark.parametrize("who", ["ci", "sarah"])
async def test_a_token_consents_to_nothing_not_even_a_humans(
    house: Any, posted: Post, name: str, who: str
) -> None:
    await house.begin()

    async with house.served(who) as client:
        answer = await posted(client, name)

    assert (answer.status_code, code(answer)) == (403, "human_only")
    denied = (await house.records())[-1]
    assert (denied.decision, denied.reason) == ("deny", "human_only")
    assert denied.actor.identity == {"ci": "agent:ci", "sarah": "sarah"}[who]


@pytest.mark.parametrize("name", sorted(HTTP_LEFT_OUT))
async def test_what_is_about_the_operators_own_machine_has_no_route(
    house: Any, posted: Post, name: str
) -> None:
    await house.begin()

    async with house.served("sarah") as client:
        answer = await posted(client, name)

    assert (answer.status_code, code(answer)) == (404, "unknown_operation")
    assert HTTP_LEFT_OUT[name] in answer.json()["diagnostics"][0]["message"]


async def test_an_unknown_operation_is_not_found_and_a_near_one_is_named(
    house: Any, posted: Post
) -> None:
    await house.begin()

    async with house.served() as client:
        answer = await posted(client, "statsu")

    assert (answer.status_code, code(answer)) == (404, "unknown_operation")
    assert "`status`" in answer.json()["diagnostics"][0]["remedy"]


async def test_a_reconciler_is_not_left_running_by_a_request(house: Any, posted: Post) -> None:
    await house.begin()
    assert dict(HTTP_FORCED["reconcile"]) == {"once": True}

    async with house.served() as client:
        endless = await posted(client, "reconcile", intent="for ever", once=False)
        once = await posted(client, "reconcile", intent="once")

    assert (endless.status_code, code(endless)) == (400, "invalid_arguments")
    assert once.json()["ok"], once.json()


async def test_a_token_to_look_with_changes_nothing(house: Any, posted: Post) -> None:
    await house.begin()
    house.secrets["looker"] = await house.token("agent:ci", scopes=("look",))

    async with house.served("looker") as client:
        looked = await posted(client, "status")
        applied = await posted(client, "apply", intent="try", **{"in": "cluster"})

    assert looked.status_code == 200
    assert (applied.status_code, code(applied)) == (403, "scope_missing")


async def test_the_header_of_the_key_makes_a_repeated_request_the_same_one(house: Any) -> None:
    await house.begin()
    body = {"intent": "make it so", "in": "cluster"}
    headers = {"idempotency-key": "k1"}

    async with house.served() as client:
        first = await client.post("/v1/ops/apply", json=body, headers=headers)
        again = await client.post("/v1/ops/apply", json=body, headers=headers)

    assert first.json()["data"]["op"] == again.json()["data"]["op"]
    assert len([r for r in await house.cluster.journal.list(50) if r.action == "apply"]) == 1


@pytest.mark.parametrize(
    ("content", "kind", "status", "told"),
    [
        (b"{", "application/json", 400, "no JSON"),
        (b"[]", "application/json", 400, "no JSON object"),
        (b'{"a": 1}', "text/plain", 400, "Content-Type"),
        (b'{"in": "\xff"}', "application/json", 400, "no JSON"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "application/json", 400, "nested deeper"),
        (b'{"a": "' + b"x" * BODY_BYTES_MAX + b'"}', "application/json", 413, "larger than"),
    ],
    ids=["broken", "list", "text", "not utf-8", "deep", "large"],
)
async def test_a_body_that_is_no_arguments_is_refused_whole(
    house: Any, content: bytes, kind: str, status: int, told: str
) -> None:
    await house.begin()

    async with house.served() as client:
        answer = await client.post(
            "/v1/ops/validate", content=content, headers={"content-type": kind}
        )

    assert answer.status_code == status
    assert told in answer.json()["diagnostics"][0]["message"]


async def test_a_body_that_does_not_say_how_long_it_is_is_cut_where_it_is_too_long(
    house: Any,
) -> None:
    await house.begin()

    async def endless() -> Any:
        while True:
            yield b" " * 65_536

    async with house.served() as client:
        answer = await client.post(
            "/v1/ops/validate", content=endless(), headers={"content-type": "application/json"}
        )

    assert (answer.status_code, code(answer)) == (413, "body_too_large")


def test_the_depth_of_a_body_is_seen_without_decoding_it() -> None:
    assert depth_of(b'{"a": [1, {"b": "[[[[{{{{\\"[["}]}') == 3
    assert depth_of(b"[" * 100_000) == 100_000 > DEPTH_MAX
    assert depth_of(b'"[[[') == 3, "an open text hides nothing"
    assert depth_of(b'"\\"[') == 1, "nor does one that ends escaped"


def test_a_body_full_of_quotes_is_read_once() -> None:
    body = b'"' + b'\\"' * (BODY_BYTES_MAX // 2 - 1)

    assert len(body) <= BODY_BYTES_MAX
    assert depth_of(body) == 0  # an hour of everybody's, where each quote begins a text anew


async def test_a_bug_is_told_as_one_and_its_trace_stays_on_this_side(
    house: Any, posted: Post, caplog: pytest.LogCaptureFixture
) -> None:
    await house.begin()

    async def broken(*_: object, **__: object) -> Envelope:
        msg = "the secret is 12345"
        raise RuntimeError(msg)

    async with house.served(door=broken) as client:
        answer = await posted(client, "status")

    assert (answer.status_code, code(answer)) == (500, "internal_error")
    assert "12345" not in answer.text
    assert "RuntimeError" in caplog.text


async def test_a_server_that_is_being_stopped_takes_no_new_request(
    house: Any, posted: Post
) -> None:
    await house.begin()
    house.stopping = True

    async with house.served() as client:
        answer = await posted(client, "status")

    assert (answer.status_code, code(answer)) == (503, "server_stopping")


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ("invalid_arguments", 400),
        ("token_expired", 401),
        ("denied", 403),
        ("frozen", 403),
        ("query_not_found", 404),
        ("plan_stale", 409),
        ("body_too_large", 413),
        ("query_typecheck_error", 422),
        ("rate_limited", 429),
        ("internal_error", 500),
        ("audit_unavailable", 503),
    ],
)
def test_the_status_is_that_of_the_weightiest_error(told: str, status: int) -> None:
    alone = refused(told, "x", "no")
    beside: Any = {"diagnostics": (*alone.diagnostics, *_typed().diagnostics)}

    assert status_of(alone) == status
    assert status_of(Envelope(ok=False, summary="no", **beside)) == status
    assert status_of(Envelope(ok=True, summary="yes", diagnostics=alone.diagnostics)) == 200


def _typed() -> Envelope:
    return refused("query_typecheck_error", "x", "no")


def _key(name: str) -> Any:
    from agentctl.testing.consent import key_of

    return key_of(name)
