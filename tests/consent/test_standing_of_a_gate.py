"""What happens after an approval: the table of control-plane 3.4, row by row, and asking again."""

from datetime import timedelta
from typing import Any

import anyio
import msgspec
import pytest

from agentctl.domain.approval.machine import Review, Standing
from agentctl.domain.approval.records import ApprovalRequest, Verdict
from agentctl.domain.approval.tolerance import Moved
from agentctl.domain.ledger.state import ApprovalUse, State
from agentctl.domain.plan.statement import Effect, Gate, Tolerance
from agentctl.domain.storage.chain import ChainHead
from agentctl.engine.leases import CLUSTER, Leases
from agentctl.testing.consent import CONFIG, PLAN, Consent, caller, consent, key_of

HOUR_S = 3600


async def standing(bench: Consent, gate: Gate) -> Standing:
    return (await bench.approvals.standings((gate,)))[gate.key]


def codes(answer: object) -> list[str]:
    assert isinstance(answer, tuple), answer
    return [d.code for d in answer]


async def ask_again(bench: Consent, gate: Gate) -> object:
    return await bench.approvals.request(
        bench.agent, gate, plan_digest=PLAN, config_digest=CONFIG, intent="again"
    )


async def commit(bench: Consent, state: State) -> None:
    async with Leases(bench.store, bench.world).hold(
        CLUSTER, principal="sarah", operation="apply"
    ) as lease:
        await bench.ledger.commit(
            base=await bench.ledger.head(),
            kind="apply",
            op=None,
            lease=lease,
            cluster_id=bench.cluster_id,
            state=state,
            audit=await bench.audit.head(),
            principals=ChainHead(length=0, head=None),
            source=None,
        )


async def test_a_gate_stands_after_an_approval_and_not_before() -> None:
    bench = await consent()
    gate = bench.gate()

    assert await standing(bench, gate) == Standing()
    request = await bench.ask(gate)
    assert await standing(bench, gate) == Standing(state="waiting", request=request)
    artifact = await bench.decide(request)
    assert await standing(bench, gate) == Standing(
        state="approved", request=request, artifact=artifact, approvals=(artifact,)
    )


async def test_an_unrelated_revision_and_audit_records_change_nothing() -> None:
    bench = await consent()
    await bench.decide(await bench.ask())
    await commit(bench, State(state_revision=1))
    await commit(bench, State(state_revision=2))

    assert (await standing(bench, bench.gate())).state == "approved"


@pytest.mark.parametrize(
    ("rows", "stands"),
    [
        ({"Package": 1000, "Uses": 20}, True),
        ({"Package": 1010, "Uses": 20}, True),
        ({"Package": 1011, "Uses": 20}, False),
        ({"Package": 1000, "Uses": 21}, False),
        ({"Package": 10, "Uses": 0}, True),
        ({"Package": 1000}, True),
        ({"Package": 1000, "Uses": 20, "Extra": 0}, False),
    ],
)
async def test_an_effect_may_grow_by_one_percent_of_each_type(
    rows: dict[str, int],
    stands: bool,  # noqa: FBT001  # a column of the table
) -> None:
    bench = await consent()
    await bench.decide(await bench.ask())

    now = await standing(bench, bench.gate(rows=rows))

    assert now.state == ("approved" if stands else "stale")


async def test_and_by_no_more_than_a_hundred_rows() -> None:
    bench = await consent()
    await bench.decide(await bench.ask(bench.gate(rows={"Package": 1_000_000})))

    at_limit = await standing(bench, bench.gate(rows={"Package": 1_000_100}))
    beyond = await standing(bench, bench.gate(rows={"Package": 1_000_101}))

    assert (at_limit.state, beyond.state) == ("approved", "stale")
    assert beyond.why == Moved(field="effect.rows.Package", old="1000000", new="1000101")


async def test_both_figures_are_told_where_an_effect_moved_within_tolerance() -> None:
    bench = await consent()
    await bench.decide(await bench.ask())

    now = await standing(bench, bench.gate(rows={"Package": 1005, "Uses": 20}))

    assert now.moved == (Moved(field="effect.rows.Package", old="1000", new="1005"),)


