"""Named forgeries, second part: of rules, groups, delegations, hardware, emergencies and reviews.

As in `test_forged_decisions.py` the forger may write any object of the storage root and holds every
key but an enrolled human's; where a human forges, they hold their own. None of them opens a gate.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.adapters.keys.signer import SeedSigner
from agentctl.adapters.keys.sshsig import Signed, armoured, to_be_signed, verify
from agentctl.canonical import canonical_bytes
from agentctl.domain.approval.codec import artifact_key, decode, encode, request_key, review_key
from agentctl.domain.approval.decision import (
    approval_id_of,
    decision_bytes,
    decision_statement,
    make_artifact,
    statement_of,
)
from agentctl.domain.approval.emergencies import emergencies, review_bytes, review_fault
from agentctl.domain.approval.records import (
    CONSENT_NAMESPACE,
    GATE_NAMESPACE,
    REVIEW,
    ApprovalRequest,
    ClosedReview,
    Consumption,
    DecisionArtifact,
    ReviewStatement,
    Seen,
)
from agentctl.domain.plan.statement import gate_digest, gate_key
from agentctl.domain.policy.principals import (
    PRINCIPALS_NAMESPACE,
    DelegateBody,
    PrincipalRecord,
    record_bytes,
)
from agentctl.domain.policy.public_key import PublicKey, parse_public
from agentctl.engine.principals import PrincipalsBrokenError
from agentctl.instants import format_instant
from agentctl.testing.authenticator import Authenticator
from agentctl.testing.consent import PLAN, Consent, caller, consent, key_of

TWO: dict[str, Any] = {"need": {"count": 2}}
OPS: dict[str, Any] = {"need": {"roles": ["ops"]}}


def signed(
    request: ApprovalRequest, by: str, *, signer: Any = None, **more: Any
) -> DecisionArtifact:
    """Returns a decision that is right in all but what the forgery makes wrong."""
    key = signer or key_of(by)
    statement = decision_statement(
        request,
        decision=more.get("decision", "approve"),
        reason=more.get("reason"),
        approver=by,
        decided_at=more.get("decided_at", request.created_at),
        seen=Seen(plan_digest=PLAN, ledger_seq=0, audit_head=None, audit_length=0),
        break_glass=more.get("break_glass", False),
    )
    _, signature = key.sign(decision_bytes(statement), GATE_NAMESPACE)
    from agentctl.domain.policy.principals import Principal

    worth = more.get("assurance", "file")
    human = Principal(id=by, kind="human", key=key.key, assurance=worth)
    return make_artifact(request, statement, human, signature)


async def opens(bench: Consent, *artifacts: DecisionArtifact) -> bool:
    """Returns whether the gate is open once these lie among the records, however they were refused."""
    for artifact in artifacts:
        await bench.approvals.submit(encode(artifact), caller=bench.agent)
        bench.store.objects[artifact_key(artifact.approval_id)] = encode(artifact)
    return (await bench.standing()).state == "approved"


def chain(bench: Consent) -> list[str]:
    return sorted(k for k in bench.store.objects if "/principals/" in k)


async def append(bench: Consent, kind: Any, body: Any, by: str | None, signer: SeedSigner) -> None:
    """Writes a record at the chain's end, signed by *signer*, as whoever can write files could."""
    registry = await bench.principals.registry()
    record = PrincipalRecord(
        n=registry.head.length + 1,
        previous=registry.head.head,
        kind=kind,
        at=format_instant(bench.world.now()),
        nonce="0" * 32,
        by=by,
        body=body,
    )
    _, signature = signer.sign(record.signed_bytes, PRINCIPALS_NAMESPACE)
    data = record_bytes(msgspec.structs.replace(record, signature=signature))
    bench.store.objects[f"__cluster/principals/{record.n:020d}.json"] = data


async def is_refused_chain(bench: Consent) -> bool:
    try:
        await bench.principals.registry()
    except PrincipalsBrokenError:
        return True
    return False


# Of how many.


async def test_one_humans_approval_written_twice_under_two_ids() -> None:
    bench = await consent()
    await bench.apply_rules(two=TWO)
    request = await bench.ask()
    one = signed(request, "sarah")
    other = msgspec.structs.replace(one, approval_id="01M7Y2EPP0VSJYM5HH9H0CF5GX")

    assert not await opens(bench, one, other)


