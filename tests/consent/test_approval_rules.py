"""Approval rules: how many of whom must approve, with which key, how far things may move, how long.

Source: control-plane 3.1 (`approvals.<n>`), 3.4; ADR 12.
"""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.domain.approval.codec import encode, request_key
from agentctl.domain.approval.records import ApprovalRequest, DecisionArtifact, Needs
from agentctl.domain.plan.approval_rules import (
    AppliedRule,
    covers,
    requirements,
    rules_digest,
)
from agentctl.domain.plan.statement import NO_RULES, Tolerance
from agentctl.domain.policy.principals import DelegateBody
from agentctl.ids import Address
from agentctl.instants import format_instant, parse_instant
from agentctl.testing.consent import CONFIG, PLAN, Consent, caller, consent, key_of

RULE: dict[str, Any] = {"need": {"count": 2}}


async def team(**rules: dict[str, Any]) -> Consent:
    """Returns a cluster of sarah, tom, ann (group dba) and ben (groups dba, security)."""
    bench = await consent()
    await bench.enrol("ann", ["dba"])
    await bench.enrol("ben", ["dba", "security"])
    await bench.apply_rules(**rules)
    return bench


async def delegate(
    bench: Consent,
    source: str,
    to: str,
    *,
    kinds: tuple[str, ...] = (),
    resources: tuple[str, ...] = (),
    hours: int = 1,
) -> None:
    until = format_instant(bench.world.now() + timedelta(hours=hours))
    body = DelegateBody(source=source, to=to, kinds=kinds, resources=resources, until=until)
    done = await bench.principals.delegate(body, signer=key_of(source))
    assert not isinstance(done, tuple), done


def refusal(answer: object) -> str:
    assert isinstance(answer, tuple), answer
    (told,) = answer
    assert told.code == "approver_unfit"
    return str(told.message)


async def test_without_rules_one_human_of_any_kind_is_enough() -> None:
    bench = await consent()
    request = await bench.ask()
    await bench.decide(request)

    assert (request.needs, request.statement.rules) == (Needs(), NO_RULES)
    assert (await bench.standing()).state == "approved"


async def test_two_people_must_approve_where_a_rule_says_so() -> None:
    bench = await team(two=RULE)
    request = await bench.ask()

    await bench.decide(request, by="sarah")
    after_one = await bench.standing()
    await bench.decide(request, by="tom")

    assert request.needs == Needs(count=2)
    assert after_one.state == "waiting"
    assert (await bench.standing()).state == "approved"


async def test_one_person_is_not_two() -> None:
    bench = await team(two=RULE)
    request = await bench.ask()
    await bench.decide(request, by="sarah")

    answer = await bench.try_to_decide(request, by="sarah")

    assert isinstance(answer, tuple)
    assert answer[0].code == "approval_closed"
    assert (await bench.standing()).state == "waiting"


async def test_one_denial_closes_what_two_must_approve() -> None:
    bench = await team(two=RULE)
    request = await bench.ask()
    await bench.decide(request, by="sarah")
    await bench.decide(request, "deny", by="tom")

    assert (await bench.standing()).state == "denied"


async def test_each_approver_is_in_one_of_the_groups() -> None:
    bench = await team(dba={"need": {"count": 1, "roles": ["dba", "owner"]}})
    request = await bench.ask()

    refused = refusal(await bench.try_to_decide(request, by="tom"))
    await bench.decide(request, by="ann")

    assert "tom is not in one of dba, owner" in refused
    assert (await bench.standing()).state == "approved"


async def test_somebody_without_the_group_may_still_deny() -> None:
    bench = await team(dba={"need": {"roles": ["dba"]}})
    await bench.decide(await bench.ask(), "deny", by="tom")

    assert (await bench.standing()).state == "denied"


async def test_who_leaves_the_group_is_not_counted_any_more() -> None:
    bench = await team(dba={"need": {"roles": ["dba"]}})
    await bench.decide(await bench.ask(), by="ann")
    before = await bench.standing()
    await bench.regroup("ann")

    assert before.state == "approved"
    assert (await bench.standing()).state == "waiting"


