"""Named forgeries: whoever can write files, or hand in decisions, still cannot consent.

Each forger here may write any object of the storage root and holds every key but an enrolled
human's. None of them opens the gate.
"""

import base64
from collections.abc import Callable
from typing import Any

import anyio
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.adapters.keys.signer import SeedSigner
from agentctl.adapters.keys.sshsig import verify
from agentctl.canonical import canonical_bytes
from agentctl.domain.approval.codec import artifact_key, encode, request_key
from agentctl.domain.approval.decision import (
    approval_id_of,
    check_artifact,
    decision_bytes,
    decision_statement,
    make_artifact,
    statement_of,
)
from agentctl.domain.approval.machine import reviews
from agentctl.domain.approval.records import (
    GATE_NAMESPACE,
    ApprovalRequest,
    DecisionArtifact,
    Needs,
    Seen,
    Verdict,
)
from agentctl.domain.plan.statement import Effect, Tolerance, gate_digest, gate_key
from agentctl.domain.policy.principals import (
    PRINCIPALS_NAMESPACE,
    FirstHuman,
    Principal,
    Registry,
)
from agentctl.ids import ulid
from agentctl.instants import milliseconds, parse_instant
from agentctl.testing.consent import PLAN, Consent, caller, consent, key_of

OTHER_ID = "01KAAAAAAAAAAAAAAAAAAAAAAA"


def put(bench: Consent, *records: ApprovalRequest | DecisionArtifact) -> None:
    """Writes records over whatever is there, as an agent with a shell could."""
    for record in records:
        if isinstance(record, ApprovalRequest):
            bench.store.objects[request_key(record.request_id)] = encode(record)
        else:
            bench.store.objects[artifact_key(record.approval_id)] = encode(record)


def forge(
    request: ApprovalRequest,
    *,
    signer: SeedSigner,
    approver: str = "sarah",
    verdict: Verdict = "approve",
    namespace: str = GATE_NAMESPACE,
    decided_at: str | None = None,
    as_key: str | None = None,
) -> DecisionArtifact:
    """Returns an artifact that is right in all but what *signer* and the rest make wrong."""
    statement = decision_statement(
        request,
        decision=verdict,
        reason=None,
        approver=approver,
        decided_at=decided_at or request.created_at,
        seen=Seen(plan_digest=PLAN, ledger_seq=0, audit_head=None, audit_length=0),
    )
    _, signature = signer.sign(decision_bytes(statement), namespace)
    human = Principal(id=approver, kind="human", key=as_key or signer.key, assurance="file")
    return make_artifact(request, statement, human, signature)


def renumbered(request: ApprovalRequest, at: str) -> ApprovalRequest:
    """Returns a copy of *request* as if it had been filed at another time."""
    new_id = ulid(milliseconds(parse_instant(at)), b"0123456789")
    return msgspec.structs.replace(request, request_id=new_id, created_at=at)


async def opens(bench: Consent, **gate: Any) -> bool:
    wanted = bench.gate(**gate)
    return (await bench.approvals.standings((wanted,)))[wanted.key].state == "approved"


async def submitted(bench: Consent, artifact: DecisionArtifact | bytes) -> object:
    data = artifact if isinstance(artifact, bytes) else encode(artifact)
    return await bench.approvals.submit(data, caller=bench.agent)


async def is_refused(bench: Consent, artifact: DecisionArtifact) -> bool:
    """Returns whether the artifact is refused when handed in, and counts for nothing as a file."""
    answer = await submitted(bench, artifact)
    put(bench, artifact)
    return isinstance(answer, tuple) and not await opens(bench)


async def test_the_forger_of_these_tests_would_succeed_with_the_humans_key() -> None:
    bench = await consent()
    request = await bench.ask()

    answer = await submitted(bench, forge(request, signer=key_of("sarah")))

    assert isinstance(answer, DecisionArtifact)
    assert await opens(bench)


async def test_a_decision_of_another_cluster_with_the_same_resources_and_people() -> None:
    bench, other = await consent(seed="one"), await consent(seed="two")
    request = await other.ask()
    artifact = await other.decide(request)
    mine = await bench.ask()
    moved = msgspec.structs.replace(artifact, request_id=mine.request_id)

    put(bench, request, artifact, moved)

    assert bench.cluster_id != other.cluster_id
    assert isinstance(await submitted(bench, artifact), tuple)
    assert isinstance(await submitted(bench, moved), tuple)
    assert not await opens(bench)
    assert [r.request_id for r in await bench.approvals.open_requests()] == [mine.request_id]