async def test_one_humans_approval_signed_twice_at_two_times() -> None:
    bench = await consent()
    await bench.apply_rules(two=TWO)
    request = await bench.ask()
    later = format_instant(bench.world.now() + timedelta(seconds=1))

    assert not await opens(
        bench, signed(request, "sarah"), signed(request, "sarah", decided_at=later)
    )


async def test_an_agents_signature_beside_a_humans() -> None:
    bench = await consent()
    await bench.apply_rules(two=TWO)
    request = await bench.ask()

    assert not await opens(bench, signed(request, "sarah"), signed(request, "agent:sarah"))


async def test_a_strangers_signature_beside_a_humans() -> None:
    bench = await consent()
    await bench.apply_rules(two=TWO)
    request = await bench.ask()

    assert not await opens(bench, signed(request, "sarah"), signed(request, "mallory"))


async def test_approvals_of_two_requests_about_one_gate_put_together() -> None:
    bench = await consent()
    await bench.apply_rules(two=TWO)
    first = await bench.ask()
    await bench.decide(first, by="sarah")
    bench.world.advance(90_000)
    second = await bench.ask()
    moved = msgspec.structs.replace(signed(first, "sarah"), request_id=second.request_id)

    assert not await opens(bench, moved, signed(second, "tom"))


async def test_a_used_pair_with_one_of_them_taken_away_and_a_third_in_its_place() -> None:
    """All that counted is used up together: none of it counts again beside another."""
    bench = await consent()
    await bench.enrol("ann")
    await bench.apply_rules(two=TWO)
    request = await bench.ask()
    await bench.decide(request, by="sarah")
    await bench.decide(request, by="tom")
    used = {a.approval_id for a in (await bench.standing()).approvals}
    from agentctl.domain.ledger.state import ApprovalUse

    use = ApprovalUse(consumed_at="2026-11-21T03:30:00.000Z", consumed_by_operation="op")
    await bench.commit(
        lambda state: msgspec.structs.replace(state, approval_records=dict.fromkeys(used, use))
    )
    tom = next(a for a in (await bench.approvals.records()).artifacts if a.approver == "tom")
    del bench.store.objects[artifact_key(tom.approval_id)]

    assert len(used) == 2
    assert not await opens(bench, signed(request, "ann"))


async def test_a_request_that_says_one_is_enough() -> None:
    bench = await consent()
    await bench.apply_rules(two=TWO)
    request = await bench.ask()
    fewer = msgspec.structs.replace(request, needs=type(request.needs)(count=1))
    bench.store.objects[request_key(request.request_id)] = encode(fewer)

    assert not await opens(bench, signed(fewer, "sarah"))


async def test_a_statement_made_under_no_rules_where_there_are_some() -> None:
    bench = await consent()
    before = await bench.ask()
    await bench.apply_rules(two=TWO)

    assert not await opens(bench, signed(before, "sarah"))


async def test_a_statement_that_names_the_rules_and_was_signed_under_others() -> None:
    bench = await consent()
    before = await bench.ask()
    artifact = signed(before, "sarah")
    await bench.apply_rules(two=TWO)
    statement = msgspec.structs.replace(before.statement, rules=bench.gate().rules)
    renamed = msgspec.structs.replace(
        before,
        statement=statement,
        gate_digest=gate_digest(statement),
        gate_key=gate_key(statement),
        needs=type(before.needs)(count=2),
    )
    bench.store.objects[request_key(before.request_id)] = encode(renamed)

    assert not await opens(
        bench, msgspec.structs.replace(artifact, gate_digest=renamed.gate_digest)
    )


async def test_a_rules_payload_that_was_made_milder() -> None:
    bench = await consent()
    await bench.apply_rules(two=TWO)
    request = await bench.ask()
    payload = next(k for k in bench.store.objects if "resources/approval/" in k)
    bench.store.objects[payload] = canonical_bytes({"need": {"count": 1}})

    assert not await opens(bench, signed(request, "sarah"))


async def test_a_rules_payload_that_was_taken_away() -> None:
    bench = await consent()
    await bench.apply_rules(two=TWO)
    request = await bench.ask()
    del bench.store.objects[next(k for k in bench.store.objects if "resources/approval/" in k)]

    assert not await opens(bench, signed(request, "sarah"), signed(request, "tom"))


# Of who is in which group.