@pytest.mark.parametrize(
    ("change", "field", "stands"),
    [
        ({"dependents": ("query.knowledge.all", "query.knowledge.new")}, "dependents", False),
        ({"dependents": ()}, "dependents", True),
        ({"readers": ("policy.base",)}, "readers", False),
        ({"effect": Effect(rows={"Package": 1000, "Uses": 20}, bytes=10**9)}, None, True),
        (
            {"effect": Effect(rows={"Package": 1000, "Uses": 20}, last_write="x", commit="main:9")},
            None,
            True,
        ),
    ],
)
async def test_a_new_dependent_or_reader_is_beyond_tolerance_and_size_informs_only(
    change: dict[str, Any],
    field: str | None,
    stands: bool,  # noqa: FBT001  # a column of the table
) -> None:
    bench = await consent()
    await bench.decide(await bench.ask())

    now = await standing(bench, bench.gate(**change))

    assert now.state == ("approved" if stands else "stale")
    assert [m.field for m in now.moved] == ([field] if field else [])


async def test_a_pin_or_archive_fewer_is_beyond_tolerance_and_one_more_is_not() -> None:
    bench = await consent()
    rows = {"Package": 1}
    await bench.decide(await bench.ask(bench.gate(effect=Effect(rows=rows, pins=("tag:v1",)))))

    more = bench.gate(effect=Effect(rows=rows, pins=("tag:v1", "tag:v2"), archives=("r1",)))
    fewer = bench.gate(effect=Effect(rows=rows))

    assert (await standing(bench, more)).state == "approved"
    assert (await standing(bench, fewer)).why == Moved(
        field="effect.pins", old="tag:v1", new="none"
    )


@pytest.mark.parametrize(
    ("change", "field", "old", "new"),
    [
        (
            {"incarnation": "01JBBBBBBBBBBBBBBBBBBBBBBB"},
            "incarnation",
            "01JAAAAAAAAAAAAAAAAAAAAAAA",
            "01JBBBBBBBBBBBBBBBBBBBBBBB",
        ),
        ({"before": "b" * 64}, "before", "a" * 64, "b" * 64),
        ({"rules": "0" * 64}, "rules", None, "0" * 64),
        ({"migration_digest": "1" * 64}, "migration_digest", "none", "1" * 64),
        ({"classes": ("irreversible",)}, "classes", "irreversible, narrowing", "irreversible"),
        ({"after": "2" * 64}, "after", "none", "2" * 64),
    ],
)
async def test_any_field_of_the_gate_key_that_changes_makes_it_stale_and_is_named(
    change: dict[str, Any], field: str, old: str | None, new: str
) -> None:
    bench = await consent()
    await bench.decide(await bench.ask())

    now = await standing(bench, bench.gate(**change))

    assert now.state == "stale"
    assert now.why is not None
    assert (now.why.field, now.why.new) == (field, new)
    assert old is None or now.why.old == old


async def test_an_approval_of_one_graph_says_nothing_about_another() -> None:
    bench = await consent()
    await bench.decide(await bench.ask(bench.gate("knowledge")))

    assert await standing(bench, bench.gate("supply")) == Standing()


async def test_an_approval_ends_with_its_request() -> None:
    bench = await consent()
    request = await bench.ask()
    await bench.decide(request)
    bench.world.advance(24 * HOUR_S)
    assert (await standing(bench, bench.gate())).state == "approved"
    bench.world.advance(1)

    now = await standing(bench, bench.gate())

    assert now.state == "expired"
    assert now.why is not None
    assert (now.why.field, now.why.old) == ("expires_at", request.expires_at)


async def test_a_revoked_or_replaced_key_makes_its_decisions_stale() -> None:
    bench = await consent()
    await bench.decide(await bench.ask(bench.gate("one")), by="tom")
    await bench.decide(await bench.ask(bench.gate("two")), by="sarah")
    await bench.principals.revoke(
        principal_id="tom", reason="left", by="sarah", signer=key_of("sarah")
    )
    await bench.principals.rotate(
        principal_id="sarah", new_key=key_of("sarah2").key, by="sarah", signer=key_of("sarah")
    )

    for graph, who in (("one", "tom"), ("two", "sarah")):
        now = await standing(bench, bench.gate(graph))
        assert now.state == "stale"
        assert now.why == Moved(field="key", old=key_of(who).key, new="revoked or replaced")


async def test_a_revoked_requester_makes_it_stale() -> None:
    bench = await consent()
    await bench.decide(await bench.ask())
    await bench.principals.revoke(
        principal_id="agent:sarah", reason="misbehaved", by="sarah", signer=key_of("sarah")
    )

    now = await standing(bench, bench.gate())

    assert (now.state, now.why) == (
        "stale",
        Moved(field="requester", old="agent:sarah", new="revoked"),
    )


async def test_what_the_ledger_says_was_used_never_counts_again() -> None:
    bench = await consent()
    artifact = await bench.decide(await bench.ask())
    use = ApprovalUse(consumed_at="2026-11-21T04:00:00.000Z", consumed_by_operation="op")
    await commit(bench, State(approval_records={artifact.approval_id: use}))

    assert (await standing(bench, bench.gate())).state == "none"
    review = await bench.approvals.review(artifact.request_id)
    assert review is not None
    assert review.state == "consumed"
    assert (await bench.ask()).request_id != artifact.request_id