async def test_a_decision_about_another_incarnation() -> None:
    bench = await consent()
    request = await bench.ask()
    artifact = await bench.decide(request)
    statement = msgspec.structs.replace(request.statement, incarnation=OTHER_ID)
    edited = msgspec.structs.replace(
        request,
        statement=statement,
        gate_digest=gate_digest(statement),
        gate_key=gate_key(statement),
    )
    put(
        bench,
        edited,
        msgspec.structs.replace(artifact, gate_digest=edited.gate_digest),
    )

    assert not await opens(bench, incarnation=OTHER_ID)


async def test_a_request_whose_statement_was_edited_under_its_old_digest() -> None:
    bench = await consent()
    request = await bench.ask()
    await bench.decide(request)
    put(
        bench,
        msgspec.structs.replace(
            request,
            statement=msgspec.structs.replace(
                request.statement, tolerance=Tolerance(percent=10_000, rows=10**9)
            ),
        ),
    )

    assert not await opens(bench)
    assert not await opens(bench, rows={"Package": 10_000, "Uses": 20})


@pytest.mark.parametrize("namespace", [PRINCIPALS_NAMESPACE, "agentctl-consent-v1", "file", "git"])
async def test_a_signature_made_for_something_else(namespace: str) -> None:
    bench = await consent()
    request = await bench.ask()

    assert await is_refused(bench, forge(request, signer=key_of("sarah"), namespace=namespace))


async def test_a_signature_over_other_bytes_of_the_same_meaning() -> None:
    bench = await consent()
    artifact = forge(await bench.ask(), signer=key_of("sarah"))
    pretty = msgspec.json.format(decision_bytes(statement_of(artifact)), indent=2)
    _, signature = key_of("sarah").sign(pretty, GATE_NAMESPACE)

    assert await is_refused(bench, msgspec.structs.replace(artifact, signature=signature))


async def test_a_substituted_principals_chain() -> None:
    bench = await consent()
    request = await bench.ask()
    for key in [k for k in bench.store.objects if "/principals/" in k]:
        del bench.store.objects[key]
    mallory = FirstHuman(id="sarah", key=key_of("mallory").key, assurance="file")
    await bench.principals.genesis(human=mallory, signer=key_of("mallory"))

    answer = await bench.approvals.decide(
        caller("sarah"),
        request.request_id,
        verdict="approve",
        reason=None,
        signer=key_of("mallory"),
    )
    put(bench, forge(request, signer=key_of("mallory")))

    assert isinstance(answer, tuple)
    assert not await opens(bench)


async def test_a_key_that_stands_twice() -> None:
    bench = await consent()
    request = await bench.ask()
    data = encode(forge(request, signer=key_of("sarah"), verdict="deny"))
    twice = data.replace(b'"decision":"deny"', b'"decision":"approve","decision":"deny"')
    assert twice != data

    answer = await submitted(bench, twice)
    bench.store.objects[artifact_key(OTHER_ID)] = twice

    assert isinstance(answer, tuple)
    assert [d.code for d in answer] == ["invalid_approval_artifact"]
    assert not await opens(bench)


@pytest.mark.parametrize(
    "rewrite",
    [
        pytest.param(lambda d: d + b" ", id="a space behind it"),
        pytest.param(lambda d: d.replace(b",", b", "), id="spaces within"),
        pytest.param(lambda d: b"\xef\xbb\xbf" + d, id="a byte order mark"),
        pytest.param(lambda d: d.replace(b'"deny"', b'"den\\u0079"'), id="an escape"),
        pytest.param(
            lambda d: d.replace(b'"schema_version":2', b'"schema_version":2.0'), id="a float"
        ),
        pytest.param(
            lambda d: d.replace(b'"schema_version":2', b'"schema_version":1'), id="a version"
        ),
        pytest.param(lambda d: d[:-1] + b',"zz":1}', id="a field more"),
        pytest.param(lambda d: d.replace(b'"consumed_at":null,', b""), id="a field less"),
        pytest.param(lambda d: b"[" + d + b"]", id="another shape"),
        pytest.param(lambda d: d[:40], id="half of it"),
    ],
)
async def test_bytes_that_are_not_the_canonical_form(rewrite: Callable[[bytes], bytes]) -> None:
    bench = await consent()
    data = encode(forge(await bench.ask(), signer=key_of("sarah"), verdict="deny"))
    assert rewrite(data) != data

    answer = await submitted(bench, rewrite(data))

    assert isinstance(answer, tuple)
    assert answer[0].code in {"invalid_approval_artifact", "unsupported_approval_version"}
    assert (await bench.approvals.records()).artifacts == ()