async def test_a_group_that_an_agent_wrote_into_the_chain() -> None:
    bench = await consent()
    await bench.apply_rules(ops=OPS)
    from agentctl.domain.policy.principals import GroupsBody

    body = GroupsBody(id="tom", groups=("ops",))
    await append(bench, "groups", body, "agent:sarah", key_of("agent:sarah"))

    assert await is_refused_chain(bench)


async def test_a_group_that_somebody_gave_themselves_in_anothers_name() -> None:
    bench = await consent()
    from agentctl.domain.policy.principals import GroupsBody

    await append(bench, "groups", GroupsBody(id="tom", groups=("ops",)), "sarah", key_of("tom"))

    assert await is_refused_chain(bench)


async def test_a_revocation_taken_from_the_chains_end() -> None:
    """Without its last record the chain holds, and the revoked key with it; the ledger knows better."""
    bench = await consent()
    request = await bench.ask()
    artifact = signed(request, "tom")
    done = await bench.principals.revoke(
        principal_id="tom", reason="left", by="sarah", signer=key_of("sarah")
    )
    assert not isinstance(done, tuple)
    await bench.apply_rules()
    del bench.store.objects[chain(bench)[-1]]

    assert (await bench.principals.registry()).human("tom") is not None
    with pytest.raises(PrincipalsBrokenError, match="the ledger saw"):
        await opens(bench, artifact)


async def test_another_record_in_place_of_the_chains_last() -> None:
    bench = await consent()
    await bench.regroup("tom")
    await bench.apply_rules()
    del bench.store.objects[chain(bench)[-1]]
    await bench.regroup("tom", "ops")

    with pytest.raises(PrincipalsBrokenError, match="the ledger saw"):
        await bench.standing()


async def test_a_record_of_the_middle_of_the_chain_taken_away() -> None:
    bench = await consent()
    await bench.regroup("tom", "ops")
    await bench.regroup("tom")
    del bench.store.objects[chain(bench)[-2]]

    assert await is_refused_chain(bench)


# Of delegations.


async def test_a_delegation_that_the_delegate_signed() -> None:
    bench = await consent()
    until = format_instant(bench.world.now() + timedelta(days=1))
    body = DelegateBody(source="sarah", to="tom", kinds=(), resources=(), until=until)
    await append(bench, "delegate", body, "tom", key_of("tom"))

    assert await is_refused_chain(bench)


async def test_a_delegation_for_longer_than_a_month() -> None:
    bench = await consent()
    until = format_instant(bench.world.now() + timedelta(days=31))
    body = DelegateBody(source="sarah", to="tom", kinds=(), resources=(), until=until)

    assert isinstance(await bench.principals.delegate(body, signer=key_of("sarah")), tuple)


async def test_a_delegation_to_an_agent() -> None:
    bench = await consent()
    until = format_instant(bench.world.now() + timedelta(days=1))
    body = DelegateBody(source="sarah", to="agent:sarah", kinds=(), resources=(), until=until)

    assert isinstance(await bench.principals.delegate(body, signer=key_of("sarah")), tuple)


async def test_a_decision_back_dated_into_a_delegation_that_has_ended() -> None:
    bench = await consent()
    await bench.regroup("sarah", "ops")
    await bench.apply_rules(ops=OPS)
    until = format_instant(bench.world.now() + timedelta(hours=1))
    body = DelegateBody(source="sarah", to="tom", kinds=(), resources=(), until=until)
    assert not isinstance(await bench.principals.delegate(body, signer=key_of("sarah")), tuple)
    request = await bench.ask()
    bench.world.advance(2 * 3600)

    assert not await opens(bench, signed(request, "tom", decided_at=request.created_at))


async def test_a_decision_dated_before_its_delegation_began() -> None:
    bench = await consent()
    await bench.regroup("sarah", "ops")
    await bench.apply_rules(ops=OPS)
    request = await bench.ask()
    bench.world.advance(3600)
    until = format_instant(bench.world.now() + timedelta(hours=1))
    body = DelegateBody(source="sarah", to="tom", kinds=(), resources=(), until=until)
    assert not isinstance(await bench.principals.delegate(body, signer=key_of("sarah")), tuple)

    assert not await opens(bench, signed(request, "tom", decided_at=request.created_at))


# Of hardware.


async def hardware() -> tuple[Consent, Authenticator]:
    bench = await consent()
    key = Authenticator(bytes(range(32)))
    added = await bench.principals.add(
        principal_id="tina",
        kind="human",
        key=key.key,
        assurance="touch",
        by="sarah",
        signer=key_of("sarah"),
    )
    assert not isinstance(added, tuple)
    await bench.apply_rules(hardware={"assurance": "touch"})
    return bench, key