async def test_a_record_of_consumption_alone_is_enough_and_is_written_once() -> None:
    bench = await consent()
    artifact = await bench.decide(await bench.ask())

    await bench.approvals.consume(artifact.approval_id, op="op", ledger_seq=7)
    await bench.approvals.consume(artifact.approval_id, op="other", ledger_seq=8)

    records = await bench.approvals.records()
    assert [(c.consumed_by_operation, c.ledger_seq) for c in records.consumptions] == [("op", 7)]
    assert records.used == {artifact.approval_id}
    assert (await standing(bench, bench.gate())).state == "none"


async def test_one_denial_closes_a_request_and_keeps_its_gate_from_being_asked_for_a_day() -> None:
    bench = await consent()
    artifact = await bench.decide(await bench.ask(), "deny", reason="wrong target")

    now = await standing(bench, bench.gate())
    assert (now.state, now.artifact) == ("denied", artifact)
    assert codes(await ask_again(bench, bench.gate())) == ["approval_denied_recently"]
    assert codes(await ask_again(bench, bench.gate(rows={"Package": 900}))) == [
        "approval_denied_recently"
    ]
    bench.world.advance(24 * HOUR_S)
    assert isinstance(await ask_again(bench, bench.gate()), ApprovalRequest)


async def test_unless_its_effect_grew_beyond_tolerance() -> None:
    bench = await consent()
    await bench.decide(await bench.ask(), "deny")

    assert isinstance(await ask_again(bench, bench.gate(rows={"Package": 5000})), ApprovalRequest)


async def test_a_request_sent_back_may_be_asked_again_at_once() -> None:
    bench = await consent()
    request = await bench.ask()
    await bench.decide(request, "request_changes", reason="say why")

    assert (await standing(bench, bench.gate())).state == "none"
    again = await bench.ask()
    assert again.request_id > request.request_id
    assert await bench.approvals.open_requests() == (again,)


async def test_a_human_may_deny_what_was_approved_and_not_used_yet() -> None:
    bench = await consent()
    request = await bench.ask()
    await bench.decide(request, by="sarah")
    bench.world.advance(1)
    await bench.decide(request, "deny", by="tom")

    assert (await standing(bench, bench.gate())).state == "denied"


async def test_an_earlier_approval_does_not_come_back_after_a_later_denial() -> None:
    bench = await consent()
    await bench.decide(await bench.ask())
    bench.world.advance(60)
    grown = bench.gate(rows={"Package": 5000, "Uses": 20})
    await bench.decide(await bench.ask(grown), "deny")

    assert (await standing(bench, bench.gate())).state == "denied"


async def test_a_stale_approval_can_be_asked_for_again_and_the_new_one_counts() -> None:
    bench = await consent()
    await bench.decide(await bench.ask())
    grown = bench.gate(rows={"Package": 5000, "Uses": 20})
    assert (await standing(bench, grown)).state == "stale"

    request = await bench.ask(grown)
    assert (await standing(bench, grown)).state == "waiting"
    await bench.decide(request)

    assert (await standing(bench, grown)).state == "approved"


async def test_the_same_gate_gives_the_same_request_for_everyone() -> None:
    bench = await consent()
    request = await bench.ask()

    assert await bench.ask() == request
    assert await bench.ask(by=caller("tom")) == request
    assert await bench.ask(bench.gate(rows={"Package": 1001, "Uses": 20})) == request
    await bench.decide(request)
    assert await bench.ask() == request


async def test_many_who_ask_at_once_agree_on_one_request() -> None:
    bench = await consent()
    answers: list[ApprovalRequest] = []

    async def ask(number: int) -> None:
        answers.append(await bench.ask(by=caller(f"agent:a{number}", "agent", "mcp")))

    async with anyio.create_task_group() as tasks:
        for number in range(6):
            tasks.start_soon(ask, number)

    (opened,) = await bench.approvals.open_requests()
    filed = (await bench.approvals.records()).requests
    found = {r.request_id: await bench.approvals.find(r.request_id) for r in (*filed, *answers)}
    assert all(request == opened for request in found.values())
    await bench.decide(answers[-1])
    assert (await standing(bench, bench.gate())).state == "approved"
    assert await bench.approvals.open_requests() == ()