async def test_a_denial_turned_into_an_approval() -> None:
    bench = await consent()
    artifact = await bench.decide(await bench.ask(), "deny")
    turned = msgspec.structs.replace(artifact, decision="approve")
    renamed = msgspec.structs.replace(turned, approval_id=approval_id_of(statement_of(turned)))
    bench.store.objects.pop(artifact_key(artifact.approval_id))

    assert await is_refused(bench, turned)
    assert await is_refused(bench, renamed)


async def test_a_statement_used_again_under_another_request() -> None:
    bench = await consent()
    request = await bench.ask()
    artifact = await bench.decide(request)
    await bench.approvals.consume(artifact.approval_id, op="op", ledger_seq=1)
    copied = renumbered(request, "2026-11-21T03:29:00.000Z")
    moved = msgspec.structs.replace(artifact, request_id=copied.request_id)
    renamed = msgspec.structs.replace(moved, approval_id=ulid(1, b"0123456789"))

    put(bench, copied, renamed)
    assert not await opens(bench)
    put(bench, copied, moved)
    assert not await opens(bench)


async def test_a_used_decision_whose_records_were_wiped_and_written_again() -> None:
    """The ledger knows it by an id that follows from what was signed."""
    bench = await consent()
    request = await bench.ask()
    artifact = await bench.decide(request)
    copied = renumbered(request, request.created_at)
    for key in [k for k in bench.store.objects if "/approvals/" in k]:
        del bench.store.objects[key]
    put(bench, copied, msgspec.structs.replace(artifact, request_id=copied.request_id))

    records = await bench.approvals.records()
    used = msgspec.structs.replace(records, used=frozenset({artifact.approval_id}))
    registry = await bench.principals.registry()
    (review,) = reviews(used, registry, bench.world.now(), verify)

    assert review.state == "consumed"


async def test_a_decision_signed_with_a_key_that_was_revoked() -> None:
    bench = await consent()
    request = await bench.ask()
    artifact = forge(request, signer=key_of("tom"), approver="tom")
    await bench.principals.revoke(
        principal_id="tom", reason="lost", by="sarah", signer=key_of("sarah")
    )

    assert await is_refused(bench, artifact)


@pytest.mark.parametrize("reason", ["because", "", "not now "])
async def test_an_edited_reason(reason: str) -> None:
    bench = await consent()
    artifact = await bench.decide(await bench.ask(), reason="not now")
    edited = msgspec.structs.replace(artifact, reason=reason)
    bench.store.objects.pop(artifact_key(artifact.approval_id))

    assert await is_refused(bench, edited)
    assert await is_refused(
        bench, msgspec.structs.replace(edited, approval_id=approval_id_of(statement_of(edited)))
    )


@pytest.mark.parametrize("approver", ["s\u0430rah", "Sarah", "sarah ", "sarah\u200b"])
async def test_an_approver_whose_id_looks_like_anothers(approver: str) -> None:
    bench = await consent()
    request = await bench.ask()

    assert await is_refused(bench, forge(request, signer=key_of("sarah"), approver=approver))
    assert await is_refused(bench, forge(request, signer=key_of("mallory"), approver=approver))


@pytest.mark.parametrize("name", ["01kaaaaaaaaaaaaaaaaaaaaaaa", "01KAAAAAAAAAAAAAAAAAAAAAAO", "x"])
async def test_a_request_whose_id_looks_like_anothers(name: str) -> None:
    bench = await consent()
    request = await bench.ask()
    copied = msgspec.structs.replace(request, request_id=name)
    bench.store.objects[f"__cluster/approvals/{name}.request.json"] = encode(copied)

    assert await bench.approvals.open_requests() == (request,)
    assert len((await bench.approvals.records()).diagnostics) == 1