@pytest.mark.parametrize("by", ["sarah"])
async def test_separate_keeps_an_agents_human_from_approving(by: str) -> None:
    bench = await team(apart={"separate": True})
    request = await bench.ask()

    refused = refusal(await bench.try_to_decide(request, by=by))
    await bench.decide(request, by="tom")

    assert "sarah asked" in refused
    assert (await bench.standing()).state == "approved"


async def test_separate_keeps_a_human_from_approving_their_own_request() -> None:
    bench = await team(apart={"separate": True})
    request = await bench.ask(by=caller("tom"))

    assert "tom asked" in refusal(await bench.try_to_decide(request, by="tom"))


@pytest.mark.parametrize(
    "who",
    [
        pytest.param(caller("local:tom", enrolled=False), id="the implicit operator"),
        pytest.param(caller("agent:x", "agent", "mcp"), id="an agent of nobody"),
        pytest.param(
            caller("agent:x", "agent", "mcp", on_behalf_of="local:tom"), id="an unknown's agent"
        ),
    ],
)
async def test_separate_takes_no_request_of_whom_nobody_can_tell(who: Any) -> None:
    bench = await team(apart={"separate": True})

    answer = await bench.approvals.request(
        who, bench.gate(), plan_digest=PLAN, config_digest=CONFIG, intent="x"
    )

    assert "nobody can tell which person" in refusal(answer)


async def test_without_separate_a_human_may_decide_what_their_agent_asked() -> None:
    bench = await team()
    decided = await bench.decide(await bench.ask(), by="sarah")

    assert decided.self_requested


@pytest.mark.parametrize(
    ("least", "fits"),
    [("demo", True), ("file", True), ("agent", True), ("touch", False)],
)
async def test_a_key_is_worth_what_a_rule_asks_or_it_does_not_count(
    least: str,
    fits: bool,  # noqa: FBT001  # a column of the table
) -> None:
    bench = await consent()
    await bench.enrol("ann", assurance="agent")
    await bench.apply_rules(least={"assurance": least})
    request = await bench.ask()

    answer = await bench.try_to_decide(request, by="ann")

    assert isinstance(answer, DecisionArtifact) == fits
    assert (await bench.standing()).state == ("approved" if fits else "waiting")


async def test_a_decision_that_falls_short_counts_for_nothing_as_a_file_either() -> None:
    bench = await team(dba={"need": {"roles": ["dba"]}})
    request = await bench.ask()
    await bench.regroup("tom", "dba")
    artifact = await bench.decide(request, by="tom")
    await bench.regroup("tom")

    handed_in = await bench.approvals.submit(encode(artifact), caller=bench.agent)
    (review,) = await bench.approvals.reviews()

    assert handed_in == artifact, "it is recorded already"
    assert review.state == "waiting"
    assert review.refused == (f"{artifact.approval_id}: tom is not in one of dba",)


async def test_a_request_lives_as_long_as_the_rules_say() -> None:
    bench = await team(short={"expires": 600})
    request = await bench.ask()
    await bench.decide(request)
    life = parse_instant(request.expires_at) - parse_instant(request.created_at)
    bench.world.advance(601)

    assert life == timedelta(minutes=10)
    assert (await bench.standing()).state == "expired"


async def test_expiry_is_judged_by_the_storages_clock_where_it_tells_one() -> None:
    bench = await consent()
    request = await bench.ask()
    await bench.decide(request)
    later = bench.world.now() + timedelta(hours=25)

    async def clock() -> Any:
        return later

    bench.store.clock = clock  # type: ignore[method-assign]

    assert (await bench.standing()).state == "expired"


async def test_a_machine_whose_clock_is_wrong_files_and_decides_by_the_storages() -> None:
    bench = await consent()
    true = bench.world.now()

    async def clock() -> Any:
        return true

    bench.store.clock = clock  # type: ignore[method-assign]
    bench.world.advance(90_000)
    request = await bench.ask()
    await bench.decide(request)

    assert request.created_at == format_instant(true)
    assert (await bench.standing()).state == "approved"


async def test_rules_that_change_make_an_approval_stale_and_say_so() -> None:
    bench = await consent()
    await bench.decide(await bench.ask())
    await bench.apply_rules(two=RULE)

    now = await bench.standing()

    assert now.state == "stale"
    assert now.why is not None
    assert (now.why.field, now.why.old, now.why.new) == (
        "rules",
        NO_RULES,
        rules_digest(bench.rules),
    )