async def test_a_hardware_signature_that_nobody_touched() -> None:
    bench, key = await hardware()
    key.flags = 0

    assert not await opens(bench, signed(await bench.ask(), "tina", signer=key, assurance="touch"))


async def test_a_hardware_signature_whose_presence_was_written_in_afterwards() -> None:
    bench, key = await hardware()
    request = await bench.ask()
    key.flags = 0
    honest = signed(request, "tina", signer=key, assurance="touch")
    told = key.touch(to_be_signed(decision_bytes(statement_of(honest)), GATE_NAMESPACE))
    edited = armoured(
        key.public, GATE_NAMESPACE, Signed(signature=told.signature, flags=1, counter=told.counter)
    )

    assert not await opens(bench, msgspec.structs.replace(honest, signature=edited))


async def test_a_plain_signature_by_the_bytes_of_a_hardware_key() -> None:
    bench, key = await hardware()
    request = await bench.ask()

    class Posing:
        """Signs plainly and says that it is the hardware key."""

        key = ""

        def sign(self, data: bytes, namespace: str) -> tuple[str, str]:
            _, text = SeedSigner(bytes(range(32))).sign(data, namespace)
            return self.key, text

    posing = Posing()
    posing.key = key.key

    assert not await opens(bench, signed(request, "tina", signer=posing, assurance="touch"))


async def test_a_hardware_signature_made_for_another_application() -> None:
    bench, _ = await hardware()
    other = Authenticator(bytes(range(32)), application="ssh:elsewhere")

    assert not await opens(
        bench, signed(await bench.ask(), "tina", signer=other, assurance="touch")
    )


async def test_a_file_key_enrolled_as_if_it_were_hardware() -> None:
    bench = await consent()

    added = await bench.principals.add(
        principal_id="tina",
        kind="human",
        key=key_of("tina").key,
        assurance="touch",
        by="sarah",
        signer=key_of("sarah"),
    )

    assert isinstance(added, tuple)


async def test_a_hardware_key_replaced_by_a_file_is_worth_a_file() -> None:
    bench, key = await hardware()
    done = await bench.principals.rotate(
        principal_id="tina", new_key=key_of("tina").key, by="tina", signer=key
    )
    assert not isinstance(done, tuple)

    assert not await opens(bench, signed(await bench.ask(), "tina", assurance="file"))
    assert not await opens(bench, signed(await bench.ask(), "tina", assurance="touch"))


async def test_the_plain_twin_of_a_hardware_key_enrolled_beside_it() -> None:
    bench, key = await hardware()
    parsed = parse_public(key.key)
    assert parsed is not None

    added = await bench.principals.add(
        principal_id="twin",
        kind="human",
        key=PublicKey(raw=parsed.raw).text,
        assurance="file",
        by="sarah",
        signer=key_of("sarah"),
    )

    assert isinstance(added, tuple)


# Of emergencies and their reviews.


async def test_an_ordinary_approval_made_an_emergency_afterwards() -> None:
    bench = await consent()
    await bench.regroup("sarah", "breakglass")
    await bench.apply_rules(two=TWO)
    artifact = await bench.decide(await bench.ask(), reason="as always")
    turned = msgspec.structs.replace(artifact, break_glass=True)
    renamed = msgspec.structs.replace(turned, approval_id=approval_id_of(statement_of(turned)))

    assert not await opens(bench, turned, renamed)


async def test_an_emergency_made_an_ordinary_approval_afterwards() -> None:
    """So that no second human would be asked to look at it."""
    bench = await consent()
    await bench.regroup("sarah", "breakglass")
    request = await bench.ask()
    artifact = signed(request, "sarah", reason="fire", break_glass=True)
    turned = msgspec.structs.replace(artifact, break_glass=msgspec.UNSET)

    assert not await opens(bench, turned)


async def test_an_emergency_of_somebody_without_the_role() -> None:
    bench = await consent()
    await bench.apply_rules(two=TWO)

    assert not await opens(bench, signed(await bench.ask(), "tom", reason="fire", break_glass=True))


async def test_an_emergency_without_a_reason() -> None:
    bench = await consent()
    await bench.regroup("sarah", "breakglass")
    await bench.apply_rules(two=TWO)

    assert not await opens(bench, signed(await bench.ask(), "sarah", break_glass=True))