async def test_a_signature_that_was_encoded_again() -> None:
    bench = await consent()
    artifact = forge(await bench.ask(), signer=key_of("sarah"))
    begin, *body, end = artifact.signature.rstrip("\n").split("\n")
    text = "".join(body)
    one_line = "\n".join((begin, text, end, ""))
    longer = "\n".join((begin, base64.b64encode(base64.b64decode(text) + b"\0").decode(), end, ""))

    assert await is_refused(bench, msgspec.structs.replace(artifact, signature=one_line))
    assert await is_refused(bench, msgspec.structs.replace(artifact, signature=longer))


async def test_a_signature_of_another_decision() -> None:
    bench = await consent()
    one = await bench.decide(await bench.ask(bench.gate("one")))
    two = forge(await bench.ask(), signer=key_of("mallory"), as_key=key_of("sarah").key)

    assert await is_refused(bench, msgspec.structs.replace(two, signature=one.signature))


async def test_a_decision_moved_to_another_request() -> None:
    bench = await consent()
    one = await bench.decide(await bench.ask(bench.gate("one")))
    two = await bench.ask()

    assert await is_refused(bench, msgspec.structs.replace(one, request_id=two.request_id))


async def test_a_decision_under_another_file_name() -> None:
    bench = await consent()
    artifact = forge(await bench.ask(), signer=key_of("sarah"))
    bench.store.objects[artifact_key(OTHER_ID)] = encode(artifact)

    assert not await opens(bench)
    (told,) = (await bench.approvals.records()).diagnostics
    assert told.code == "invalid_approval_artifact"


async def test_an_agent_who_signs_with_its_own_enrolled_key() -> None:
    bench = await consent()
    request = await bench.ask()
    agent = key_of("agent:sarah")

    assert await is_refused(bench, forge(request, signer=agent, approver="agent:sarah"))
    assert await is_refused(bench, forge(request, signer=agent, approver="sarah"))
    assert await is_refused(
        bench, forge(request, signer=agent, approver="sarah", as_key=key_of("sarah").key)
    )


async def test_a_stranger_who_signs_in_a_humans_name() -> None:
    bench = await consent()
    request = await bench.ask()

    assert await is_refused(bench, forge(request, signer=key_of("mallory")))
    assert await is_refused(bench, forge(request, signer=key_of("mallory"), approver="mallory"))


async def test_one_human_who_signs_in_anothers_name() -> None:
    bench = await consent()

    assert await is_refused(bench, forge(await bench.ask(), signer=key_of("tom"), approver="sarah"))


@pytest.mark.parametrize(
    "change",
    [
        {"assurance": "touch"},
        {"assurance": "demo"},
        {"self_requested": False},
        {"approved_by": "tom"},
        {"created_at": "2026-11-20T00:00:00.000Z"},
        {"resource": "graph.supply"},
        {"operation": "update"},
        {"bound_before_digest": "b" * 64},
        {"bound_after_digest": "b" * 64},
        {"bound_config_digest": "b" * 64},
        {"approval_id": OTHER_ID},
    ],
)
async def test_a_field_of_the_artifact_that_is_not_signed_but_follows(
    change: dict[str, Any],
) -> None:
    bench = await consent()
    artifact = forge(await bench.ask(), signer=key_of("sarah"))

    assert await is_refused(bench, msgspec.structs.replace(artifact, **change))


@pytest.mark.parametrize(
    "change",
    [
        {"needs": Needs(count=0)},
        {"plan_digest": "e" * 64},
        {"config_digest": "e" * 64},
        {"requester": "tom"},
        {"on_behalf_of": None},
        {"expires_at": "2027-11-22T03:30:00.000Z"},
        {"created_at": "2026-11-23T03:30:00.000Z"},
    ],
)
async def test_a_request_edited_around_its_statement(change: dict[str, Any]) -> None:
    bench = await consent()
    request = await bench.ask()
    await bench.decide(request)

    put(bench, msgspec.structs.replace(request, **change))

    assert not await opens(bench)


async def test_a_request_that_needs_nobody() -> None:
    bench = await consent()
    put(bench, msgspec.structs.replace(await bench.ask(), needs=Needs(count=0)))

    assert not await opens(bench)