async def test_a_request_asked_under_other_rules_is_not_decided() -> None:
    bench = await consent()
    request = await bench.ask()
    await bench.apply_rules(two=RULE)

    answer = await bench.try_to_decide(request)

    assert isinstance(answer, tuple)
    assert answer[0].code == "approval_closed"
    assert "stale" in answer[0].message


async def test_a_rule_that_cannot_be_read_opens_nothing_and_is_not_as_if_absent() -> None:
    bench = await team(two=RULE)
    request = await bench.ask()
    await bench.decide(request, by="sarah")
    await bench.decide(request, by="tom")
    before = (await bench.standing()).state
    payload = next(k for k in bench.store.objects if "resources/approval/" in k)
    bench.store.objects[payload] = b'{"need":{"count":1}}'

    snapshot = await bench.approvals.snapshot()

    assert before == "approved"
    assert snapshot.rules[0].fields is None
    assert snapshot.reviews[0].state == "stale"


async def test_nobody_approves_under_a_rule_that_cannot_be_read() -> None:
    bench = await team(two=RULE)
    del bench.store.objects[next(k for k in bench.store.objects if "resources/approval/" in k)]
    bench.rules = (await bench.approvals.snapshot()).rules
    request = await bench.ask()

    assert "cannot be read" in refusal(await bench.try_to_decide(request))


@pytest.mark.parametrize(
    "change",
    [
        {"needs": Needs(count=1)},
        {"needs": Needs(count=2, roles=("anybody",))},
        {"tolerance": Tolerance(percent=100, rows=10**9)},
        {"expires": 48},
    ],
)
async def test_a_request_that_asks_for_less_than_the_rules_is_none(change: dict[str, Any]) -> None:
    """Whoever can write files may file a request; what it may say is the rules' to say."""
    bench = await team(two=RULE)
    honest = await bench.ask()
    statement = honest.statement
    if "tolerance" in change:
        statement = msgspec.structs.replace(statement, **change)
    if "expires" in change:
        late = parse_instant(honest.created_at) + timedelta(hours=change["expires"])
        statement = msgspec.structs.replace(statement, expires_at=format_instant(late))
    forged = refiled(honest, statement, needs=change.get("needs", honest.needs))
    bench.store.objects[request_key(forged.request_id)] = encode(forged)

    assert await bench.approvals.open_requests() == ()


def refiled(request: ApprovalRequest, statement: Any, **more: Any) -> ApprovalRequest:
    from agentctl.domain.plan.statement import gate_digest, gate_key

    return msgspec.structs.replace(
        request,
        statement=statement,
        gate_digest=gate_digest(statement),
        gate_key=gate_key(statement),
        expires_at=statement.expires_at,
        **more,
    )


# Delegation: access-and-faces 3.5.


async def test_a_delegate_counts_by_the_groups_of_whom_they_stand_in_for() -> None:
    bench = await team(dba={"need": {"roles": ["dba"]}})
    await delegate(bench, "ann", "tom", resources=("graph.knowledge",))
    decided = await bench.decide(await bench.ask(), by="tom")
    (review,) = await bench.approvals.reviews()

    assert decided.approver == "tom"
    assert (await bench.standing()).state == "approved"
    assert [(s.approver, s.person) for s in review.seats] == [("tom", "ann")]


@pytest.mark.parametrize(
    "scope",
    [
        {"resources": ("graph.supply",)},
        {"resources": ("policy.*",)},
        {"kinds": ("policy", "schema")},
        {"kinds": ("graph",), "resources": ("graph.other",)},
    ],
)
async def test_a_delegate_beyond_the_scope_does_not_count(scope: Any) -> None:
    bench = await team(dba={"need": {"roles": ["dba"]}})
    await delegate(bench, "ann", "tom", **scope)

    assert "tom is not in" in refusal(await bench.try_to_decide(await bench.ask(), by="tom"))


async def test_a_delegation_ends_and_with_it_what_was_approved_by_it() -> None:
    bench = await team(dba={"need": {"roles": ["dba"]}})
    await delegate(bench, "ann", "tom", hours=1)
    await bench.decide(await bench.ask(), by="tom")
    before = (await bench.standing()).state
    bench.world.advance(3601)

    assert (before, (await bench.standing()).state) == ("approved", "waiting")