async def test_a_denial_that_says_it_is_an_emergency_is_none() -> None:
    bench = await consent()
    await bench.regroup("sarah", "breakglass")
    request = await bench.ask()
    artifact = signed(request, "sarah", decision="deny", reason="x", break_glass=True)

    assert isinstance(await bench.approvals.submit(encode(artifact), caller=bench.agent), tuple)


async def emergency() -> tuple[Consent, DecisionArtifact]:
    bench = await consent()
    await bench.regroup("sarah", "breakglass")
    made = await bench.try_to_decide(await bench.ask(), reason="fire", break_glass=True)
    assert isinstance(made, DecisionArtifact)
    return bench, made


def review_of(bench: Consent, artifact: DecisionArtifact, by: str, **more: Any) -> ClosedReview:
    fields: dict[str, Any] = {
        "statement": REVIEW,
        "cluster_id": bench.cluster_id,
        "approval_id": artifact.approval_id,
        "gate_digest": artifact.gate_digest,
        "finding": "justified",
        "reason": "there was a fire",
        "reviewer": by,
        "reviewed_at": "2026-11-21T03:31:00.000Z",
        "nonce": "0" * 32,
    }
    signer = more.pop("signer", key_of(by))
    statement = ReviewStatement(**(fields | more.pop("fields", {})))
    namespace = more.pop("namespace", CONSENT_NAMESPACE)
    key, signature = signer.sign(review_bytes(statement), namespace)
    return ClosedReview(statement=statement, key=key, signature=signature)


@pytest.mark.parametrize(
    ("by", "more"),
    [
        pytest.param("sarah", {}, id="by who decided"),
        pytest.param("agent:sarah", {}, id="by their agent"),
        pytest.param("mallory", {}, id="by a stranger"),
        pytest.param("tom", {"signer": key_of("sarah")}, id="in another's name"),
        pytest.param("tom", {"namespace": GATE_NAMESPACE}, id="in another namespace"),
        pytest.param("tom", {"fields": {"cluster_id": "0" * 64}}, id="of another cluster"),
        pytest.param("tom", {"fields": {"gate_digest": "0" * 64}}, id="of another statement"),
        pytest.param("tom", {"fields": {"reason": " "}}, id="without a word"),
    ],
)
async def test_a_review_that_is_none_closes_nothing(by: str, more: dict[str, Any]) -> None:
    bench, artifact = await emergency()
    closed = review_of(bench, artifact, by, **dict(more))
    bench.store.objects[review_key(artifact.approval_id)] = encode(closed)
    snapshot = await bench.approvals.snapshot()

    (one,) = emergencies(snapshot.records, snapshot.registry, verify)

    assert len(snapshot.records.closed) == 1
    assert one.review is None
    assert review_fault(closed, artifact, snapshot.registry, verify) is not None


async def test_a_review_whose_finding_was_turned_round() -> None:
    bench, artifact = await emergency()
    closed = review_of(bench, artifact, "tom", fields={"finding": "unjustified"})
    statement = msgspec.structs.replace(closed.statement, finding="justified")
    turned = msgspec.structs.replace(closed, statement=statement)
    registry = await bench.principals.registry()

    assert review_fault(closed, artifact, registry, verify) is None
    assert review_fault(turned, artifact, registry, verify) is not None


async def test_a_review_by_a_second_self_of_who_decided() -> None:
    bench, artifact = await emergency()
    await second_self(bench)
    closed = review_of(bench, artifact, "sarah2")
    why = review_fault(closed, artifact, await bench.principals.registry(), verify)
    await bench.regroup("sarah2", by="tom")

    assert why == "nobody reviews their own decision, nor does a second self"
    assert review_fault(closed, artifact, await bench.principals.registry(), verify) is None


async def test_two_approvals_by_the_two_keys_of_one_person() -> None:
    bench = await consent()
    await second_self(bench)
    await bench.apply_rules(two=TWO)
    request = await bench.ask()
    both = [signed(request, name) for name in ("sarah", "sarah2")]

    assert not await opens(bench, *both)
    await bench.regroup("sarah2", by="tom")
    assert await opens(bench)


async def second_self(bench: Consent) -> None:
    """Enrols a human by sarah's word alone, though tom could have vouched too."""
    added = await bench.principals.add(
        principal_id="sarah2",
        kind="human",
        key=key_of("sarah2").key,
        assurance="file",
        by="sarah",
        signer=key_of("sarah"),
    )
    assert not isinstance(added, tuple), added