async def test_a_principal_has_at_most_five_open_requests() -> None:
    bench = await consent()
    requests = [await bench.ask(bench.gate(f"g{n}")) for n in range(5)]

    assert codes(await ask_again(bench, bench.gate("g5"))) == ["approval_limit"]
    assert await bench.ask(bench.gate("g0")) == requests[0]
    await bench.decide(requests[0], "request_changes")
    assert isinstance(await ask_again(bench, bench.gate("g5")), ApprovalRequest)


async def test_a_cluster_has_at_most_twenty() -> None:
    bench = await consent()
    for number in range(20):
        by = caller(f"agent:a{number // 5}", "agent", "mcp")
        await bench.ask(bench.gate(f"g{number}"), by=by)

    assert codes(await ask_again(bench, bench.gate("more"))) == ["approval_limit"]
    bench.world.advance(24 * HOUR_S + 1)
    assert isinstance(await ask_again(bench, bench.gate("more")), ApprovalRequest)


async def test_a_gate_of_another_cluster_is_not_asked_about_here() -> None:
    bench = await consent()

    foreign = msgspec.structs.replace(bench.gate(), cluster_id="f" * 64)

    assert codes(await ask_again(bench, foreign)) == ["approval_read_error"]


@pytest.mark.parametrize("verdict", ["approve", "deny", "request_changes"])
async def test_a_closed_request_is_not_decided_again(verdict: Verdict) -> None:
    bench = await consent()
    request = await bench.ask()
    await bench.decide(request, "deny")

    again = await bench.approvals.decide(
        caller("tom"), request.request_id, verdict=verdict, reason=None, signer=key_of("tom")
    )

    assert codes(again) == ["approval_closed"]


async def test_an_expired_request_is_not_decided() -> None:
    bench = await consent()
    request = await bench.ask()
    bench.world.advance(24 * HOUR_S + 1)

    late = await bench.approvals.decide(
        bench.sarah, request.request_id, verdict="approve", reason=None, signer=key_of("sarah")
    )

    assert codes(late) == ["approval_closed"]
    assert (await standing(bench, bench.gate())).state == "expired"


async def test_a_decision_that_decides_for_ones_own_agent_is_recorded_as_self_requested() -> None:
    bench = await consent()
    own = await bench.decide(await bench.ask(bench.gate("one")), by="sarah")
    other = await bench.decide(await bench.ask(bench.gate("two")), by="tom")

    assert (own.self_requested, other.self_requested) == (True, False)


async def test_a_wider_tolerance_is_part_of_what_was_signed() -> None:
    bench = await consent()
    await bench.apply_rules(wide={"tolerance": {"percent": 50, "rows": 10_000}})
    request = await bench.ask()
    await bench.decide(request)

    assert request.statement.tolerance == Tolerance(percent=50, rows=10_000)
    assert (await standing(bench, bench.gate(rows={"Package": 1400, "Uses": 20}))).state == (
        "approved"
    )


async def test_waiting_returns_when_a_human_has_decided() -> None:
    bench = await consent()
    request = await bench.ask()
    seen: list[Review | None] = []

    async def wait() -> None:
        seen.append(await bench.approvals.wait(request.request_id, 30))

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await bench.decide(request, "deny", reason="not now")

    (review,) = seen
    assert review is not None
    assert (review.state, review.artifact and review.artifact.reason) == ("denied", "not now")


async def test_waiting_ends_at_its_timeout_and_knows_no_unknown_request() -> None:
    bench = await consent()
    request = await bench.ask()

    waited = await bench.approvals.wait(request.request_id, 0)

    assert waited is not None
    assert waited.state == "waiting"
    assert await bench.approvals.wait("01JAAAAAAAAAAAAAAAAAAAAAAA", 0) is None


async def test_a_clock_that_went_back_does_not_hide_the_next_request() -> None:
    bench = await consent()
    await bench.decide(await bench.ask(), "request_changes")
    bench.world.set_now(bench.world.now() - timedelta(hours=1))

    again = await bench.ask()

    assert await bench.approvals.open_requests() == (again,)
    await bench.decide(again)
    assert (await standing(bench, bench.gate())).state == "approved"


async def test_asking_and_deciding_are_in_the_audit_chain_with_what_was_decided() -> None:
    bench = await consent()
    request = await bench.ask()
    artifact = await bench.decide(request)
    records = [msgspec.json.decode(data) for _, data in await bench.audit.records()]

    assert [(r["action"], r["actor"]["kind"]) for r in records] == [
        ("approval_requested", "agent"),
        ("approval_approved", "human"),
    ]
    assert {r["digests"]["gate"] for r in records} == {request.gate_digest}
    assert artifact.seen.audit_length == 1
    assert artifact.seen.audit_head == records[1]["previous"]