async def test_a_later_delegation_between_the_same_two_replaces_the_earlier() -> None:
    bench = await team(dba={"need": {"roles": ["dba"]}})
    await delegate(bench, "ann", "tom")
    await delegate(bench, "ann", "tom", resources=("graph.supply",))

    assert "tom is not in" in refusal(await bench.try_to_decide(await bench.ask(), by="tom"))


async def test_what_was_lent_is_not_lent_on() -> None:
    bench = await team(dba={"need": {"roles": ["dba"]}})
    await delegate(bench, "ann", "tom")
    await delegate(bench, "tom", "sarah")

    assert "sarah is not in" in refusal(await bench.try_to_decide(await bench.ask(), by="sarah"))


async def test_a_delegation_dies_with_its_source() -> None:
    bench = await team(dba={"need": {"roles": ["dba"]}})
    await delegate(bench, "ann", "tom")
    await bench.principals.revoke(
        principal_id="ann", reason="left", by="sarah", signer=key_of("sarah")
    )

    assert "tom is not in" in refusal(await bench.try_to_decide(await bench.ask(), by="tom"))


async def test_a_human_and_their_delegate_are_one_person() -> None:
    bench = await team(dba={"need": {"count": 2, "roles": ["dba"]}})
    await delegate(bench, "ann", "tom")
    request = await bench.ask()
    await bench.decide(request, by="ann")
    await bench.decide(request, by="tom")
    before = (await bench.standing()).state
    await bench.decide(request, by="ben")

    assert (before, (await bench.standing()).state) == ("waiting", "approved")


async def test_a_delegate_of_who_asked_is_not_somebody_else() -> None:
    bench = await team(dba={"need": {"roles": ["dba"]}, "separate": True})
    await delegate(bench, "ann", "tom")
    request = await bench.ask(by=caller("ann"))

    assert "tom is not in" in refusal(await bench.try_to_decide(request, by="tom"))


# Break-glass: access-and-faces 3.5.


async def test_somebody_of_the_role_may_decide_alone_in_an_emergency() -> None:
    bench = await team(hard={"need": {"count": 2, "roles": ["dba"]}, "separate": True})
    await bench.regroup("sarah", "breakglass")
    request = await bench.ask()

    alone = await bench.try_to_decide(request, reason="the pager", break_glass=True)

    assert isinstance(alone, DecisionArtifact)
    assert alone.break_glass is True
    now = await bench.standing()
    assert (now.state, now.artifact) == ("approved", alone)


@pytest.mark.parametrize(
    ("by", "reason", "told"),
    [
        ("tom", "the pager", "tom is not in the group breakglass"),
        ("sarah", None, "needs its reason"),
        ("sarah", "  ", "needs its reason"),
    ],
)
async def test_nobody_else_and_not_without_a_reason(by: str, reason: str | None, told: str) -> None:
    bench = await team(two=RULE)
    await bench.regroup("sarah", "breakglass")
    request = await bench.ask()

    answer = await bench.try_to_decide(request, by=by, reason=reason, break_glass=True)

    assert told in refusal(answer)
    assert (await bench.standing()).state == "waiting"


async def test_an_ordinary_approval_of_that_role_opens_no_emergency() -> None:
    bench = await team(two=RULE)
    await bench.regroup("sarah", "breakglass")
    await bench.decide(await bench.ask(), reason="as always")

    assert (await bench.standing()).state == "waiting"


async def test_a_delegate_breaks_no_glass() -> None:
    bench = await team(two=RULE)
    await bench.regroup("sarah", "breakglass")
    await delegate(bench, "sarah", "tom")
    request = await bench.ask()

    answer = await bench.try_to_decide(request, by="tom", reason="x", break_glass=True)

    assert "tom is not in the group" in refusal(answer)


async def test_a_key_that_is_worth_less_breaks_no_glass() -> None:
    bench = await team(hardware={"assurance": "touch"})
    await bench.regroup("sarah", "breakglass")
    request = await bench.ask()

    answer = await bench.try_to_decide(request, reason="x", break_glass=True)

    assert "assurance file" in refusal(answer)