@pytest.mark.parametrize(
    "decided_at", ["2026-11-22T03:30:00.001Z", "2026-11-21T03:29:59.999Z", "now", "2026-11-21"]
)
async def test_a_decision_outside_the_life_of_its_request(decided_at: str) -> None:
    bench = await consent()
    request = await bench.ask()
    artifact = forge(request, signer=key_of("sarah"))
    if decided_at.endswith("Z"):
        artifact = forge(request, signer=key_of("sarah"), decided_at=decided_at)
    else:
        artifact = msgspec.structs.replace(artifact, decided_at=decided_at, created_at=decided_at)

    assert await is_refused(bench, artifact)


async def test_a_decision_signed_in_the_future() -> None:
    bench = await consent()
    artifact = forge(
        await bench.ask(), signer=key_of("sarah"), decided_at="2026-11-21T09:00:00.000Z"
    )

    answer = await submitted(bench, artifact)

    assert isinstance(answer, tuple)
    assert "future" in answer[0].message


async def test_a_demo_key_counts_only_in_the_cluster_that_enrolled_it() -> None:
    demo = await consent(seed="demo")
    demo.store.objects.clear()
    human = FirstHuman(id="sarah", key=key_of("demo").key, assurance="demo")
    demo.cluster_id = (await demo.principals.genesis(human=human, signer=key_of("demo"))).cluster_id
    decided = await demo.approvals.decide(
        caller("sarah"),
        (await demo.ask()).request_id,
        verdict="approve",
        reason=None,
        signer=key_of("demo"),
    )
    assert isinstance(decided, DecisionArtifact)
    assert decided.assurance == "demo"
    assert await opens(demo)

    bench = await consent()
    request = await bench.ask()
    put(bench, *(await demo.approvals.records()).requests, decided)
    assert not await opens(bench)
    assert await is_refused(bench, forge(request, signer=key_of("demo")))


async def test_a_human_who_was_revoked_decides_nothing_at_a_terminal_either() -> None:
    bench = await consent()
    request = await bench.ask()
    await bench.principals.revoke(
        principal_id="tom", reason="left", by="sarah", signer=key_of("sarah")
    )

    answer = await bench.approvals.decide(
        caller("tom"), request.request_id, verdict="approve", reason=None, signer=key_of("tom")
    )

    assert isinstance(answer, tuple)
    assert answer[0].code == "human_key_missing"


@pytest.mark.parametrize(
    ("who", "code"),
    [
        pytest.param(caller("agent:sarah", "agent", "mcp"), "human_only", id="an agent"),
        pytest.param(caller("agent:sarah", "agent", "cli"), "human_only", id="an agent's shell"),
        pytest.param(
            caller("sarah", "agent", "cli", enrolled=True), "human_only", id="an agent so named"
        ),
        pytest.param(caller("sarah", "human", "mcp"), "human_only", id="a human over MCP"),
        pytest.param(caller("sarah", "human", "http"), "human_only", id="a human's token"),
        pytest.param(caller("sarah", "service", "cli"), "human_only", id="a service"),
        pytest.param(
            caller("local:sarah", enrolled=False), "human_key_missing", id="an implicit operator"
        ),
        pytest.param(
            caller("sarah", enrolled=False), "human_key_missing", id="a human who is not known"
        ),
        pytest.param(caller("eve"), "human_key_missing", id="one who only says they are enrolled"),
        pytest.param(caller("agent:sarah"), "human_key_missing", id="an agent who says human"),
    ],
)
async def test_nobody_but_an_enrolled_human_at_a_terminal_decides_even_with_the_key_at_hand(
    who: Any, code: str
) -> None:
    bench = await consent()
    request = await bench.ask()

    answer = await bench.approvals.decide(
        who, request.request_id, verdict="approve", reason=None, signer=key_of("sarah")
    )

    assert isinstance(answer, tuple)
    assert answer[0].code == code
    assert (await bench.approvals.records()).artifacts == ()


@pytest.mark.parametrize("name", ["tom", "agent:sarah", "mallory"])
async def test_a_human_with_another_key_than_their_own_signs_nothing(name: str) -> None:
    bench = await consent()
    request = await bench.ask()

    answer = await bench.approvals.decide(
        bench.sarah, request.request_id, verdict="approve", reason=None, signer=key_of(name)
    )

    assert isinstance(answer, tuple)
    assert answer[0].code == "signature_invalid"