# Of recovery.


async def test_a_recovery_code_that_was_replaced() -> None:
    bench = await consent()
    old, new = SeedSigner(bytes([1] * 32)), SeedSigner(bytes([2] * 32))
    for signer in (old, new):
        done = await bench.principals.set_recovery(
            key=signer.key, by="sarah", signer=key_of("sarah")
        )
        assert not isinstance(done, tuple)

    fresh = key_of("fresh").key
    refused = await bench.principals.rotate(
        principal_id="sarah", new_key=fresh, by=None, signer=old
    )
    done = await bench.principals.rotate(principal_id="sarah", new_key=fresh, by=None, signer=new)

    assert isinstance(refused, tuple)
    assert not isinstance(done, tuple)


async def test_a_recovery_code_that_signs_a_decision() -> None:
    bench = await consent()
    code = SeedSigner(bytes([1] * 32))
    await bench.principals.set_recovery(key=code.key, by="sarah", signer=key_of("sarah"))
    request = await bench.ask()

    assert not await opens(bench, signed(request, "sarah", signer=code))


async def test_a_recovery_code_that_gives_a_group() -> None:
    bench = await consent()
    code = SeedSigner(bytes([1] * 32))
    await bench.principals.set_recovery(key=code.key, by="sarah", signer=key_of("sarah"))
    from agentctl.domain.policy.principals import GroupsBody

    await append(bench, "groups", GroupsBody(id="tom", groups=("ops",)), None, code)

    assert await is_refused_chain(bench)


# Bytes.


@pytest.mark.parametrize("kind", [ApprovalRequest, DecisionArtifact, Consumption, ClosedReview])
@given(data=st.data())
def test_no_bytes_make_a_decoder_fail_and_nothing_but_its_own_form_is_read(
    kind: Any, data: st.DataObject
) -> None:
    import anyio

    global _SAMPLES  # noqa: PLW0603  # made once
    if not _SAMPLES:
        _SAMPLES = anyio.run(_samples)
    sample = bytearray(_SAMPLES[kind])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(sample) - 1))
        what = data.draw(st.sampled_from(["flip", "cut", "put", "twice"]))
        if what == "flip":
            sample[place] ^= data.draw(st.integers(1, 255))
        elif what == "cut":
            del sample[place : place + data.draw(st.integers(1, 9))]
        elif what == "put":
            sample[place:place] = data.draw(st.binary(min_size=1, max_size=4))
        else:
            sample[place:place] = sample[place : place + data.draw(st.integers(1, 40))]
        if not sample:
            sample = bytearray(b"{")

    read = decode(kind, bytes(sample), path="x")

    assert not isinstance(read, kind) or encode(read) == bytes(sample)


_SAMPLES: dict[Any, bytes] = {}


async def _samples() -> dict[Any, bytes]:
    bench, artifact = await emergency()
    (request,) = (await bench.approvals.records()).requests
    used = Consumption(
        approval_id=artifact.approval_id,
        request_id=request.request_id,
        consumed_at="2026-11-21T03:30:00.000Z",
        consumed_by_operation="op",
        ledger_seq=1,
    )
    return {
        ApprovalRequest: encode(request),
        DecisionArtifact: encode(artifact),
        Consumption: encode(used),
        ClosedReview: encode(review_of(bench, artifact, "tom")),
    }


def test_there_are_at_least_forty_named_forgeries() -> None:
    here = Path(__file__)
    both = here.read_text() + here.with_name("test_forged_decisions.py").read_text()

    assert both.count("async def test_") >= 70


async def test_a_caller_who_says_they_are_tina_without_her_key() -> None:
    bench, _ = await hardware()
    request = await bench.ask()

    answer = await bench.approvals.decide(
        caller("tina"), request.request_id, verdict="approve", reason=None, signer=key_of("tina")
    )

    assert isinstance(answer, tuple)
    assert answer[0].code == "signature_invalid"


@pytest.mark.parametrize(("kind", "via"), [("agent", "cli"), ("human", "mcp"), ("human", "http")])
def test_the_recovery_code_is_taken_at_a_persons_terminal_only(kind: Any, via: Any) -> None:
    from agentctl.domain.policy.decide import authorise

    lost = caller("local:sarah", enrolled=False)

    assert authorise(lost, "principal_recover", "cluster").allow
    assert not authorise(caller("x", kind, via), "principal_recover", "cluster").allow