# What rules ask together, as a pure function.

FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "match": st.fixed_dictionaries(
            {},
            optional={
                "classes": st.lists(st.sampled_from(["narrowing", "irreversible", "authority"])),
                "resources": st.lists(
                    st.sampled_from(["graph.a", "graph.*", "schema.a", "query.a.*", "policy.p"])
                ),
            },
        ),
        "need": st.fixed_dictionaries(
            {},
            optional={
                "count": st.integers(1, 5),
                "roles": st.lists(st.sampled_from(["x", "y", "z"]), unique=True),
            },
        ),
        "separate": st.booleans(),
        "assurance": st.sampled_from(["demo", "file", "agent", "touch"]),
        "tolerance": st.fixed_dictionaries(
            {}, optional={"percent": st.integers(0, 100), "rows": st.integers(0, 1000)}
        ),
        "expires": st.integers(1, 100_000),
    },
)


def ruled(written: list[dict[str, object]]) -> list[AppliedRule]:
    return [
        AppliedRule(address=Address(f"approval.r{n}"), digest="0" * 64, fields=fields)
        for n, fields in enumerate(written)
    ]


@given(st.lists(FIELDS, max_size=4), FIELDS)
def test_one_more_rule_never_asks_for_less(
    written: list[dict[str, object]], more: dict[str, object]
) -> None:
    order = ("demo", "file", "agent", "touch")
    about: Any = {"resource": "graph.a", "classes": ("irreversible",)}
    some, all_ = (
        requirements(ruled(written), **about),
        requirements(ruled([*written, more]), **about),
    )

    if some.rules:
        assert all_.tolerance.percent <= some.tolerance.percent
        assert all_.tolerance.rows <= some.tolerance.rows
        assert all_.life_s <= some.life_s
    assert all_.count >= some.count
    assert set(all_.roles) >= set(some.roles)
    assert all_.separate >= some.separate
    assert order.index(all_.assurance) >= order.index(some.assurance)


@given(st.lists(FIELDS, max_size=4), st.randoms())
def test_the_order_of_rules_says_nothing(written: list[dict[str, object]], random: Any) -> None:
    rules = ruled(written)
    mixed = list(rules)
    random.shuffle(mixed)
    about: Any = {"resource": "schema.a", "classes": ("narrowing",)}

    assert requirements(rules, **about) == requirements(mixed, **about)
    assert rules_digest(rules) == rules_digest(mixed)


@pytest.mark.parametrize(
    ("written", "resource", "about"),
    [
        ("graph.a", "graph.a", True),
        ("graph.a", "schema.a", True),
        ("graph.a", "query.a.q", True),
        ("graph.*", "schema.a", True),
        ("graph.a", "graph.ab", False),
        ("graph.a", "query.ab.q", False),
        ("schema.a", "graph.a", False),
        ("query.a.*", "query.a.q", True),
        ("query.a.*", "query.ab.q", False),
        ("policy.*", "cluster", False),
        ("graph.a", "policy.a", False),
    ],
)
def test_what_a_rule_is_about(
    written: str,
    resource: str,
    about: bool,  # noqa: FBT001  # a column of the table
) -> None:
    assert covers(written, resource) is about


def test_a_rule_about_another_class_or_resource_asks_nothing() -> None:
    rules = ruled([{"match": {"classes": ["authority"]}, "need": {"count": 3}}])

    assert requirements(rules, resource="graph.a", classes=("irreversible",)).count == 1
    assert requirements(rules, resource="policy.p", classes=("authority",)).count == 3


async def test_nobody_approves_what_must_be_promoted_while_environments_are_not_known() -> None:
    bench = await team(staged={"promoted_from": "stage"})

    assert "stage had it before" in refusal(await bench.try_to_decide(await bench.ask()))


def test_a_rule_that_nobody_can_meet_yet_can_be_taken_back() -> None:
    rules = ruled([{"promoted_from": "stage", "need": {"count": 2}}])
    taken_back = requirements(rules, resource="approval.r0", classes=("authority",))

    assert requirements(rules, resource="policy.p", classes=("authority",)).unmet is not None
    assert (taken_back.unmet, taken_back.count) == (None, 2)