class LyingSigner:
    """Says it is one key and signs with another."""

    key = key_of("sarah").key

    def sign(self, data: bytes, namespace: str) -> tuple[str, str]:
        return self.key, key_of("mallory").sign(data, namespace)[1]


async def test_a_signer_that_claims_a_humans_key_and_has_another() -> None:
    bench = await consent()
    request = await bench.ask()

    answer = await bench.approvals.decide(
        bench.sarah, request.request_id, verdict="approve", reason=None, signer=LyingSigner()
    )

    assert isinstance(answer, tuple)
    assert answer[0].code == "signature_invalid"
    assert not await opens(bench)


async def test_a_good_decision_may_be_handed_in_by_anybody_and_twice() -> None:
    bench = await consent()
    data = encode(forge(await bench.ask(), signer=key_of("tom"), approver="tom"))

    first = await submitted(bench, data + b"\n")
    again = await submitted(bench, data)

    assert isinstance(first, DecisionArtifact)
    assert first == again
    assert await opens(bench)


# What is signed, field by field.

OTHER_TEXT = st.text(st.characters(codec="utf-8"), max_size=80)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "classes": st.lists(
        st.sampled_from(["narrowing", "irreversible", "authority"]), unique=True
    ).map(lambda found: tuple(sorted(found))),
    "operation": st.sampled_from(["create", "update", "delete"]),
    "effect": st.builds(
        Effect,
        rows=st.dictionaries(st.sampled_from(["Package", "Uses", "X"]), st.integers(0, 10**6)),
        bytes=st.integers(0, 2**40),
        last_write=st.none() | OTHER_TEXT,
        commit=st.none() | OTHER_TEXT,
        pins=st.lists(OTHER_TEXT, max_size=3).map(tuple),
        archives=st.lists(OTHER_TEXT, max_size=3).map(tuple),
    ),
    "dependents": st.lists(OTHER_TEXT, max_size=3).map(tuple),
    "readers": st.lists(OTHER_TEXT, max_size=3).map(tuple),
    "tolerance": st.builds(Tolerance, percent=st.integers(0, 100), rows=st.integers(0, 10**6)),
    "after": st.none() | OTHER_TEXT,
    "on_behalf_of": st.none() | OTHER_TEXT,
    "incarnation": st.none() | OTHER_TEXT,
    "migration_digest": st.none() | OTHER_TEXT,
    "decision": st.sampled_from(["approve", "deny", "request_changes"]),
    "reason": st.none() | OTHER_TEXT,
    "break_glass": st.sampled_from([True, msgspec.UNSET]),
    "seen": st.builds(
        Seen,
        plan_digest=OTHER_TEXT,
        ledger_seq=st.integers(0, 10**6),
        audit_head=st.none() | OTHER_TEXT,
        audit_length=st.integers(0, 10**6),
    ),
}
GATE_FIELDS = (
    "cluster_id", "classes", "resource", "operation", "before", "after", "rules", "requester",
    "effect", "dependents", "readers", "tolerance", "expires_at", "nonce", "on_behalf_of",
    "incarnation", "migration_digest",
)  # fmt: skip
DECISION_FIELDS = (
    "gate_digest",
    "decision",
    "reason",
    "approver",
    "decided_at",
    "seen",
    "break_glass",
)


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """A good decision, for the properties below."""

    registry: Registry
    request: ApprovalRequest
    artifact: DecisionArtifact


async def decide_one() -> Decided:
    bench = await consent()
    request = await bench.ask()
    return Decided(
        registry=await bench.principals.registry(),
        request=request,
        artifact=await bench.decide(request),
    )


@pytest.fixture(scope="module")
def good() -> Decided:
    return anyio.run(decide_one)


@pytest.mark.parametrize("field", GATE_FIELDS)
@given(data=st.data())
def test_each_field_of_the_gate_statement_is_signed(
    good: Decided, field: str, data: st.DataObject
) -> None:
    old = good.request.statement
    value = data.draw(VALUES.get(field, OTHER_TEXT).filter(lambda v: v != getattr(old, field)))
    statement = msgspec.structs.replace(old, **{field: value})
    request = msgspec.structs.replace(
        good.request,
        statement=statement,
        gate_digest=gate_digest(statement),
        gate_key=gate_key(statement),
        requester=statement.requester,
        on_behalf_of=statement.on_behalf_of,
        expires_at=statement.expires_at,
    )
    registry = good.registry

    assert request.gate_digest != good.request.gate_digest
    for artifact in (
        good.artifact,
        msgspec.structs.replace(good.artifact, gate_digest=request.gate_digest),
    ):
        assert check_artifact(artifact, request, registry, verify).verdict == "refused"


@pytest.mark.parametrize("field", DECISION_FIELDS)
@given(data=st.data())
def test_each_field_of_the_decision_is_signed(
    good: Decided, field: str, data: st.DataObject
) -> None:
    old = getattr(good.artifact, field)
    value = data.draw(VALUES.get(field, OTHER_TEXT).filter(lambda v: v != old))
    edited = msgspec.structs.replace(good.artifact, **{field: value})
    request = good.request
    if field == "gate_digest":
        request = msgspec.structs.replace(request, gate_digest=value)
    if field == "seen":
        request = msgspec.structs.replace(request, plan_digest=value.plan_digest)
    registry = good.registry

    assert canonical_bytes(statement_of(edited)) != canonical_bytes(statement_of(good.artifact))
    assert check_artifact(edited, request, registry, verify).verdict == "refused"
    assert check_artifact(good.artifact, good.request, registry, verify).verdict == "holds"


def test_the_lists_of_signed_fields_are_whole() -> None:
    from agentctl.domain.approval.records import DecisionStatement
    from agentctl.domain.plan.statement import GateStatement

    names = {f.name for f in msgspec.structs.fields(GateStatement)}
    assert names - {"statement"} == set(GATE_FIELDS)
    names = {f.name for f in msgspec.structs.fields(DecisionStatement)}
    assert names - {"statement"} == set(DECISION_FIELDS)


def test_an_agent_is_no_approver_whatever_its_record_would_say(good: Decided) -> None:
    """The chain gives no agent an assurance; if it did, its kind alone would refuse it."""
    artifact = forge(good.request, signer=key_of("agent:sarah"), approver="agent:sarah")
    agent = msgspec.structs.replace(good.registry.principals["agent:sarah"], assurance="file")
    principals = dict(good.registry.principals) | {"agent:sarah": agent}
    registry = msgspec.structs.replace(good.registry, principals=principals)

    checked = check_artifact(artifact, good.request, registry, verify)

    assert (checked.verdict, checked.why) == ("refused", "its approver is no enrolled human")


def test_a_decision_names_its_request(good: Decided) -> None:
    other = msgspec.structs.replace(good.request, request_id=OTHER_ID)

    checked = check_artifact(good.artifact, other, good.registry, verify)

    assert (checked.verdict, checked.why) == ("refused", "it is of another request")


async def test_an_approval_of_one_gate_filed_under_the_key_of_another() -> None:
    bench = await consent()
    request = await bench.ask(bench.gate("harmless", dependents=()))
    await bench.decide(request)
    put(bench, msgspec.structs.replace(request, gate_key=bench.gate().key))

    assert not await opens(bench, dependents=())


@pytest.mark.parametrize("at", ["2026-11-21T03:29:00.000Z", "2026-11-21T05:00:00.000Z"])
async def test_a_denied_statement_put_to_humans_again_under_a_new_id(at: str) -> None:
    bench = await consent()
    request = await bench.ask()
    await bench.decide(request, "deny")
    put(bench, renumbered(request, at))

    assert await bench.approvals.open_requests() == ()
    gate = bench.gate()
    assert (await bench.approvals.standings((gate,)))[gate.key].state == "denied"


async def test_an_id_of_another_time_than_the_request_says() -> None:
    bench = await consent()
    request = await bench.ask()
    put(bench, msgspec.structs.replace(request, created_at="2026-11-21T03:29:00.000Z"))

    assert await bench.approvals.open_requests() == ()


class UnaskedSigner:
    """Another human's key, which must not even be opened."""

    key = key_of("tom").key

    def sign(self, data: bytes, namespace: str) -> tuple[str, str]:
        pytest.fail(f"asked to sign {len(data)} bytes in {namespace}")


async def test_a_key_that_is_not_the_callers_is_not_even_asked_for() -> None:
    bench = await consent()
    request = await bench.ask()

    answer = await bench.approvals.decide(
        bench.sarah, request.request_id, verdict="approve", reason=None, signer=UnaskedSigner()
    )

    assert isinstance(answer, tuple)
    assert answer[0].code == "signature_invalid"
